"""What each interface reports of a call, streamed and not: the whole text, the tokens as counted, their price."""

import json

import pytest
from genai_prices import Usage as PricedUsage
from genai_prices import calc_price

from optimus.costs import answer_cost
from optimus.llm_handler.catalogue import CATALOGUE
from optimus.llm_handler.extraction import MemoryExtractor
from optimus.llm_handler.requests import AnswerBounds, ModelChoice
from optimus.memory_manager.masking import mask
from optimus.models import MessageState
from tests.fakes import wire_formats
from tests.fakes.providers import FakeProvider
from tests.unit.llm.support import KEY
from tests.unit.llm.test_extraction import Asking, entry, request_to, written
from tests.unit.llm.test_faults import ENDPOINTS, request_for

COUNTED = (wire_formats.INPUT_TOKENS, wire_formats.OUTPUT_TOKENS)


def list_price(provider: str, name: str) -> float | None:
    """Return what the counted tokens cost by the price list itself; None where it has no such provider."""
    priced_as = CATALOGUE.get(provider).priced_as
    if priced_as is None:
        return None
    usage = PricedUsage(input_tokens=COUNTED[0], output_tokens=COUNTED[1])
    return float(calc_price(usage, model_ref=name, provider_id=priced_as).total_price)


@pytest.mark.parametrize("provider", ENDPOINTS)
def test_a_streamed_answer_is_whole_and_counted_and_priced(provider, fake: FakeProvider, answer):
    """The tokens are those that the provider counted, once, and the cost is theirs by list price."""
    fake.key = KEY
    request = request_for(provider, fake.url)
    result = answer(request)
    assert (result.state, result.text) == (MessageState.COMPLETE, "Hello from the fake.")
    assert (result.usage.input_tokens, result.usage.output_tokens) == COUNTED
    choice = ModelChoice(
        ref=request.model, title=request.model.name, provider_title=provider, free=False, is_local=False
    )
    price = list_price(provider, request.model.name)
    assert answer_cost(choice, result) == (price if price is None else pytest.approx(price))
    assert (price is None) is (provider == "compatible")


@pytest.mark.parametrize("provider", ENDPOINTS)
def test_an_answer_in_one_piece_is_whole_and_counted(provider, fake: FakeProvider, gateway):
    """Looking for memories asks without a stream: what is found arrives, and the tokens are those of the provider."""
    fake.key = KEY
    fake.answer = lambda _request: written(entry("I live in Lisbon"))
    name, suffix = ENDPOINTS[provider]
    ask = Asking(MemoryExtractor(gateway=gateway, mask=mask, timeout_s=5))
    (found,) = ask(request_to(fake, provider, name, suffix))
    assert found.text == "I live in Lisbon"
    assert [(usage.input_tokens, usage.output_tokens) for usage in ask.taken] == [COUNTED]
    (sent,) = fake.bodies()
    assert not sent.body.get("stream")
    assert "streamGenerate" not in sent.path
    assert "I moved to Lisbon" in json.dumps(sent.body)


@pytest.mark.parametrize("provider", sorted(ENDPOINTS.keys() - {"mistral"}))
def test_an_answer_that_a_filter_ended_is_kept_and_says_so(provider, fake: FakeProvider, answer):
    """What arrived before a filter stepped in is a part, and is not taken for the whole; Mistral has no such end."""
    fake.filters = True
    result = answer(request_for(provider, fake.url))
    assert (result.state, result.text) == (MessageState.FAILED, "Hello from the fake.")
    assert "filter ended the answer" in result.error


@pytest.mark.parametrize(
    ("provider", "field"),
    [
        ("openai-chat", "max_completion_tokens"),
        ("xai", "max_completion_tokens"),
        ("together", "max_tokens"),
        ("compatible", "max_tokens"),
    ],
)
def test_the_limit_of_an_answer_goes_by_the_name_that_its_server_knows(provider, field, fake: FakeProvider, answer):
    """Ollama and Together pass over the newer name without a word, and would write on and on."""
    answer(request_for(provider, fake.url).model_copy(update={"bounds": AnswerBounds(tokens=321, calls=8)}))
    (sent,) = fake.bodies()
    assert sent.body[field] == 321
    assert not {"max_tokens", "max_completion_tokens"} - {field} & sent.body.keys()
