"""Every fault of every provider, through a whole turn of the chat: nothing is lost, doubled or taken for an answer."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from pydantic import SecretStr

from optimus.llm_handler.requests import ModelChoice, ModelRef
from optimus.models import MessageRole, MessageState, new_id
from optimus.storage.records import Connection, MemoryFilter
from tests.fakes import wire_formats
from tests.fakes.providers import FakeProvider, Fault, FaultKind, refused_url, running_provider
from tests.unit.llm.test_faults import ENDPOINTS, status
from tests.world import World, running_world

SAID = "I'm allergic to peanuts"
WORDS = "one two three four five six"
MAIN = ("openai", "anthropic", "google", "groq", "mistral", "xai", "together")


@dataclass(frozen=True)
class Case:
    """A fault, how it is brought about, its kinds, and a part of the sentence that the user reads."""

    kinds: tuple[str, ...]
    """Of the error, as it is counted; a reader that takes too long for what it gets runs out of time."""
    sentence: str
    fault: Fault | None = None
    root: Callable[[FakeProvider], str] | None = None
    has_text: bool = False


CASES = {
    "429": Case(("rate_limit",), "too many requests", status(429)),
    "500": Case(("busy",), "problem on its side", status(500)),
    "529": Case(("busy",), "problem on its side", status(529)),
    "timeout": Case(("timeout",), "in time", Fault(kind=FaultKind.HANG)),
    "refused": Case(("unreachable",), "cannot be reached", root=lambda _fake: refused_url()),
    "tls": Case(("unreachable",), "certificate", root=lambda fake: f"https://127.0.0.1:{fake.port}"),
    "dns": Case(("unreachable",), "no server with this name", root=lambda _fake: "https://nowhere.invalid"),
    "bad json": Case(("response",), "", Fault(kind=FaultKind.BAD_JSON)),
    "truncated": Case(("response",), "cut off", Fault(kind=FaultKind.END_EARLY, after=5), has_text=True),
    "empty": Case(("response",), "empty answer", Fault(kind=FaultKind.EMPTY)),
    "10 MB line": Case(("response", "timeout"), "", Fault(kind=FaultKind.LONG_LINE)),
    "invalid UTF-8": Case(("response",), "", Fault(kind=FaultKind.BAD_TEXT)),
    "slow drip": Case(("timeout",), "in time", Fault(kind=FaultKind.DRIP)),
    "wrong schema": Case(("response", "timeout"), "", Fault(kind=FaultKind.WRONG_FORM)),
    "reset midway": Case(("response",), "cut off", Fault(kind=FaultKind.CUT, after=5), has_text=True),
}
BY_DEFAULT = {(provider, case) for place, provider in enumerate(MAIN) for case in list(CASES)[place::7]}
"""Each fault and each provider at least once; all pairs are tried with `-m deep`."""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """One world for all faults, whose answers must begin at once and are asked for once."""
    settings = {
        "first_token_timeout_s": 1,
        "request_timeout_s": 5,
        "request_retries": 0,
        "messages_per_minute": 10_000,
    }
    with running_world(tmp_path_factory.mktemp("faults"), **settings) as made:
        made.services.models.warm().result(60)
        yield made


@pytest.fixture
def fake():
    """A server of our own for each fault."""
    with running_provider() as server:
        server.answer = lambda _request: WORDS
        yield server


def connect(world: World, provider: str, root: str) -> ModelChoice:
    """Connect the user to a provider's interface at an address and return its model."""
    name, suffix = ENDPOINTS[provider]
    connection = Connection(
        id=new_id(),
        user_id=world.owner,
        provider=provider,
        label=provider,
        base_url=root + suffix,
        api_key=SecretStr("sk-canary-0123456789abcdef"),
        models=(name,),
        created_at=world.clock(),
    )
    for old in world.services.store.accounts.connections(world.owner):
        world.services.store.accounts.delete_connection(world.owner, old.id)
    world.services.store.accounts.save_connection(connection)
    ref = ModelRef(provider=provider, name=name)
    return next(c for c in world.services.connections.choices(world.owner) if c.ref == ref and c.connection_id)


def counted(world: World, provider: str, kinds: tuple[str, ...]) -> float:
    """Return how many errors of some kinds were counted of a provider."""
    value = world.services.store.metrics.registry.get_sample_value
    names = [{"provider": provider, "kind": kind} for kind in kinds]
    return sum(value("optimus_provider_errors_total", labels) or 0.0 for labels in names)


PAIRS = [
    pytest.param(
        provider, case, id=f"{provider}-{case}", marks=() if (provider, case) in BY_DEFAULT else pytest.mark.deep
    )
    for provider in MAIN
    for case in CASES
]


@pytest.mark.parametrize(("provider", "case"), PAIRS)
def test_a_fault_loses_nothing(world: World, fake: FakeProvider, provider: str, case: str):
    """The message is kept once, what arrived is kept and marked, and the error is neither an answer nor a memory."""
    wanted = CASES[case]
    if wanted.fault:
        fake.faults.append(wanted.fault)
    choice = connect(world, provider, wanted.root(fake) if wanted.root else fake.url)
    before = counted(world, provider, wanted.kinds)
    conversation, message, reply = world.say(SAID, choice=choice)
    said = world.services.chat.messages(world.owner, conversation.id)
    assert [(m.id, m.role, m.text) for m in said if m.role is MessageRole.USER] == [(message.id, "user", SAID)]
    assert len(said) == 2
    assert reply.state is MessageState.FAILED
    assert counted(world, provider, wanted.kinds) == before + 1, reply.error
    assert wanted.sentence in (reply.error or "")
    assert (reply.error or "").endswith(".")
    assert WORDS.startswith(reply.text.strip())
    assert bool(reply.text) is wanted.has_text
    assert wire_formats.DETAIL not in str(reply)
    kept = world.services.memory.list(world.owner, where=MemoryFilter()).items
    assert not [m for m in kept if reply.error and reply.error in m.text]
    fake.faults.clear()
    retry(world, fake, provider, reply)


def retry(world: World, fake: FakeProvider, provider: str, reply) -> None:
    """Try again over a connection that works: the answer is whole and the message is still there once."""
    choice = connect(world, provider, fake.url)
    world.services.chat.retry(world.owner, reply.id, choice=choice)
    running = world.services.chat.generation(world.owner, reply.conversation_id)
    assert running is None or running.wait(10)
    said = world.services.chat.messages(world.owner, reply.conversation_id)
    assert [m.state for m in said] == [MessageState.COMPLETE] * 2
    assert said[-1].text == WORDS
