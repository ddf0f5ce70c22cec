"""A clock that jumps a day ahead or back: nothing is corrupted, nobody waits a day, nothing ends too early for good."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from optimus.auth.limits import WINDOW
from optimus.auth.setup import CLAIM_S
from optimus.backups import BackupService
from optimus.errors import InvalidCredentialsError, LimitReachedError, PermissionDeniedError, TooManyAttemptsError
from optimus.keys import load_keys
from optimus.models import MemoryStatus, MessageRole
from optimus.settings import load_settings
from optimus.storage.audit_records import AuditAction
from optimus.storage.jobs import JobState
from optimus.upkeep import ROUND
from tests.fakes.providers import FakeProvider
from tests.unit.llm.test_extraction import entry
from tests.unit.privacy.support import NETWORK
from tests.unit.test_extraction import SAID, choice, finds, provider  # noqa: F401 - fixtures
from tests.world import PASSWORD, World

DAY = timedelta(days=1)
JUMPS = pytest.mark.parametrize("jump", [DAY, -DAY], ids=["ahead", "back"])


def sign_in(world: World, password: str = PASSWORD) -> str:
    """Sign in and return the token."""
    auth = world.services.auth
    ticket = auth.sign_in(username="ada", password=password, network=NETWORK, captcha=None, user_agent="test")
    return auth.open_session(ticket).token


@JUMPS
def test_sessions_last_through_a_jump(world: World, jump: timedelta):
    """Whoever was signed in before it gets in again, with a new session at the latest, and keeps the old one."""
    auth = world.services.auth
    before = sign_in(world)
    world.clock.now += jump
    during = sign_in(world)
    assert auth.principal(during)
    world.services.store.accounts.purge_expired()
    world.clock.now -= jump
    assert auth.principal(before)
    assert auth.principal(sign_in(world))


@JUMPS
def test_a_lockout_lasts_no_longer_for_a_jump(world: World, jump: timedelta):
    """Who failed too often waits as long as before, and never a day."""

    def fail() -> None:
        with pytest.raises((InvalidCredentialsError, TooManyAttemptsError)):
            sign_in(world, "wrong")

    for _ in range(9):
        fail()
        world.clock.now += timedelta(minutes=1, seconds=1)
    world.clock.now += jump
    assert sign_in(world)
    for _ in range(9):
        fail()
        world.clock.now += timedelta(minutes=1, seconds=1)
    world.clock.now -= jump
    for each in (timedelta(), WINDOW, jump):
        world.clock.now += each
        with world.services.auth._limiter.turn(subject := world.services.auth._limiter.subject("ada", NETWORK)):
            assert world.services.auth._limiter.wait_s(subject) <= WINDOW.total_seconds()


@JUMPS
def test_a_proof_of_the_password_counts_no_longer_for_a_jump(world: World, jump: timedelta):
    """After it the password is asked for again, and giving it is enough."""
    auth, person = world.services.auth, world.principal
    auth.proof.give(person, password=PASSWORD, network=NETWORK)
    world.clock.now += jump
    with pytest.raises(PermissionDeniedError):
        auth.proof.require(person)
    auth.proof.give(person, password=PASSWORD, network=NETWORK)
    auth.proof.require(person)


@JUMPS
def test_limits_of_the_minute_end_with_the_minute(world: World, jump: timedelta):
    """What was sent before the jump is no reason to refuse after it; a limit that is reached is one for a minute."""
    world.services.system.change(world.principal, messages_per_minute=2)
    for _ in range(2):
        for _ in range(2):
            world.say("Hello")
        with pytest.raises(LimitReachedError) as refused:
            world.say("Hello")
        assert refused.value.until
        assert refused.value.until - world.clock.now <= timedelta(minutes=1, seconds=1)
        world.clock.now += jump


@JUMPS
def test_a_day_that_is_used_up_is_one_day(world: World, jump: timedelta):
    """A new date begins a new count, whichever way it came."""
    world.services.system.change(world.principal, messages_per_day=1)
    world.say("Hello")
    with pytest.raises(LimitReachedError):
        world.say("Hello")
    world.clock.now += jump
    world.say("Hello")
    world.clock.now -= jump
    world.say("Hello")


@pytest.mark.parametrize("status", [JobState.WAITING, JobState.RETRY])
def test_a_job_from_before_the_clock_was_set_back_does_not_wait(
    world: World,
    provider: FakeProvider,  # noqa: F811 - fixtures
    choice,  # noqa: F811
    status: JobState,
):
    """What was queued or put off at a time to come is done at once."""
    finds(provider, entry("We got a beagle called Rufus", entities=["Rufus"]))
    world.clock.now += DAY
    _, message, _ = world.say(SAID, choice=choice)
    jobs = world.services.store.jobs
    job = jobs.of(world.owner, [message.id])[message.id]
    jobs.save(job.model_copy(update={"status": status, "at": job.at + timedelta(minutes=30)}))
    assert world.services.extraction.run_due() == 0
    world.clock.now -= DAY
    assert world.services.extraction.run_due() == 1
    assert jobs.of(world.owner, [message.id])[message.id].status is JobState.DONE
    assert world.services.extraction.run_due() == 0


@JUMPS
def test_a_chat_goes_on_in_its_order(world: World, jump: timedelta):
    """What is said after a jump stands at the end, and is answered there; so are another answer and another version."""
    conversation, _, _ = world.say("I live in Lisbon")
    world.clock.now += jump
    world.say("My sister is a nurse", conversation=conversation)
    chat = world.services.chat
    messages = chat.messages(world.owner, conversation.id)
    assert [m.text for m in messages if m.role is MessageRole.USER] == ["I live in Lisbon", "My sister is a nurse"]
    assert [m.role for m in messages] == [MessageRole.USER, MessageRole.ASSISTANT] * 2
    world.clock.now -= 3 * jump
    again = chat.retry(world.owner, messages[-1].id, choice=world.offline())
    assert (running := chat.generation(world.owner, conversation.id)) is None or running.wait(20)
    assert [m.id for m in chat.messages(world.owner, conversation.id)] == [*(m.id for m in messages[:-1]), again.id]
    world.clock.now += jump
    turn = chat.edit(world.owner, messages[2].id, "My brother is a nurse", choice=world.offline())
    assert (running := chat.generation(world.owner, conversation.id)) is None or running.wait(20)
    shown = [m.id for m in chat.messages(world.owner, conversation.id)]
    assert shown == [messages[0].id, messages[1].id, turn.message.id, turn.reply.id]


@JUMPS
def test_the_audit_log_keeps_its_order(world: World, jump: timedelta):
    """Records stand in the order in which they were made, whatever their times, and the chain is whole."""
    audit = world.services.store.audit
    made = [audit.record(AuditAction.EXPORT, actor=world.owner, item=f"{n}") for n in range(2)]
    world.clock.now += jump
    made += [audit.record(AuditAction.EXPORT, actor=world.owner, item=f"{n}") for n in range(2, 4)]
    world.clock.now -= jump
    made.append(audit.record(AuditAction.EXPORT, actor=world.owner, item="4"))
    assert [each.seq for each in audit.page(limit=5).items] == made[::-1]
    assert audit.verify().is_whole


def test_the_daily_round_is_made_and_empties_no_bin_too_early(world: World):
    """One made at a time to come puts none off; what is deleted stays at least as long as its owner chose."""
    services, owner = world.services, world.owner
    memory = services.memory.add(owner, "I like tea")
    services.memory.forget(owner, memory.id)
    services.preferences.choose_upkeep(owner, bin_days=30, checkup_days=None)
    world.clock.now += timedelta(days=29, minutes=1) + DAY
    assert services.upkeep.run_due()
    world.clock.now -= DAY
    assert services.memory.get(owner, memory.id).status is MemoryStatus.DELETED
    assert services.upkeep.run_due()
    assert not services.upkeep.run_due()
    world.clock.now += 2 * ROUND
    assert services.upkeep.run_due()
    assert services.store.memories.get(owner, [memory.id]) == []


def test_backups_go_on_and_the_one_just_made_stays(world: World, tmp_path: Path):
    """The next backup is due by the clock as it is, and is not the one to be cleared away for its early date."""
    daily = load_settings(data_dir=tmp_path, backup_dir=tmp_path / "backups", backup_every_hours=24, backup_keep=1)
    backups = BackupService(store=world.services.store, keys=load_keys(daily), settings=daily, clock=world.clock)
    world.clock.now += DAY
    assert backups.run_due()
    world.clock.now -= DAY
    job = backups.run_due()
    assert job
    assert job.path
    assert [path.name for path in (tmp_path / "backups").iterdir()] == [job.path.name]
    assert backups.run_due() is None


def test_a_claim_from_a_time_to_come_is_nobodys(world: World):
    """A process that died with the set-up's claim before the clock was set back keeps nobody out."""
    accounts = world.services.store.accounts
    world.clock.now += DAY
    assert accounts.claim_setup("dead", CLAIM_S)
    assert not accounts.claim_setup("other", CLAIM_S)
    world.clock.now -= DAY
    assert accounts.claim_setup("other", CLAIM_S)
    assert not accounts.claim_setup("third", CLAIM_S)
