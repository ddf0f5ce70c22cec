"""Health: what is said twice, contradicts, or is of no more use, and what to do about it, each with a way back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import streamlit as st

from optimus.memory_manager.health import Checkup, Problem, Repair, RepairKind
from optimus.models import Memory, MemoryId
from optimus.ui.guard import PageContext, act, did, is_still
from optimus.ui.settings_memory import SETTINGS_PAGE
from optimus.ui.text import count, minute, plain
from optimus.upkeep import LookJob

_SHOWN = 5
"""Proposals of one kind at a time: the next ones come up as these are dealt with."""
_TITLES = {
    Problem.DUPLICATE: "Said more than once",
    Problem.CONTRADICTION: "Cannot both be true",
    Problem.LOOPED: "Comes back by itself",
    Problem.UNSURE: "Only guessed",
    Problem.STALE: "Out of date",
    Problem.UNUSED: "Never used",
}
_MEANING = {
    Problem.DUPLICATE: "Keep one of them, with everything that was said.",
    Problem.CONTRADICTION: "Keep what was said last; the other one counts as replaced.",
    Problem.LOOPED: "It only repeats what an answer said, or was deleted again and again. Delete it.",
    Problem.UNSURE: "It may not be what you meant. Delete it, unless it is right.",
    Problem.STALE: "Its day is over, or nobody spoke of it for a year. Put it away; it stays under Replaced.",
    Problem.UNUSED: "No answer needed it for three months. Put it away; it stays under Replaced.",
}
_VERBS = {
    RepairKind.MERGE: "Keep one",
    RepairKind.SUPERSEDE: "Keep the newer",
    RepairKind.ARCHIVE: "Put away",
    RepairKind.DELETE: "Delete",
}
_EVERY = timedelta(seconds=1)
_CHARS = 160


def draw_health(context: PageContext) -> None:
    """Draw, once it is opened, what the last look found, and what can be done about it."""
    box = st.expander("Health", icon=":material/health_and_safety:", key="health", on_change="rerun")
    if not box.open:
        return
    with box:
        st.caption(
            "Optimus looks for memories that are said twice, contradict each other, or are of no more use. It changes "
            "nothing before you say so, but for what your model found to be said again or over right after a chat. "
            "Everything can be undone."
        )
        job = context.services.upkeep.job(context.principal.user_id)
        if job is not None and not job.is_over:
            _watch(context, job)
            return
        if job is not None and job.error:
            st.error(job.error)
        answer = act(lambda: (context.services.health.last(context.principal.user_id),))
        if answer is None:
            return
        _draw_begin(context, answer[0])
        if answer[0] is not None:
            _draw_found(context, answer[0])


def _draw_begin(context: PageContext, last: Checkup | None) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        at = last.at if last else None
        label = "Look again" if at else "Look now"
        if st.button(label, icon=":material/search_check:", key="health_look"):
            context.services.upkeep.begin(context.principal.user_id)
            st.rerun()
        if last and at:
            st.caption(f"Last look: {minute(at)}, {count(last.memories, 'memory')}", width="content")
        st.page_link(SETTINGS_PAGE, label="How often", query_params={"section": "Memory"}, width="content")


@st.fragment(run_every=_EVERY)
def _watch(context: PageContext, job: LookJob) -> None:
    """Follow a look; once it has ended, draw the whole page again."""
    if job.is_over or not is_still(context):
        st.rerun()
    st.progress(job.share, text=f"Looking… {job.done:,} of {count(job.total, 'memory')}")
    if st.button("Cancel", key="health_cancel") and is_still(context):
        job.stop()
        job.wait(_EVERY.total_seconds())
        st.rerun()


def _draw_found(context: PageContext, last: Checkup) -> None:
    open_ones = [repair for repair in last.repairs if repair.made_at is None]
    made = [repair for repair in last.repairs if repair.made_at is not None and repair.before]
    if last.at and not open_ones:
        st.success("Nothing to mend." if not made else "Nothing more to mend.", icon=":material/check_circle:")
    by_problem = {problem: [each for each in open_ones if each.problem is problem] for problem in Problem}
    shown = [each for found in by_problem.values() for each in found[:_SHOWN]] + made[-_SHOWN:]
    known = act(context.services.health.texts, context.principal.user_id, shown) or {}
    for repairs in by_problem.values():
        if repairs:
            _draw_problem(context, last, repairs, known)
    if made:
        _draw_made(context, made, known)


def _draw_problem(
    context: PageContext, last: Checkup, repairs: Sequence[Repair], known: dict[MemoryId, Memory]
) -> None:
    problem, health = repairs[0].problem, context.services.health
    share = f"{last.counts.get(problem, 0):,} of {last.memories:,}, {last.rate(problem):.1%}"
    with st.container(border=True, key=f"health_{problem}"):
        st.markdown(f"**{_TITLES[problem]}** :small[:gray[{share}]]  \n{_MEANING[problem]}")
        for repair in repairs[:_SHOWN]:
            _draw_repair(context, repair, known)
        if len(repairs) > _SHOWN:
            st.caption(f"{len(repairs) - _SHOWN:,} more")
        if len(repairs) > 1:
            label = f"{_VERBS[repairs[0].kind]}: all {len(repairs):,}"
            if st.button(label, icon=":material/done_all:", key=f"make_all_{problem}"):
                _act(context, health.make, repairs, "mended")


def _draw_repair(context: PageContext, repair: Repair, known: dict[MemoryId, Memory]) -> None:
    texts = Counter(_short(known[key]) for key in repair.targets if key in known)
    lines = [f"- {text}" + (f" :small[:gray[× {number}]]" if number > 1 else "") for text, number in texts.items()]
    if repair.keep and repair.keep in known:
        lines.insert(0, f"- **{_short(known[repair.keep])}** :small[:gray[stays]]")
    st.markdown("\n".join(lines))
    with st.container(horizontal=True, gap="small"):
        if st.button(_VERBS[repair.kind], key=f"make_{repair.id}"):
            _act(context, context.services.health.make, [repair], "mended")
        if st.button("Leave it", key=f"ignore_{repair.id}", type="tertiary", help="Do not propose it again") and did(
            context.services.health.ignore, context.principal.user_id, [repair.id]
        ):
            st.rerun()


def _draw_made(context: PageContext, made: Sequence[Repair], known: dict[MemoryId, Memory]) -> None:
    health = context.services.health
    with st.container(border=True, key="health_made"):
        st.markdown("**Done**")
        for repair in reversed(made[-_SHOWN:]):
            texts = dict.fromkeys(_short(known[key]) for key in repair.targets if key in known)
            with st.container(horizontal=True, vertical_alignment="center"):
                by = " :small[:gray[by itself, after a chat]]" if repair.by else ""
                st.markdown(f"{_TITLES[repair.problem]}: {', '.join(texts)}{by}", width="stretch")
                if st.button("Undo", icon=":material/undo:", key=f"back_{repair.id}", type="tertiary"):
                    _act(context, health.take_back, [repair], "undone")
        if len(made) > 1 and st.button(f"Undo all {len(made):,}", icon=":material/undo:", key="back_all"):
            _act(context, health.take_back, made, "undone")


def _act(context: PageContext, action: Callable[..., int], repairs: Sequence[Repair], done: str) -> None:
    bar: Any = st.progress(0.0) if len(repairs) > _SHOWN else None

    def tell(number: int, total: int) -> None:
        if bar is not None:
            bar.progress(number / total, text=f"{number:,} of {total:,}")

    changed = act(action, context.principal.user_id, [repair.id for repair in repairs], progress=tell)
    if changed is not None:
        context.state.done = f"{changed:,} {done}"
        st.rerun()


def _short(memory: Memory) -> str:
    text = " ".join(memory.text.split())
    return plain(f"{text[:_CHARS]}…" if len(text) > _CHARS else text)
