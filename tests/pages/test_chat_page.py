"""What the chat page offers beside its messages."""

import pytest

from optimus.models import MessageState, PromptParts, ToolCall, Usage, Withheld
from tests.pages.conftest import SignIn, run_alone, texts
from tests.world import World


def test_the_chat_tells_what_is_nearly_used_up_and_what_a_message_takes(world: World, sign_in: SignIn):
    """The note stands under the input only once it matters; the options tell what a next message takes."""
    sign_in(world.principal)
    app = run_alone("chat.py")
    assert not app.exception
    assert "today's limit" not in texts(app)
    assert "costs nothing" in texts(app)
    world.services.system.change(world.principal, messages_per_day=5)
    for _ in range(4):
        world.say("hello")
    app.run()
    assert not app.exception
    assert "80% of today's limit of 5 messages is used" in texts(app).replace("\\", "")


def test_versions_of_an_answer_are_walked_through(world: World, sign_in: SignIn):
    """Another answer makes a second version; the arrows lead from one to the other and no further."""
    conversation, _, first = world.say("I live in Lisbon")
    sign_in(world.principal)
    app = run_alone("chat.py")
    app.query_params["chat"] = conversation.id
    app.run()
    app.button(key=f"retry_{first.id}").click().run()
    running = world.services.chat.generation(world.owner, conversation.id)
    assert running is None or running.wait(20)
    app.run()
    second = world.services.chat.messages(world.owner, conversation.id)[-1]
    assert not app.exception
    assert "2/2" in texts(app)
    assert app.button(key=f"later_{second.id}").disabled
    app.button(key=f"earlier_{second.id}").click().run()
    assert "1/2" in texts(app)
    assert app.button(key=f"earlier_{first.id}").disabled


def test_a_model_that_wants_to_forget_waits_for_the_click(world: World, sign_in: SignIn):
    """The question stands under the answer with the memory's words; "Forget it" does it, and Undo is offered."""
    memory = world.services.memory.add(world.owner, "I play the violin")
    conversation, _, reply = world.say("Tidy up")
    asks = ToolCall(name="forget_memory", text=memory.text, memory_id=memory.id, asks=True)
    searched = ToolCall(name="search_memory", text="music")
    world.services.store.conversations.update_message(reply.model_copy(update={"tools": (searched, asks)}))
    sign_in(world.principal)
    app = run_alone("chat.py")
    app.query_params["chat"] = conversation.id
    app.run()
    assert "Forget this? I play the violin" in texts(app)
    assert "Looked in your memories for: music" in texts(app)
    app.button(key=f"forget_{reply.id}_{memory.id}").click().run()
    assert not app.exception
    assert "Forget this?" not in texts(app)
    assert "Forgotten:] I play the violin" in texts(app)
    assert world.services.memory.list(world.owner).total == 0


def test_everything_that_is_known_of_an_answer_stands_under_it(world: World, sign_in: SignIn):
    """Who answered instead and why, what was picked, withheld, refused, given, taken, and what it costs."""
    conversation, _, reply = world.say("Plan my week")
    told = {
        "model": "openai:gpt-4o",
        "thinking": "First the dentist.",
        "instead": "Answered by gpt-4o · OpenAI. Groq did not answer.",
        "routed": "Picked gpt-4o: the only model that can do this.",
        "withheld": Withheld(to="OpenAI", memories=2, messages=1),
        "tools": (ToolCall(name="save_memory", text="x", refused="The user has limited what is remembered."),),
        "parts": PromptParts(instructions=90, memories=40, history=30, summary=20, message=10, left_out=3),
        "usage": Usage(input_tokens=100_000, output_tokens=1_000),
    }
    world.services.store.conversations.update_message(reply.model_copy(update=told))
    sign_in(world.principal)
    app = run_alone("chat.py")
    app.query_params["chat"] = conversation.id
    app.run()
    assert not app.exception
    drawn = texts(app).replace("\\", "")
    for words in (
        "First the dentist.",
        "Answered by gpt-4o · OpenAI. Groq did not answer.",
        "Picked gpt-4o: the only model that can do this.",
        "2 memories and 1 earlier message were not sent to OpenAI.",
        "The model wanted to save a memory, which was refused. It was told: The user has limited what is remembered.",
        "Answered by openai:gpt-4o",
        "About 90 tokens of instructions and tools, 40 tokens of memories, 30 tokens of earlier messages",
        "20 tokens of a summary",
        "3 earlier messages did not fit.",
        "The model read 100,000 tokens and wrote 1,000, $0.2600 by list prices.",
    ):
        assert words in drawn
    unpriced = reply.model_copy(update=told | {"model": "compatible:mine", "version": reply.version + 1})
    world.services.store.conversations.update_message(unpriced)
    app.run()
    assert "read 100,000 tokens and wrote 1,000; no list price of it is known." in texts(app)


