"""What can fail, live; the work that waits; what the doctor finds beside it."""

from __future__ import annotations

import streamlit as st

from optimus import doctor, health
from optimus.doctor import Check, Verdict
from optimus.health import Jobs
from optimus.ui.admin_store import draw_collections, draw_search
from optimus.ui.guard import PageContext, act, is_still
from optimus.ui.text import count, minute, plain

LIVE_S = 5
_MARKS = {
    Verdict.OK: ":green[:material/check_circle:]",
    Verdict.WARNING: ":orange[:material/warning:]",
    Verdict.PROBLEM: ":red[:material/error:]",
}
_ORDER = (Verdict.PROBLEM, Verdict.WARNING, Verdict.OK)
_JOB_NAMES = {"intent": "erasure", "job": "memory"}


def draw_health(context: PageContext) -> None:
    """Draw what is looked at every few seconds, then what one look at is enough."""
    _draw_live(context)
    st.subheader("Set-up", anchor=False)
    report = act(doctor.examine, context.services)
    if report is not None:
        live = act(health.look, context.services, context.principal) or ()
        _draw_checks([check for check in report.checks if check.name not in {each.name for each in live}])
    draw_collections(context)


def draw_damage(context: PageContext) -> None:
    """Say above every section what is missing of the store, or was repaired, until somebody calls it settled."""
    found = act(doctor.records, context.services.settings)
    if found is not None and found.verdict is not Verdict.OK:
        st.warning(f"**The store was damaged.** {plain(found.detail)} {found.fix}")


@st.fragment(run_every=LIVE_S)
def _draw_live(context: PageContext) -> None:
    """Look and draw; runs by itself, so it proves again who is looking."""
    if not is_still(context):
        return
    checks = act(health.look, context.services, context.principal)
    if checks is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(_summary(checks), width="content")
        st.caption(f":material/sensors: Live, every {LIVE_S} seconds", width="content")
    _draw_checks(checks)
    jobs = act(health.jobs, context.services, context.principal)
    if jobs is not None:
        _draw_jobs(jobs)
    _draw_backup(context)
    draw_search(context)


def _summary(checks: tuple[Check, ...]) -> str:
    problems = sum(check.verdict is Verdict.PROBLEM for check in checks)
    warnings = sum(check.verdict is Verdict.WARNING for check in checks)
    if problems:
        return f":red[**{count(problems, 'problem')}**] to repair"
    if warnings:
        return f"Everything works; {count(warnings, 'thing')} could be better"
    return ":green[**Everything works**]"


def _draw_checks(checks: tuple[Check, ...] | list[Check]) -> None:
    """Draw checks in one box, what needs repair first."""
    with st.container(border=True, gap="small"):
        for check in sorted(checks, key=lambda check: _ORDER.index(check.verdict)):
            name = f"{_MARKS[check.verdict]} **{plain(check.name.capitalize())}**"
            st.markdown(f"{name} :small[:gray[{plain(check.detail)}]]")
            if check.fix:
                st.caption(plain(check.fix))


def _draw_jobs(jobs: Jobs) -> None:
    st.subheader("Work in the background", anchor=False)
    if not jobs.states:
        st.caption("No work waiting.")
        return
    lines = [f"{count(state.count, _job_name(state.kind) + ' job')} {state.status}" for state in jobs.states]
    st.markdown(" · ".join(plain(line) for line in lines))
    for job in jobs.failures:
        when = f", {minute(job.at)}" if job.at else ""
        st.markdown(f"{_MARKS[Verdict.WARNING]} {plain(_job_name(job.kind).capitalize())} job failed{when}")


def _draw_backup(context: PageContext) -> None:
    """Draw how far a backup is, or the button that begins one; without a folder for them there is none."""
    st.subheader("Backup", anchor=False)
    job = context.services.backups.job()
    if job is not None and not job.is_over:
        st.progress(job.share, text=f"Backing up: {job.done:,} of {job.total:,} records")
        return
    if job is not None and job.error:
        st.text(job.error)
    elif job is not None and job.path is not None:
        st.caption(f":material/check_circle: {plain(job.path.name)} is written and checked.")
    has_folder = context.services.settings.backup_dir is not None
    if not has_folder:
        st.caption("Set OPTIMUS_BACKUP_DIR to have backups made, or run: python -m optimus backup FILE")
    if st.button("Back up now", icon=":material/backup:", key="backup_now", disabled=not has_folder):
        act(context.services.backups.back_up_now, context.principal)
        st.rerun(scope="fragment")


def _job_name(kind: str) -> str:
    return _JOB_NAMES.get(kind, kind.replace("_", " "))
