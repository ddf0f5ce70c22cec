"""The Analytics page's figures: what counts, on which day, at what price, and for whose eyes."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from optimus.analytics.log import AnswerLog
from optimus.analytics.report import WINDOW_TOKENS, Period, growth, report_on
from optimus.errors import PermissionDeniedError, SessionEndedError
from optimus.models import MemoryId, MemoryType, MessageState, UserId, new_id
from optimus.prompt import estimated_tokens
from optimus.storage.records import Event, MemoryOutline
from optimus.ui.analytics_tables import answers_csv
from optimus.ui.analytics_text import model_name, money, share
from optimus.usage import ANSWER, Answer
from tests.fakes.providers import FakeProvider, Fault, FaultKind, running_provider
from tests.unit.test_chat import connect
from tests.world import World, stranger

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LISBON = ZoneInfo("Europe/Lisbon")
ALL = Period.of(None, now=NOON, zone=UTC)


@pytest.fixture
def provider():
    """A model server on loopback."""
    with running_provider() as fake:
        yield fake


def answer(at: datetime = NOON, **changes) -> Answer:
    """Return an answer with these fields."""
    usual: dict[str, Any] = {
        "id": new_id(),
        "owner": UserId("ada"),
        "at": at,
        "model": "openai:gpt-6-luna",
        "failed": False,
        "question_id": new_id(),
        "memory_ids": (),
        "input_tokens": 100,
        "output_tokens": 10,
        "cost": 0.5,
        "context_tokens": 0,
        "said_tokens": 0,
        "first_token_ms": None,
        "duration_ms": None,
    }
    return Answer(**(usual | changes))


def outline(day: int, kind: MemoryType = MemoryType.FACT) -> MemoryOutline:
    """Return a memory of a day in February."""
    return MemoryOutline(id=MemoryId(new_id()), type=kind, recorded_at=datetime(2026, 2, day, 12, tzinfo=UTC))


@pytest.mark.parametrize(
    ("answers", "messages", "whole", "failed", "cost", "unpriced"),
    [
        ([], 0, 0, 0, 0, 0),
        ([{}, {}], 2, 2, 0, 1.0, 0),
        ([{"failed": True, "cost": 0.0, "question_id": "a"}, {"question_id": "a"}], 1, 1, 1, 0.5, 0),
        ([{"cost": None}, {}], 2, 2, 0, 0.5, 1),
        ([{"cost": None}, {"cost": None}], 2, 2, 0, 0, 2),
    ],
    ids=["none", "two", "failed and written again", "one price unknown", "all unknown"],
)
def test_what_is_counted(answers, messages, whole, failed, cost, unpriced):
    """A message answered twice counts once, a failed answer is no answer, an unknown price is no zero."""
    total = report_on([answer(**changes) for changes in answers], ALL).total
    assert (total.messages, total.answers, total.failed) == (messages, whole, failed)
    assert (total.cost, total.unpriced) == (cost, unpriced)
    assert total.cost_is_unknown is (whole == unpriced > 0)


@pytest.mark.parametrize(
    ("zone", "day"),
    [("UTC", date(2026, 3, 28)), ("Pacific/Kiritimati", date(2026, 3, 29)), ("America/Los_Angeles", date(2026, 3, 28))],
)
def test_days_are_those_of_the_viewer(zone, day):
    """The same moment is on another day elsewhere."""
    late = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)
    report = report_on([answer(late)], Period.of(7, now=late, zone=ZoneInfo(zone)))
    assert [key[0] for key in report.days] == [day]


def test_a_period_is_of_whole_local_days_also_when_the_clocks_change():
    """Seven days are today and six before, from local midnight on, and a day of 23 hours is one of them."""
    period = Period.of(7, now=datetime(2026, 3, 31, 22, 59, tzinfo=UTC), zone=LISBON)
    assert (period.first, period.last) == (date(2026, 3, 25), date(2026, 3, 31))
    assert period.begins == datetime(2026, 3, 25, tzinfo=UTC)
    assert not period.has(datetime(2026, 3, 24, 23, 59, 59, tzinfo=UTC))
    assert period.day(datetime(2026, 3, 29, 23, 30, tzinfo=UTC)) == date(2026, 3, 30)
    assert Period.of(7, now=datetime(2026, 3, 31, 23, tzinfo=UTC), zone=LISBON).last == date(2026, 4, 1)


def test_days_and_models_are_summed_apart():
    """Each day and each model has its own sums; the model with the most answers comes first."""
    yesterday = NOON - timedelta(days=1)
    report = report_on([answer(yesterday, model="a:x"), answer(model="b:y"), answer(model="b:y", cost=None)], ALL)
    assert [(day.day, model) for day, model in report.days] == [(28, "a:x"), (1, "b:y")]
    assert [(model, tally.answers, tally.unpriced) for model, tally in report.models.items()] == [
        ("b:y", 2, 1),
        ("a:x", 1, 0),
    ]


def test_savings_compare_with_everything_said_before():
    """What was given is set against all earlier turns of all chats, those from before the period included."""
    old = answer(NOON - timedelta(days=60), said_tokens=900)
    answers = [old, answer(said_tokens=100, context_tokens=50), answer(said_tokens=10, context_tokens=150)]
    saving = report_on(answers, Period.of(7, now=NOON, zone=UTC)).saving
    assert (saving.given, saving.everything) == (200, 900 + 1000)
    assert saving.share == pytest.approx(1 - 200 / 1900)


@pytest.mark.parametrize(
    ("answers", "everything"),
    [
        ([{"said_tokens": 5}], 0),
        ([{"said_tokens": 7, "failed": True, "question_id": "a"}, {"said_tokens": 5, "question_id": "a"}, {}], 5),
        ([{"said_tokens": 10 * WINDOW_TOKENS}, {}], WINDOW_TOKENS),
    ],
    ids=["nothing before", "written again", "more than a model reads"],
)
def test_what_full_history_would_have_taken(answers, everything):
    """An answer written again counts once, and no more than a model can read is ever counted."""
    saving = report_on([answer(**changes) for changes in answers], ALL).saving
    assert saving.everything == everything
    assert (saving.share is None) is (everything == 0)


def test_times_are_classed_and_failures_do_not_count_as_fast():
    """The share within two seconds counts answers that came; the classes hold every measured one."""
    times = [400, 2000, 2001, 60_000]
    answers = [answer(first_token_ms=time, duration_ms=time) for time in times] + [answer(failed=True, duration_ms=1)]
    report = report_on(answers, ALL)
    assert report.duration == report.first_token
    assert report.duration
    assert report.duration.classes == (1, 0, 1, 1, 0, 1)
    assert report.duration.prompt_share == 0.5
    assert report_on([answer()], ALL).first_token is None


def test_memories_grow_day_by_day_from_what_there_was():
    """A curve has every day of the period, begins with the memories from before it and ends with all of them."""
    memories = [outline(1), outline(26), outline(26), outline(28), outline(2, MemoryType.NOTE)]
    notes, facts = growth(memories, Period.of(4, now=NOON, zone=UTC))
    assert (notes.type, notes.totals) == (MemoryType.NOTE, (1, 1, 1, 1))
    assert (facts.days[0], facts.totals) == (date(2026, 2, 26), (3, 3, 4, 4))
    assert growth(memories, ALL)[1].days[0] == date(2026, 2, 1)
    assert growth([], ALL) == ()


def test_a_turn_is_recorded_with_its_numbers_and_no_text(world: World, provider: FakeProvider):
    """The event of an answer holds tokens, cost and the ids of the memories used, and nothing that was said."""
    world.say("I'm allergic to peanuts")
    provider.answer = lambda _request: "Peanuts, you said."
    _, _, reply = world.say("What am I allergic to?", choice=connect(world, provider.url))
    event = world.services.store.events.of(world.owner)[-1]
    assert event.data["memory_ids"] == ",".join(use.memory_id for use in reply.used)
    assert event.data["message_id"] == reply.id
    assert event.data["cost_usd"] == 0.0
    assert event.data["said_tokens"] == estimated_tokens("What am I allergic to?") + estimated_tokens(reply.text)
    assert event.data["memory_tokens"]
    assert event.data["history_tokens"] == 0
    assert "eanut" not in str(event)


def test_a_failed_answer_is_recorded_and_costs_nothing(world: World, provider: FakeProvider):
    """An answer that never began is a failure without a price; written again it is one message with one answer."""
    choice = connect(world, provider.url).model_copy(update={"is_local": False})
    provider.faults.extend([Fault(kind=FaultKind.STATUS, status=401)] * 2)
    conversation, _, reply = world.say("Hello", choice=choice)
    assert reply.state is MessageState.FAILED
    provider.faults.clear()
    world.services.chat.retry(world.owner, reply.id, choice=choice)
    running = world.services.chat.generation(world.owner, conversation.id)
    assert running is None or running.wait(20)
    total = world.services.analytics.report(world.owner, days=7, zone=UTC).total
    assert (total.messages, total.answers, total.failed, total.unpriced) == (1, 1, 1, 1)


def test_an_answer_written_again_says_its_question_once(world: World):
    """What full history would have taken holds each question once, however often it was answered."""
    conversation, _, reply = world.say("I live in Lisbon")
    world.services.chat.retry(world.owner, reply.id, choice=world.offline())
    running = world.services.chat.generation(world.owner, conversation.id)
    assert running is None or running.wait(20)
    fresh = world.services.chat.messages(world.owner, conversation.id)[-1]
    world.say("Where do I live?")
    report = world.services.analytics.report(world.owner, days=7, zone=UTC)
    assert report.total.messages == 2
    assert report.saving.everything == estimated_tokens("I live in Lisbon") + estimated_tokens(fresh.text)


def test_used_and_unused_memories_are_told_apart(world: World):
    """A memory that answers were made from is listed with their number; one that was in none stands below."""
    for text in ("I live in Lisbon", "My sister Maria is a nurse"):
        world.say(text)
    for _ in range(2):
        world.say("Where do I live?")
    analytics = world.services.analytics
    memories = analytics.memories(world.owner, analytics.report(world.owner, days=7, zone=UTC))
    assert [(use.memory.text, use.answers) for use in memories.most_used] == [("I live in Lisbon", 2)]
    assert [memory.text for memory in memories.unused] == ["My sister Maria is a nurse"]
    world.services.memory.forget(world.owner, memories.most_used[0].memory.id)
    after = analytics.memories(world.owner, analytics.report(world.owner, days=7, zone=UTC))
    assert after.most_used == ()
    assert after.count == 1


def test_nobody_sees_the_figures_of_another(world: World):
    """A stranger's report is empty, also right after the owner's was read."""
    world.say("I live in Lisbon")
    analytics, eve = world.services.analytics, stranger()
    assert analytics.report(world.owner, days=None, zone=UTC).total.answers == 1
    report = analytics.report(eve.user_id, days=None, zone=UTC)
    assert report.answers == ()
    memories = analytics.memories(eve.user_id, analytics.report(world.owner, days=None, zone=UTC))
    assert (memories.count, memories.most_used, memories.unused) == (0, (), ())


def test_only_admins_see_sums_by_user(world: World):
    """Sums of all accounts are refused to users, and hold names and numbers alone."""
    world.say("I live in Lisbon")
    analytics = world.services.analytics
    found = analytics.by_user(world.principal, days=7, zone=UTC)
    assert [(usage.username, usage.total.answers) for usage in found] == [("ada", 1)]
    with pytest.raises(PermissionDeniedError):
        analytics.by_user(stranger(), days=7, zone=UTC)
    with pytest.raises(SessionEndedError):
        analytics.by_user(None, days=7, zone=UTC)  # type: ignore[arg-type]


def record(world: World, at: datetime, **data) -> str:
    """Store an answer's event and return its id."""
    event = Event(
        id=new_id(), user_id=world.owner, kind=ANSWER, at=at, data={"model": "a:x", "state": "complete"} | data
    )
    world.services.store.events.append(event)
    return event.id


