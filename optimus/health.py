"""How Optimus is at this moment: cheap enough to be asked every few seconds, and each finding with its way out."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from time import perf_counter

from optimus.auth.permissions import Action, authorize
from optimus.doctor import MIN_FREE_BYTES, Check, Verdict, look_at_backups, look_at_search, records
from optimus.errors import OptimusError
from optimus.llm_handler.catalogue import CATALOGUE
from optimus.llm_handler.requests import OFFLINE_MODEL, ModelRef
from optimus.models import MessageState, Principal, Value
from optimus.services import Services
from optimus.storage.work import FAILED, FailedJob, JobState
from optimus.usage import ANSWER

LATE_SYNC_S = 5.0
"""Writes are synced within a second; from here on something is wrong."""
SLOW_MS = 250.0
LOOKED_AT = 50
"""How many of the last answers tell how the providers are."""
RECENT = timedelta(hours=1)
FAILING_SHARE = 0.5
SHOWN_FAILURES = 5


class Jobs(Value):
    """The work that waits, runs or failed."""

    states: tuple[JobState, ...]
    failures: tuple[FailedJob, ...]
    """The last ones."""


def look(opened: Services, principal: Principal) -> tuple[Check, ...]:
    """Return how store, disk, embedder, providers and jobs are; what cannot be asked is a problem itself.

    Raises:
        PermissionDeniedError: the principal may not manage the system.
    """
    authorize(principal, Action.MANAGE_SYSTEM)
    looks: dict[str, Callable[[Services], Check]] = {
        "store": _look_at_store,
        "saving to disk": _look_at_durability,
        "embedder": _look_at_embedder,
        "providers": _look_at_providers,
        "jobs": _look_at_jobs,
        "backups": look_at_backups,
        "search": look_at_search,
        "disk": _look_at_disk,
        "records": lambda opened: records(opened.settings),
    }
    return tuple(_safely(name, partial(look_at, opened)) for name, look_at in looks.items())


def jobs(opened: Services, principal: Principal) -> Jobs:
    """Return the work that is not finished, and what failed last.

    Raises:
        PermissionDeniedError: the principal may not manage the system.
        StoreError: the store does not answer.
    """
    authorize(principal, Action.MANAGE_SYSTEM)
    work = opened.store.work
    return Jobs(states=work.job_states(), failures=tuple(work.failed_jobs(limit=SHOWN_FAILURES)))


def _look_at_store(opened: Services) -> Check:
    link = opened.store.link
    if link is not None and link.is_away:
        detail = f"the Qdrant server is away; calls fail at once (breaker {link.breaker.state})"
        return _problem("store", detail, "Start the server again. It is found by itself within seconds.")
    if broken := opened.store.broken():
        fix = "Nothing more is written to it. Stop Optimus and run `python -m optimus doctor`."
        return _problem("store", f"damaged: {', '.join(broken)}", fix)
    started = perf_counter()
    opened.store.client.get_collections()
    points = opened.store.client.get_collection(opened.store.names.memories).points_count or 0
    took = (perf_counter() - started) * 1000
    quick = f"{took:.0f} ms" if took >= 1 else "less than 1 ms"
    breaker = f"; breaker {link.breaker.state}" if link else ""
    detail = f"answers in {quick}; {points:,} memories and messages{breaker}"
    if took > SLOW_MS:
        return _warning("store", detail, "The store is slow: look for other work on its machine.")
    return _fine("store", detail)


def _look_at_durability(opened: Services) -> Check:
    commit = opened.store.commit
    if commit is None:
        is_server = opened.store.engine == "server"
        detail = "the server does it by itself" if is_server else "in memory: nothing survives a restart"
        return _fine("saving to disk", detail)
    lag = commit.lag_s()
    if lag > LATE_SYNC_S:
        fix = "The disk refuses or is very slow. Make room, check it, then restart Optimus."
        return _problem("saving to disk", f"the oldest write has waited {lag:.0f} s", fix)
    ago = commit.synced_ago_s()
    last = "nothing to save yet" if ago is None else f"last saved {_ago(ago)} ago"
    return _fine("saving to disk", f"{last}, {'nothing waits' if not lag else f'a write waits {lag:.1f} s'}")


def _look_at_embedder(opened: Services) -> Check:
    started = perf_counter()
    opened.embedder.embed([f"how are you at {opened.clock().isoformat()}"])
    took = (perf_counter() - started) * 1000
    detail = f"{opened.embedder.name}, {took:.0f} ms a text"
    return _fine("embedder", detail)


def _look_at_providers(opened: Services) -> Check:
    """Judge by the last answers, since asking the providers themselves every few seconds would cost."""
    shared = sorted({c.provider_title for c in opened.models.choices() if c.ref != OFFLINE_MODEL})
    known = f"for everybody: {', '.join(shared)}" if shared else "for everybody: the offline assistant only"
    resting = opened.models.breakers.resting()
    if resting:
        named = ", ".join(sorted({_title(each.provider) for each in resting}))
        own = sum(each.connection_id is not None for each in resting)
        whose = f" ({own} of them over people's own connections)" if own else ""
        detail = f"not answering, left alone for seconds at a time: {named}{whose}"
        return _warning("providers", detail, "They are tried again by themselves. Look at key, quota and address.")
    total, failed = _recent_answers(opened)
    failing = [key for key in failed if failed[key] / total[key] >= FAILING_SHARE]
    if not failing:
        lately = f"; failed answers lately: {failed.total()} of {total.total()}" if total else ""
        return _fine("providers", known + lately)
    named = ", ".join(f"{_title(key)}: {failed[key]} of {total[key]} answers failed" for key in sorted(failing))
    return _warning("providers", named, "Test the connection in the settings: key, quota, address.")


def _recent_answers(opened: Services) -> tuple[Counter[str], Counter[str]]:
    """Return how many of the last answers each provider gave, and how many of those failed."""
    total: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for event in opened.store.events.latest(ANSWER, limit=LOOKED_AT):
        model = str(event.data.get("model") or "")
        if ":" in model and opened.clock() - event.at <= RECENT:
            provider = ModelRef.parse(model).provider
            total[provider] += 1
            failed[provider] += event.data.get("state") == MessageState.FAILED.value
    return total, +failed


def _look_at_jobs(opened: Services) -> Check:
    states = opened.store.work.job_states()
    failed = sum(state.count for state in states if state.status == FAILED)
    waiting = sum(state.count for state in states) - failed
    if failed:
        return _warning("jobs", f"{failed} failed, {waiting} waiting", "See what failed below, then restart.")
    return _fine("jobs", f"{waiting:,} not finished" if waiting else "no work waiting")


def _look_at_disk(opened: Services) -> Check:
    usage = shutil.disk_usage(opened.settings.data_dir)
    detail = f"{usage.free / 1024**3:.1f} GB of {usage.total / 1024**3:.1f} GB free"
    space = opened.store.space
    if space is not None and space.is_short:
        fix = "Make room: until then nothing new is kept, and reads go on. It resumes by itself."
        return _problem("disk", f"{detail}; saving is refused below {opened.settings.min_free_mb:,} MB", fix)
    if usage.free < MIN_FREE_BYTES:
        return _problem("disk", detail, "Make room, or move the data folder.")
    return _fine("disk", detail)


def _safely(name: str, look: Callable[[], Check]) -> Check:
    try:
        return look()
    except (OptimusError, OSError) as error:
        fix = error.user_message if isinstance(error, OptimusError) else "Check the data folder and its disk."
        return _problem(name, f"cannot be asked: {type(error).__name__}", fix)


def _fine(name: str, detail: str) -> Check:
    return Check(name=name, verdict=Verdict.OK, detail=detail)


def _warning(name: str, detail: str, fix: str) -> Check:
    return Check(name=name, verdict=Verdict.WARNING, detail=detail, fix=fix)


def _problem(name: str, detail: str, fix: str) -> Check:
    return Check(name=name, verdict=Verdict.PROBLEM, detail=detail, fix=fix)


def _title(provider: str) -> str:
    return CATALOGUE.get(provider).title if provider in CATALOGUE else provider


def _ago(seconds: float) -> str:
    minutes, left = divmod(round(seconds), 60)
    return f"{left} s" if not minutes else f"{minutes} min" if minutes < 60 else f"{minutes // 60} h"  # noqa: PLR2004
