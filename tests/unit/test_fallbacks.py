"""Who answers where the chosen model does not: only whom the user named, in that order, and the answer says so."""

from contextlib import ExitStack

import pytest
from pydantic import SecretStr

from optimus.attachments import Upload
from optimus.errors import InvalidInputError
from optimus.models import MessageRole, MessageState, new_id
from optimus.storage.records import MAX_FALLBACKS, Connection
from tests.fakes.providers import Fault, FaultKind, running_provider
from tests.unit.llm.test_faults import status
from tests.unit.test_attachments import connected, picture, send
from tests.unit.test_documents import pdf
from tests.world import World, stranger


@pytest.fixture
def impatient(world: World):
    """A world whose models are asked once; it waits for nothing."""
    world.services.models._attempts._persistence = world.services.models._attempts._persistence.__class__(
        retries=0, whole_s=20.0
    )
    return world


@pytest.fixture
def servers():
    """Three model servers on loopback."""
    with ExitStack() as stack:
        yield [stack.enter_context(running_provider()) for _ in range(3)]


def connect(world: World, server, name: str):
    """Connect the user to a server and return its model."""
    connection = Connection(
        id=new_id(),
        user_id=world.owner,
        provider="compatible",
        label=name,
        base_url=f"{server.url}/v1",
        api_key=SecretStr("k" * 20),
        models=(name,),
        created_at=world.clock(),
    )
    world.services.store.accounts.save_connection(connection)
    return next(c for c in world.services.connections.choices(world.owner) if c.connection_id == connection.id)


@pytest.fixture
def choices(impatient, servers):
    """The models of the three servers."""
    return [connect(impatient, server, f"model-{number}") for number, server in enumerate(servers)]


def answers(world: World, conversation):
    """Return what was recorded of the answers: model, state and tokens."""
    found = world.services.store.events.of(world.owner, conversation.created_at, world.clock())
    return [(e.data["model"], e.data["state"], e.data["input_tokens"]) for e in found if e.kind == "answer"]


def test_without_a_choice_nobody_else_is_asked(impatient, servers, choices):
    """By default a model that fails has failed: what was written goes to nobody else."""
    servers[0].faults.append(status(500))
    _, _, reply = impatient.say("Hello?", choice=choices[0])
    assert (reply.state, reply.instead) == (MessageState.FAILED, None)
    assert not servers[1].requests + servers[2].requests


@pytest.mark.parametrize(
    "fault",
    [status(500), status(429), status(401), status(404), Fault(kind=FaultKind.RESET), Fault(kind=FaultKind.EMPTY)],
)
def test_the_next_one_answers_and_the_answer_says_so(impatient, servers, choices, fault):
    """The first that begins to answer writes the answer, which names it and whoever did not answer, and why."""
    impatient.services.connections.prefer_fallbacks(impatient.owner, [choices[2], choices[1]])
    servers[0].faults.append(fault)
    conversation, message, reply = impatient.say("Hello?", choice=choices[0])
    assert (reply.state, reply.text, reply.model) == (
        MessageState.COMPLETE,
        "Hello from the fake.",
        "compatible:model-2",
    )
    assert reply.instead.startswith("Answered by model-2 · ")
    assert "model-0 · " in reply.instead
    assert "did not answer: " in reply.instead
    assert not servers[1].requests
    said = impatient.services.chat.messages(impatient.owner, conversation.id)
    assert [m.id for m in said if m.role is MessageRole.USER] == [message.id]


def test_every_try_is_recorded(impatient, servers, choices):
    """Each model that was asked leaves its own record with its own tokens; the day's tokens are those of all."""
    impatient.services.connections.prefer_fallbacks(impatient.owner, choices[1:])
    servers[0].faults.append(status(500))
    servers[1].faults.append(status(503))
    conversation, _, reply = impatient.say("Hello?", choice=choices[0])
    assert sorted(answers(impatient, conversation)) == [
        ("compatible:model-0", "failed", 0),
        ("compatible:model-1", "failed", 0),
        ("compatible:model-2", "complete", reply.usage.input_tokens),
    ]
    assert reply.instead.count("did not answer") == 2