def test_only_what_is_new_is_read_again(world: World, monkeypatch):
    """After the first look only recent events are read, late ones among them, and each counts once."""
    events = world.services.store.events
    log = AnswerLog(events)
    first = record(world, NOON)
    assert [one.id for one in log.of(world.owner)] == [first]
    asked: list[datetime | None] = []
    read = events.records

    def watched(*args, since=None, **kwargs):
        asked.append(since)
        return read(*args, since=since, **kwargs)

    monkeypatch.setattr(events, "records", watched)
    late = record(world, NOON - timedelta(seconds=30))
    assert [one.id for one in log.of(world.owner)] == [late, first]
    assert asked == [NOON - timedelta(minutes=2)]
    log.forget(world.owner)
    assert len(log.of(world.owner)) == 2
    assert asked[-1] is None


def test_what_is_kept_of_others_is_dropped_first(world: World):
    """The log holds a bounded number of answers over all users, and reads again what it dropped."""
    log = AnswerLog(world.services.store.events, max_answers=1)
    record(world, NOON)
    record(world, NOON)
    assert len(log.of(world.owner)) == 2
    assert log.of(stranger().user_id) == ()
    assert len(log.of(world.owner)) == 2


def test_events_from_before_these_fields_are_read(world: World):
    """An old event has no cost and no memories: offline it was free, elsewhere its price is unknown."""
    record(world, NOON, model="offline:assistant", input_tokens=5)
    record(world, NOON, model="openai:gpt-6-luna", input_tokens=5)
    total = world.services.analytics.report(world.owner, days=None, zone=UTC).total
    assert (total.answers, total.input_tokens, total.cost, total.unpriced) == (2, 10, 0.0, 1)


