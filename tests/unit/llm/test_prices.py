"""What answers cost: list prices, nothing for what runs here, and no guess where there is no price."""

import socket

import pytest

from optimus.llm_handler.catalogue import CATALOGUE
from optimus.llm_handler.prices import context_tokens, cost_usd, list_prices
from optimus.llm_handler.requests import OFFLINE_MODEL, ModelRef
from optimus.models import Usage

USED = Usage(input_tokens=1_000_000, output_tokens=1_000_000)


def priced(model: str, usage: Usage = USED, *, is_local: bool = False) -> float | None:
    """Return the cost of a call of `provider:name`."""
    return cost_usd(ModelRef.parse(model), usage, is_local=is_local)


@pytest.mark.parametrize("entry", [entry for entry in CATALOGUE.all() if entry.needs_key], ids=lambda entry: entry.key)
def test_every_hosted_provider_has_prices(entry):
    """For each provider that wants a key at least one of the models on offer has a price."""
    names = entry.models or CATALOGUE.get("openai").models
    assert any(priced(f"{entry.key}:{name}") for name in names)


def test_input_and_output_have_their_own_prices():
    """A price is the sum of both directions, and grows with the tokens."""
    model = "anthropic:claude-sonnet-5-5"
    into = priced(model, Usage(input_tokens=10_000))
    out = priced(model, Usage(output_tokens=10_000))
    both = priced(model, Usage(input_tokens=10_000, output_tokens=10_000))
    assert into
    assert out
    assert out > into > 0
    assert both == pytest.approx(into + out)


@pytest.mark.parametrize(
    ("model", "is_local", "cost"),
    [
        (str(OFFLINE_MODEL), True, 0.0),
        (str(OFFLINE_MODEL), False, 0.0),
        ("compatible:llama3.2:3b", True, 0.0),
        ("openai:gpt-6-luna", True, 0.0),
        ("compatible:llama3.2:3b", False, None),
        ("openai:no-such-model", False, None),
        ("nobody:gpt-6-luna", False, None),
    ],
)
def test_what_runs_here_is_free_and_what_has_no_price_is_unknown(model, is_local, cost):
    """Models on this machine cost nothing; an unlisted model or an endpoint of somebody's own has no price."""
    assert priced(model, is_local=is_local) == cost


@pytest.mark.parametrize("usage", [Usage(input_tokens=5, cached_tokens=10), Usage(input_tokens=-1, output_tokens=3)])
def test_counts_that_cannot_be_have_no_price(usage):
    """What a provider miscounts raises nothing: the answer is stored and recorded all the same."""
    assert priced("openai:gpt-6-luna", usage) is None


def test_list_prices_are_those_of_a_prompt_of_usual_length():
    """A price for a million tokens is not that of one prompt of a million, for which some providers ask double."""
    luna = ModelRef.parse("openai:gpt-6-luna")
    read, written = list_prices(luna, is_local=False)
    assert read == pytest.approx(0.1)
    assert written == pytest.approx(0.5)
    assert priced("openai:gpt-6-luna", Usage(input_tokens=1_000_000)) == pytest.approx(0.2)
    assert list_prices(luna, is_local=True) == (0.0, 0.0)
    assert list_prices(ModelRef.parse("compatible:llama3.2:3b"), is_local=False) == (None, None)


def test_without_token_counts_the_cost_is_unknown():
    """A provider that reports no tokens is not taken for a free one."""
    assert priced("openai:gpt-6-luna", Usage()) is None


def test_prices_need_no_network(monkeypatch):
    """The price list is on disk; nothing is asked for online."""

    def refuse(*_args, **_kwargs):
        raise AssertionError("a price was looked up online")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert priced("openai:gpt-6-luna")


@pytest.mark.parametrize(("provider", "name"), [("anthropic", "claude-sonnet-5-5"), ("xai", "grok-4.3")])
def test_tokens_from_the_cache_have_their_own_price(provider, name):
    """Most of a prompt from the provider's cache costs less than half of the whole price."""
    ref = ModelRef(provider=provider, name=name)
    plain = cost_usd(ref, Usage(input_tokens=10_000, output_tokens=100), is_local=False)
    cached = cost_usd(ref, Usage(input_tokens=10_000, output_tokens=100, cached_tokens=9_900), is_local=False)
    assert plain
    assert cached
    assert cached < plain / 2


def test_models_to_start_with_have_a_context_and_others_are_not_guessed():
    """Where the price list does not say, the catalogue does for the models that it names."""
    named = [
        ModelRef(provider=entry.key, name=name) for entry in CATALOGUE.all() if entry.build for name in entry.models
    ]
    assert all((context_tokens(ref) or 0) >= 100_000 for ref in named)
    assert context_tokens(ModelRef(provider="mistral", name="open-mistral-7b-of-old")) is None
