"""Limits of a minute: never exceeded in any 60 seconds, and what they say of the wait is true."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from threading import Event
from time import perf_counter

import pytest
from hypothesis import given as assuming
from hypothesis import settings
from hypothesis import strategies as st

from optimus.allowance import Allowance
from optimus.costs import Asked
from optimus.errors import GenerationBusyError, LimitReachedError
from optimus.haste import MAX_SPELLS, MINUTE_US
from optimus.llm_handler.requests import GenerationResult
from optimus.models import MessageState, UserId, new_id
from optimus.storage.jobs import JobState
from optimus.storage.records import DailyUse, Spell
from optimus.system_settings import SystemSettings
from tests.fakes.providers import running_provider
from tests.unit.privacy.support import newcomer
from tests.unit.test_allowance import allowance_of, ended, given, limit
from tests.world import HandClock, World

OWNER = UserId(new_id())
FAILED = GenerationResult(text="", state=MessageState.FAILED)


@pytest.fixture(autouse=True)
def _nothing_is_answered(monkeypatch):
    """Room for answers is tested with the limits of a day; here the tokens of messages are to be told apart."""
    monkeypatch.setattr("optimus.costs.EXPECTED_ANSWER", 0)


@dataclass
class OneAccount:
    """Keeps one account's counts as the store does: by day, over the version that was read."""

    use: DailyUse = field(default_factory=lambda: DailyUse(user_id=OWNER, day=datetime(2026, 3, 1, tzinfo=UTC).date()))

    def daily_use(self, _owner, day) -> DailyUse:
        """Return the count, a fresh one on another day."""
        return self.use if self.use.day == day else DailyUse(user_id=OWNER, day=day, recent=self.use.recent)

    def save_daily_use(self, use: DailyUse) -> bool:
        """Keep the count."""
        self.use = use
        return True


def counter_of(clock: HandClock, **limits: int | None) -> tuple[Allowance, OneAccount]:
    """Return a counter over one account, and the account."""
    account, chosen = OneAccount(), SystemSettings.model_validate(limits)
    return Allowance(accounts=account, limits=lambda: chosen, clock=clock), account  # type: ignore[arg-type]


def tried(counter: Allowance, tokens: int) -> tuple[Asked | None, LimitReachedError | None]:
    """Return what was counted of a message, or why it was refused."""
    try:
        return counter.take(OWNER, given(tokens)), None
    except LimitReachedError as refusal:
        return None, refusal


STEPS = st.lists(st.tuples(st.integers(0, 25_000), st.integers(1, 60), st.sampled_from(["keep", "fail"])), max_size=25)


@settings(max_examples=40, deadline=None)
@assuming(steps=STEPS)
def test_no_minute_gets_more_and_the_wait_is_true(steps):
    """Whatever is sent when, no 60 seconds hold more than the limits, and whoever waits as told gets through."""
    clock = HandClock()
    counter, _ = counter_of(clock, messages_per_minute=5, tokens_per_minute=100)
    sent: list[tuple[int, int]] = []
    for pause_ms, tokens, end in steps:
        clock.now += timedelta(milliseconds=pause_ms)
        taken, refusal = tried(counter, tokens)
        if refusal is not None:
            assert refusal.until
            assert timedelta() < refusal.until - clock.now <= timedelta(microseconds=MINUTE_US)
            clock.now = refusal.until
            taken = counter.take(OWNER, given(tokens))
        assert taken
        if end == "fail":
            counter.settle(OWNER, taken, FAILED)
        sent.append((taken.at, 0 if end == "fail" else tokens))
        within = [each for at, each in sent if taken.at - at < MINUTE_US]
        assert len(within) <= 5
        assert sum(within) <= 100


def test_too_many_messages_in_a_minute_are_refused_with_the_seconds(world):
    """The sentence says in how many; nothing is stored; one second earlier is refused, then it gets through."""
    limit(world, messages_per_minute=2)
    conversation, _, _ = world.say("one")
    began = world.clock.now
    world.clock.now = began + timedelta(seconds=20)
    world.say("two", conversation=conversation)
    world.clock.now = began + timedelta(seconds=47)
    with pytest.raises(LimitReachedError) as caught:
        world.say("three", conversation=conversation)
    assert caught.value.user_message == "The limit of 2 messages a minute is reached. Try again in 13 seconds."
    assert len(world.services.chat.messages(world.owner, conversation.id)) == 4
    world.clock.now = began + timedelta(seconds=58)
    with pytest.raises(LimitReachedError, match="minute"):
        world.say("three", conversation=conversation)
    world.clock.now = began + timedelta(seconds=60)
    world.say("three", conversation=conversation)


def test_thirty_a_minute_unless_an_admin_says_otherwise(world):
    """So it is where nobody chose, also in a store from before; no limit can be chosen, and others notice nothing."""
    counter = allowance_of(world)
    for _ in range(30):
        counter.take(world.owner, given(1))
    with pytest.raises(LimitReachedError, match="minute"):
        counter.take(world.owner, given(1))
    counter.take(newcomer(world.services, "bob").user_id, given(1))
    limit(world, messages_per_minute=None)
    for _ in range(50):
        counter.take(world.owner, given(1))


def test_tokens_of_a_minute_are_estimated_corrected_and_looked_for(world):
    """Answers, what looks for memories and what an answer took beyond its estimate count; the offline one goes on."""
    limit(world, tokens_per_minute=100)
    counter = allowance_of(world)
    taken = counter.take(world.owner, given(60))
    with pytest.raises(LimitReachedError, match="minute") as caught:
        counter.take(world.owner, given(60))
    assert caught.value.user_message == "The limit of 100 tokens a minute is reached. Try again in 60 seconds."
    counter.settle(world.owner, taken, ended(90))
    counter.require(world.owner)
    counter.add(world.owner, 10, None)
    with pytest.raises(LimitReachedError) as refused:
        counter.require(world.owner)
    assert refused.value.until
    assert refused.value.until - world.clock.now <= timedelta(microseconds=MINUTE_US)
    world.say("still answered")