def test_the_download_is_safe_in_a_spreadsheet():
    """One line an answer, in the viewer's time; a model's name that looks like a formula is only text."""
    report = report_on(
        [answer(model='=HYPERLINK("http://x")', cost=None, duration_ms=1500.4), answer(failed=True)],
        Period.of(7, now=NOON, zone=ZoneInfo("Asia/Tokyo")),
    )
    lines = answers_csv(report).splitlines()
    assert lines[0].startswith("\ufefftime,model,outcome,")
    assert lines[1] == '2026-03-01 21:00:00+09:00,"\'=HYPERLINK(""http://x"")",answered,100,10,,,1.5,0'
    assert lines[2].split(",")[2] == "failed"


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("offline:assistant", "Offline assistant"),
        ("compatible:llama3.2:3b", "llama3.2:3b · OpenAI-compatible server"),
        ("gone:m", "m · gone"),
        ("unknown", "unknown"),
    ],
)
def test_models_have_names_for_people(model, name):
    """A recorded model is shown with its provider's name, also where the provider is no longer known."""
    assert model_name(model) == name


def test_small_numbers_are_not_rounded_to_nothing():
    """A cost is never shown as zero that is none, nor a share as all or nothing that is not."""
    assert [money(cost) for cost in (0, 0.0042, 0.00001, 1.5, 1234.5)] == [
        "$0.00",
        "$0.0042",
        "under $0.0001",
        "$1.50",
        "$1,234.50",
    ]
    assert [share(part) for part in (0, 0.001, 0.5, 0.999, 1)] == ["0%", "under 1%", "50%", "99%", "100%"]
