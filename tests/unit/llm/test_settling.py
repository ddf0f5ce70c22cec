"""The settling agent on the wire: what is sent, and which answers are taken."""

import json
from typing import Any

import pytest
from pydantic import SecretStr

from optimus.errors import ProviderResponseError
from optimus.llm_handler.requests import Credentials, ModelRef
from optimus.llm_handler.settling import INSTRUCTIONS, MemorySettler, SettlingRequest, Statement, Verdict
from optimus.memory_manager.masking import MASK, mask
from optimus.models import Usage, new_id
from tests.fakes.providers import FakeProvider
from tests.unit.llm.support import KEY

BERLIN = Statement(text="I live in Berlin", is_new=False)
LISBON = Statement(text="I live in Lisbon", is_new=True)


def ask(gateway: Any, fake: FakeProvider, *statements: Statement, provider: str = "compatible") -> Any:
    """Ask about statements; return the verdicts and what the call took."""
    taken: list[Usage] = []
    request = SettlingRequest(
        model=ModelRef(provider=provider, name="gpt-6-luna"),
        credentials=Credentials(base_url=f"{fake.url}/v1", api_key=SecretStr(KEY)),
        connection_id=new_id(),
        statements=statements,
    )
    settler = MemorySettler(gateway=gateway, mask=mask, timeout_s=5)
    return settler.ask(request, taken.append).result(20), taken


def grouped(**fields: Any) -> str:
    """Return an answer with one group."""
    return json.dumps({"groups": [{"keep": 2, "same": [], "outdated": [1]} | fields]})


def test_the_instructions_are_short():
    """They take fewer than 500 tokens, counted at three characters a token, which is too many."""
    assert len(INSTRUCTIONS) / 3 < 500


def test_numbers_are_sent_and_places_come_back(gateway, fake):
    """Entries are numbered from 1, new ones are marked; the verdict names places from 0, and the call is counted."""
    fake.answer = lambda _request: grouped()
    found, taken = ask(gateway, fake, BERLIN, LISBON)
    assert found == (Verdict(keep=1, same=(), outdated=(0,)),)
    (sent,) = fake.bodies()
    entries = json.loads(sent.body["messages"][1]["content"])["entries"]
    assert entries == [
        {"n": 1, "text": "I live in Berlin"},
        {"n": 2, "text": "I live in Lisbon", "new": True},
    ]
    assert taken == [Usage(input_tokens=11, output_tokens=4)]


def test_secrets_and_hidden_signs_are_not_sent(gateway, fake):
    """Whatever got into a memory goes through the mask."""
    fake.answer = lambda _request: grouped(outdated=[])
    ask(gateway, fake, BERLIN, LISBON.model_copy(update={"text": "My\u200b password is hunter2-Xk81"}))
    (sent,) = fake.bodies()
    assert MASK in sent.text
    assert "hunter2" not in sent.text
    assert "u200b" not in sent.text


@pytest.mark.parametrize("fields", [{"keep": 3}, {"keep": 0}, {"outdated": [9]}, {"same": [1]}, {"keep": 1}])
def test_numbers_that_do_not_fit_are_sent_back_once(gateway, fake, fields):
    """A number out of range or named twice is told to the model; the mended answer counts."""
    replies = iter([grouped(**fields), grouped()])
    fake.answer = lambda _request: next(replies)
    found, _ = ask(gateway, fake, BERLIN, LISBON)
    assert found[0].outdated == (0,)
    assert len(fake.bodies()) == 2


@pytest.mark.parametrize(
    "answer", ["no", "[]", '{"groups": [{}]}', '{"groups": [{"keep": 9, "same": [], "outdated": []}]}']
)
def test_what_is_no_such_answer_raises(gateway, fake, answer):
    """It never counts as an empty answer."""
    fake.answer = lambda _request: answer
    with pytest.raises(ProviderResponseError):
        ask(gateway, fake, BERLIN, LISBON)