def test_what_never_fits_is_told_without_a_wait(world):
    """Waiting would not help: the sentence says what does."""
    limit(world, tokens_per_minute=100)
    with pytest.raises(LimitReachedError) as caught:
        allowance_of(world).take(world.owner, given(250))
    assert caught.value.user_message == (
        "The limit of 100 tokens a minute is less than this takes, about 250. Shorten it, or begin a new chat."
    )
    assert caught.value.until is None


@pytest.mark.parametrize(("result", "left"), [(FAILED, 0), (ended(10), 10), (ended(60), 60), (ended(95), 95)])
def test_what_is_given_back_is_what_was_taken(result, left):
    """Of several answers at one moment each gives back its own; what is over a minute old gives nothing back."""
    clock = HandClock()
    counter, account = counter_of(clock, messages_per_minute=None)
    others = [counter.take(OWNER, given(tokens)) for tokens in (5, 7)]
    taken = counter.take(OWNER, given(60))
    counter.settle(OWNER, taken, result)
    assert sum(spell.tokens for spell in account.use.recent) == account.use.tokens == left + 12
    assert sum(spell.messages for spell in account.use.recent) == 3
    clock.now += timedelta(minutes=2)
    counter.take(OWNER, given(40))
    counter.settle(OWNER, others[0], FAILED)
    assert sum(spell.tokens for spell in account.use.recent) == 40


def test_midnight_begins_no_new_minute(world):
    """The day's count begins anew, the minute's goes on, in the store as well; an answer's moment is found again."""
    limit(world, messages_per_minute=1, messages_per_day=1)
    counter = allowance_of(world)
    world.clock.now = datetime(2026, 3, 1, 23, 59, 50, 123_457, tzinfo=UTC)
    taken = counter.take(world.owner, given(60))
    counter.settle(world.owner, taken, FAILED)
    assert counter.used(world.owner).recent == (Spell(taken.at, 1, 0),)
    world.clock.now += timedelta(seconds=20)
    with pytest.raises(LimitReachedError, match="minute"):
        counter.take(world.owner, given(1))
    world.clock.now += timedelta(seconds=40)
    counter.take(world.owner, given(1))
    assert counter.used(world.owner).messages == 1


def test_what_is_kept_of_a_minute_is_bounded():
    """Beyond the bound moments are told apart no more, and none is lost."""
    clock = HandClock()
    counter, account = counter_of(clock, messages_per_minute=None)
    for _ in range(MAX_SPELLS + 100):
        counter.take(OWNER, given(2))
    recent = account.use.recent
    assert len(recent) == MAX_SPELLS
    assert sum(spell.messages for spell in recent) == MAX_SPELLS + 100
    assert all(one.at <= other.at for one, other in pairwise(recent))


def test_looking_for_memories_waits_for_the_minute(world):
    """A message that a model is to look through is looked through when the minute has room, and lost never."""
    with running_provider() as provider:
        connections = world.services.connections
        connections.connect(world.principal, provider="compatible", base_url=f"{provider.url}/v1", key="")
        choice = connections.newest(world.owner, "compatible")
        _, message, _ = world.say("I moved house and the neighbours are kind", choice=choice)
        limit(world, tokens_per_minute=1)
        extraction = world.services.extraction
        world.clock.now += timedelta(minutes=6)
        allowance_of(world).add(world.owner, 5, None)
        assert extraction.looks(world.owner, [message.id])[message.id].status in (JobState.WAITING, JobState.RETRY)


@pytest.mark.deep
def test_one_user_at_a_hundred_times_the_limit_keeps_nobody_out(world, capsys):
    """One user sends 50 messages a second, and 30 a minute get through: all of another user's do. Times are printed."""
    hasty, calm = world.owner, newcomer(world.services, "calm")
    beside = World(services=world.services, clock=world.clock, owner=calm.user_id, principal=calm)
    limit(world, messages_per_minute=30)
    over, at_it, counts = Event(), Event(), Counter[str]()

    def send_on() -> None:
        while not over.wait(0.02):
            if at_it.is_set():
                counts["sent"] += 1
                try:
                    world.services.chat.send(hasty, "more", conversation_id=None, choice=world.offline())
                except (LimitReachedError, GenerationBusyError) as refusal:
                    counts[type(refusal).__name__] += 1

    def time_of(number: int) -> float:
        started = perf_counter()
        assert beside.say(f"message {number}")[2].state is MessageState.COMPLETE
        return (perf_counter() - started) * 1000

    time_of(0)
    found: dict[str, list[float]] = {"alone": [], "beside refusals": []}
    with ThreadPoolExecutor(1) as threads:
        sending = threads.submit(send_on)
        at_it.set()
        found["while 30 get through"] = [time_of(number) for number in range(6)]
        while counts["LimitReachedError"] == 0 and not sending.done():
            over.wait(0.02)
        for number in range(22):
            (at_it.set if number % 2 else at_it.clear)()
            found["beside refusals" if number % 2 else "alone"].append(time_of(number))
        over.set()
        sending.result()
    assert allowance_of(world).used(hasty).messages == 30
    assert counts["LimitReachedError"] == counts["sent"] - 30 > 0
    with capsys.disabled():
        for label, times in found.items():
            each = sorted(times)
            print(f"\n{label}: p50 {each[len(each) // 2]:.1f} ms, longest {each[-1]:.1f} ms", end="")  # noqa: T201