def test_a_stand_ins_refusal_does_not_keep_the_next_one_from_answering(impatient, servers, choices):
    """What is too much for one fallback may not be for another; what the chosen model refuses stays refused."""
    impatient.services.connections.prefer_fallbacks(impatient.owner, choices[1:])
    servers[0].faults.append(status(503))
    servers[1].faults.append(status(400))
    _, _, reply = impatient.say("Hello?", choice=choices[0])
    assert (reply.state, reply.model) == (MessageState.COMPLETE, "compatible:model-2")
    servers[0].faults.append(status(400))
    _, _, reply = impatient.say("Hello?", choice=choices[0])
    assert reply.state is MessageState.FAILED


def test_where_nobody_answers_each_reason_is_said(impatient, servers, choices):
    """The message is kept once, the answer is marked as failed by the chosen model, and says what each one said."""
    impatient.services.connections.prefer_fallbacks(impatient.owner, choices[1:])
    servers[0].faults.append(status(401))
    servers[1].faults.append(status(500))
    servers[2].faults.append(status(404))
    conversation, _, reply = impatient.say("Hello?", choice=choices[0])
    assert (reply.state, reply.text, reply.model, reply.instead) == (
        MessageState.FAILED,
        "",
        "compatible:model-0",
        None,
    )
    for words in ("None of your models answered", "model-0", "refused the API key", "model-1", "problem", "model-2"):
        assert words in reply.error
    assert len(impatient.services.chat.messages(impatient.owner, conversation.id)) == 2


@pytest.mark.parametrize("fault", [status(400), Fault(kind=FaultKind.CUT, after=4)])
def test_what_no_other_model_cures_is_shown_to_none(impatient, servers, choices, fault):
    """A request that is refused as it is, and an answer that has begun, go to no other model."""
    impatient.services.connections.prefer_fallbacks(impatient.owner, choices[1:])
    servers[0].faults.append(fault)
    _, _, reply = impatient.say("Hello?", choice=choices[0])
    assert (reply.state, reply.model) == (MessageState.FAILED, "compatible:model-0")
    assert not servers[1].requests


def test_an_answer_of_the_next_one_that_breaks_is_marked_as_its_own(impatient, servers, choices):
    """Text is kept with the name of the model that wrote it."""
    impatient.services.connections.prefer_fallbacks(impatient.owner, choices[1:])
    servers[0].faults.append(status(500))
    servers[1].faults.append(Fault(kind=FaultKind.CUT, after=4))
    _, _, reply = impatient.say("Hello?", choice=choices[0])
    assert (reply.state, reply.model) == (MessageState.FAILED, "compatible:model-1")
    assert reply.text
    assert "cut off" in reply.error


def test_a_part_of_an_answer_is_kept_whatever_becomes_of_the_next_try(impatient, servers, choices):
    """It stays as an earlier version, with whose it is; the new answer neither has its text nor its note."""
    chat = impatient.services.chat
    impatient.services.connections.prefer_fallbacks(impatient.owner, choices[1:2])
    servers[0].faults.append(status(500))
    servers[1].faults.append(Fault(kind=FaultKind.CUT, after=4))
    conversation, message, part = impatient.say("Hello?", choice=choices[0])
    assert part.instead
    servers[0].faults.append(status(400))
    for state in (MessageState.FAILED, MessageState.COMPLETE):
        last = chat.messages(impatient.owner, conversation.id)[-1]
        chat.retry(impatient.owner, last.id, choice=choices[0])
        running = chat.generation(impatient.owner, conversation.id)
        assert running is None or running.wait(20)
        said = chat.messages(impatient.owner, conversation.id)
        assert [(m.role, m.state) for m in said[1:]] == [(MessageRole.ASSISTANT, state)]
        assert (said[0].id, said[1].instead) == (message.id, None)
        assert impatient.services.store.conversations.message(impatient.owner, part.id).text == part.text
    versions = chat.thread(impatient.owner, conversation.id).versions
    assert versions[part.id] == (part.id, said[1].id)


