"""What pages show of looking for memories: a quiet line where it failed, the review, the chosen model, the cost."""

from pydantic import SecretStr
from streamlit.testing.v1 import AppTest

from optimus.models import Usage, new_id
from optimus.storage.jobs import ExtractionJob, JobState, job_id
from optimus.storage.records import Connection
from optimus.usage import extraction_event
from tests.pages.conftest import ROOT, SignIn, run_alone, texts
from tests.world import World

LOOKING = "Looking for more to remember…"
REASON = "The provider has a problem on its side"


def test_a_failed_look_shows_its_reason_and_can_be_tried_again(world: World, sign_in: SignIn):
    """Under the message stands why it was not looked through, and "Try again" queues it once more."""
    conversation, message, _ = world.say("I live in Lisbon")
    now = world.clock()
    world.services.store.jobs.add(
        ExtractionJob(
            id=job_id(message.id),
            user_id=world.owner,
            message_id=message.id,
            conversation_id=conversation.id,
            model="compatible:gpt-6-luna",
            status=JobState.FAILED,
            at=now,
            updated_at=now,
            reason=REASON,
        )
    )
    sign_in(world.principal)
    app = run_alone("chat.py")
    app.query_params["chat"] = conversation.id
    app.run()
    assert not app.exception
    assert REASON in texts(app)
    app.button(key=f"look_again_{message.id}").click().run()
    assert not app.exception
    assert REASON not in texts(app)
    assert world.services.extraction.counts() == {JobState.WAITING: 1}


def test_the_page_says_that_a_model_looks_and_why_it_tries_again(world: World, sign_in: SignIn):
    """While a model looks, a line says so; once it has to wait, the reason stands there instead, without a button."""
    conversation, message, _ = world.say("I live in Lisbon")
    now, jobs = world.clock(), world.services.store.jobs
    job = ExtractionJob(
        id=job_id(message.id),
        user_id=world.owner,
        message_id=message.id,
        conversation_id=conversation.id,
        model="compatible:gpt-6-luna",
        at=now,
        updated_at=now,
    )
    jobs.add(job)
    sign_in(world.principal)
    app = run_alone("chat.py")
    app.query_params["chat"] = conversation.id
    assert LOOKING in texts(app.run())
    jobs.save(job.model_copy(update={"status": JobState.RETRY, "reason": REASON}))
    app.run()
    assert (LOOKING in texts(app), REASON in texts(app)) == (False, True)
    assert not [button for button in app.button if button.label == "Try again"]


def test_the_model_that_looks_is_chosen_in_the_settings(world: World, sign_in: SignIn):
    """The choice that no model looks is kept."""
    sign_in(world.principal)
    app = AppTest.from_file(ROOT / "pages" / "settings.py", default_timeout=20)
    app.query_params["section"] = "Models"
    app.run()
    assert not app.exception
    box = next(each for each in app.selectbox if each.label == "Model that looks for memories")
    assert box.options[:2] == ["Cheapest of the chat's provider (default)", "None: rules only"]
    box.select_index(1).run()
    assert not app.exception
    assert world.services.connections.is_rules_only(world.owner)


def test_context_and_prices_of_models_are_listed(world: World, sign_in: SignIn):
    """Once it is opened, the list says how much a model reads and what it costs; what is unknown stays empty."""
    connection = Connection(
        id=new_id(),
        user_id=world.owner,
        provider="openai",
        label="openai",
        base_url="https://api.openai.com/v1",
        api_key=SecretStr("k" * 20),
        models=("gpt-4.1", "gpt-unheard-of"),
        created_at=world.clock(),
    )
    world.services.store.accounts.save_connection(connection)
    sign_in(world.principal)
    app = AppTest.from_file(ROOT / "pages" / "settings.py", default_timeout=20)
    app.query_params["section"] = "Models"
    app.run()
    app.session_state["model_list"] = True
    app.run()
    assert not app.exception
    table = app.dataframe[0].value.set_index("Model")
    known, unknown = table.loc["gpt-4.1"], table.loc["gpt-unheard-of"]
    assert known["Context"] > 100_000
    assert known["Output"] > known["Input"] > 0
    assert unknown[["Context", "Input", "Output"]].isna().all()


def test_the_cost_of_looking_stands_apart(world: World, sign_in: SignIn):
    """Analytics has a table of its own for looking, once a model did."""
    sign_in(world.principal)
    assert "Looking for memories, and summaries" not in [each.value for each in run_alone("analytics.py").subheader]
    _, message, _ = world.say("I live in Lisbon")
    usage = Usage(input_tokens=1234, output_tokens=56)
    world.services.store.events.append(
        extraction_event(
            world.owner, model="openai:m", messages=[message.id], usage=usage, cost=0.01, failed=False, at=world.clock()
        )
    )
    app = run_alone("analytics.py")
    assert not app.exception
    assert "Looking for memories, and summaries" in [each.value for each in app.subheader]
    assert "1,234" in "".join(table.value.to_string() for table in app.table)