@pytest.mark.parametrize(
    ("state", "error", "words"),
    [
        (MessageState.STOPPED, None, "Stopped. This is what was written until then."),
        (MessageState.FAILED, "The answer was cut off.", "The answer was cut off."),
    ],
)
def test_an_answer_that_is_not_whole_says_so_and_can_be_tried_again(world, sign_in: SignIn, state, error, words):
    """What was written stays, with what happened and a button."""
    conversation, _, reply = world.say("Plan my week")
    broken = reply.model_copy(update={"text": "Monday: ", "state": state, "error": error})
    world.services.store.conversations.update_message(broken)
    sign_in(world.principal)
    app = run_alone("chat.py")
    app.query_params["chat"] = conversation.id
    app.run()
    assert "Monday:" in texts(app)
    assert words in texts(app)
    app.button(key=f"retry_{reply.id}").click().run()
    running = world.services.chat.generation(world.owner, conversation.id)
    assert running is None or running.wait(20)
    assert world.services.chat.messages(world.owner, conversation.id)[-1].state is MessageState.COMPLETE


def test_what_was_prepared_for_no_answer_is_not_called_used(world: World, sign_in: SignIn):
    """Where no word came, no model answered and no memory was used; what stood ready can still be looked at."""
    conversation, _, reply = world.say("Plan my week")
    told = {"text": "", "state": MessageState.FAILED, "error": "Busy.", "model": "openai:gpt-4o"}
    empty = reply.model_copy(update=told | {"parts": PromptParts(instructions=90, memories=0, history=0, message=10)})
    world.services.store.conversations.update_message(empty)
    sign_in(world.principal)
    app = run_alone("chat.py")
    app.query_params["chat"] = conversation.id
    app.run()
    labels = [each.label for each in app.expander]
    assert "What was prepared for this answer" in labels
    assert not [label for label in labels if "Why" in label]
    assert "About 90 tokens" in texts(app)
    assert "Answered by" not in texts(app)


def test_older_messages_come_on_wish_and_not_in_the_next_chat(world: World, sign_in: SignIn, monkeypatch):
    """A long chat shows its newest messages; the button above them brings as many more, and goes once all are there."""
    monkeypatch.setattr("optimus.conversations.SHOWN_MESSAGES", 2)
    monkeypatch.setattr("optimus.ui.chat_messages.SHOWN_MESSAGES", 2)
    conversation, _, _ = world.say("First words")
    world.say("Later words", conversation=conversation)
    sign_in(world.principal)
    app = run_alone("chat.py")
    app.query_params["chat"] = conversation.id
    app.run()
    assert "Later words" in texts(app)
    assert "First words" not in texts(app)
    app.button(key="older").click().run()
    assert not app.exception
    assert "First words" in texts(app)
    assert "older" not in [button.key for button in app.button]
    other, _, _ = world.say("Something else")
    for wanted in (other, conversation):
        app.query_params["chat"] = wanted.id
        app.run()
    assert "First words" not in texts(app)