def test_a_model_that_was_disconnected_is_passed_over(impatient, servers, choices):
    """Only models on offer are asked; the others stay in the list until the user takes them out."""
    connections = impatient.services.connections
    connections.prefer_fallbacks(impatient.owner, choices[1:])
    connections.disconnect(impatient.owner, choices[1].connection_id)
    assert connections.fallbacks(impatient.owner) == [choices[2]]
    servers[0].faults.append(status(500))
    assert impatient.say("Hello?", choice=choices[0])[2].model == "compatible:model-2"


def test_only_language_models_on_offer_can_be_chosen(impatient, choices):
    """The offline assistant never answers in the place of a model, nor does somebody else's connection."""
    connections = impatient.services.connections
    for wanted in ([impatient.offline()], [choices[0].model_copy(update={"connection_id": new_id()})]):
        with pytest.raises(InvalidInputError):
            connections.prefer_fallbacks(impatient.owner, wanted)
    with pytest.raises(InvalidInputError):
        connections.prefer_fallbacks(stranger().user_id, choices[:1])
    with pytest.raises(InvalidInputError, match="too many"):
        impatient.services.preferences.choose_fallbacks(impatient.owner, [("a:b", None)] * (MAX_FALLBACKS + 1))
    assert connections.fallbacks(impatient.owner) == []


def test_a_provider_that_is_left_alone_is_shown_and_works_again_once_tested(impatient, servers, choices):
    """Picker and settings tell who does not answer at present; a test that succeeds ends the rest."""
    connections = impatient.services.connections
    servers[0].faults.extend([status(503)] * 5)
    for _ in range(5):
        impatient.say("Hello?", choice=choices[0])
    assert connections.is_resting("compatible", choices[0].connection_id)
    assert not connections.is_resting("compatible", choices[1].connection_id)
    assert connections.test_again(impatient.owner, choices[0].connection_id).ok
    assert not connections.is_resting("compatible", choices[0].connection_id)


def test_no_stand_in_gets_files_that_it_cannot_take(impatient):
    """A picture goes to those that see, a scanned PDF to those that read PDF files; the others are not asked."""
    with ExitStack() as stack:
        fakes = [stack.enter_context(running_provider()) for _ in range(3)]
        first = connected(impatient, fakes[0], "claude-haiku-5-5", "anthropic")
        blind = connected(impatient, fakes[1], "llama3.2:3b")
        able = connected(impatient, fakes[2], "gemini-3.8-flash", "google")
        impatient.services.connections.prefer_fallbacks(impatient.owner, [blind, able])
        for file in (Upload("a.png", picture()), Upload("scan.pdf", pdf(""))):
            fakes[0].faults_for_chats.append(status(503))
            _, reply = send(impatient, first, file)[1:]
            assert (reply.state, reply.model) == (MessageState.COMPLETE, str(able.ref))
        assert not [each for each in fakes[1].bodies() if "What is this?" in each.text]


def test_no_stand_in_is_asked_that_the_day_has_no_dollars_for(impatient):
    """A model on this machine may always be asked; in its place a paid one only while the day's dollars last."""
    with ExitStack() as stack:
        free, paid = (stack.enter_context(running_provider()) for _ in range(2))
        first = connect(impatient, free, "llama")
        other = connected(impatient, paid, "claude-haiku-5-5", "anthropic")
        impatient.services.connections.prefer_fallbacks(impatient.owner, [other])
        impatient.services.system.change(impatient.principal, usd_per_day=1.0)
        for spent in (0.5, 0.6):
            impatient.services.chat._allowance.add(impatient.owner, 0, spent)
            free.faults_for_chats.append(status(503))
            impatient.say("Hello?", choice=first)
        assert len(paid.chats()) == 1
