"""The doctor's checks, live, and the store's collections."""

from __future__ import annotations

import streamlit as st

from optimus import doctor
from optimus.doctor import Check, Report, Verdict
from optimus.ui.guard import PageContext, act
from optimus.ui.tables import ROW_HEIGHT, table_height
from optimus.ui.text import count, plain

ENGINES = {
    "embedded": "embedded, in this process",
    "server": "a Qdrant server",
    "memory": "in memory: nothing survives a restart",
}
_MARKS = {
    Verdict.OK: ":green[:material/check_circle:]",
    Verdict.WARNING: ":orange[:material/warning:]",
    Verdict.PROBLEM: ":red[:material/error:]",
}


def draw_health(context: PageContext) -> None:
    """Examine everything now, and draw what came out, the problems first."""
    with st.spinner("Examining…"):
        report = act(doctor.examine, context.services)
    if report is not None:
        _draw_summary(report)
        for verdict in (Verdict.PROBLEM, Verdict.WARNING, Verdict.OK):
            _draw_checks([check for check in report.checks if check.verdict is verdict])
    _draw_collections(context)


def _draw_summary(report: Report) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        problems = sum(check.verdict is Verdict.PROBLEM for check in report.checks)
        warnings = sum(check.verdict is Verdict.WARNING for check in report.checks)
        if problems:
            st.markdown(f":red[**{count(problems, 'problem')}**] to repair", width="content")
        elif warnings:
            st.markdown(f"Everything works; {count(warnings, 'thing')} could be better", width="content")
        else:
            st.markdown(":green[**Everything works**]", width="content")
        st.button("Look again", icon=":material/refresh:", key="health_again", type="tertiary")


def _draw_checks(checks: list[Check]) -> None:
    """Draw the checks that came out alike, in one box."""
    if not checks:
        return
    with st.container(border=True, gap="small"):
        for check in checks:
            name = f"{_MARKS[check.verdict]} **{plain(check.name.capitalize())}**"
            st.markdown(f"{name} :small[:gray[{plain(check.detail)}]]")
            if check.fix:
                st.text(check.fix)


def _draw_collections(context: PageContext) -> None:
    collections = act(context.services.overview.collections, context.principal)
    if collections is None:
        return
    st.subheader("Store")
    st.caption(f"Engine: {ENGINES[context.services.store.engine]}")
    rows = [
        {
            "Collection": state.name.replace("_", " "),
            "Records": state.points,
            "Segments": state.segments,
            "Indexed vectors": state.indexed_vectors if state.has_vectors else None,
        }
        for state in collections
    ]
    st.dataframe(
        rows,
        hide_index=True,
        row_height=ROW_HEIGHT,
        height=table_height(len(rows)),
        placeholder="no vectors",
        column_config={
            "Indexed vectors": st.column_config.NumberColumn(
                help="Vectors in the search graph. A small collection is searched without one, and just as exactly."
            )
        },
        alt="The store's collections with records, segments and indexed vectors",
    )
