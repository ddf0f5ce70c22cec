"""The audit log: who did what to which account, whether the log is whole, and a copy for a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta

import streamlit as st

from optimus.audit import AuditAction, AuditFilter, AuditReport, NamedEntry
from optimus.downloads import Download
from optimus.models import UserId
from optimus.spreadsheets import to_csv
from optimus.ui import bridge
from optimus.ui.audit_words import GROUPS, details_of, title_of
from optimus.ui.guard import PageContext, act
from optimus.ui.tables import ROW_HEIGHT, table_height
from optimus.ui.text import count, viewer_zone

PAGE_SIZE = 100
ANYTHING, ANYBODY = "Everything", "Everybody"
_ANY = UserId("")
NOBODY, GONE = "nobody", "deleted account"
_CSV_HEADER = (
    "number",
    "time",
    "action",
    "what",
    "by",
    "by id",
    "user",
    "user id",
    "item id",
    "network",
    "browser",
    "details",
)


def draw_log(context: PageContext) -> None:
    """Draw the newest entries that match what is chosen above them, page by page."""
    where = _draw_filters(context)
    with st.container(horizontal=True, vertical_alignment="center"):
        is_checking = st.button("Check the log", icon=":material/verified_user:", key="log_check")
        is_exporting = st.button("Export as CSV", icon=":material/table:", key="log_export")
    if is_checking:
        _check(context)
    if is_exporting:
        _export(context, where)
    _draw_page(context, where)


def _draw_filters(context: PageContext) -> AuditFilter:
    accounts = act(context.services.auth.people.all, context.principal) or []
    names = {info.user.id: info.user.username for info in accounts}
    with st.container(horizontal=True):
        group = st.selectbox("What", ["", *GROUPS], format_func=lambda key: GROUPS.get(key, ANYTHING), key="log_group")
        about = st.selectbox("Who", [_ANY, *names], format_func=lambda key: names.get(key, ANYBODY), key="log_user")
        since: date | None = st.date_input("From", None, format="YYYY-MM-DD", key="log_since")
        until: date | None = st.date_input("To", None, format="YYYY-MM-DD", key="log_until")
    actions = frozenset(action.value for action in AuditAction if action.group == group)
    return AuditFilter(
        actions=actions if group else None,
        about=about or None,
        since=_midnight(since) if since else None,
        until=_midnight(until + timedelta(days=1)) if until else None,
    )


def _draw_page(context: PageContext, where: AuditFilter) -> None:
    log, principal = context.services.audit, context.principal
    place = st.container()
    page = act(log.entries, principal, where, limit=PAGE_SIZE)
    if page is None:
        return
    if not page.total:
        place.info("Nothing like this has happened. Choose something else above.", icon=":material/inbox:")
        return
    pages = -(-page.total // PAGE_SIZE)
    number = st.pagination(pages, key=f"log_page_{hash(where)}") if pages > 1 else 1
    if number > 1:
        page = act(log.entries, principal, where, limit=PAGE_SIZE, offset=(number - 1) * PAGE_SIZE) or page
    with place:
        _draw_entries(page.items)
    st.caption(f"{count(page.total, 'entry')}. What was written, passwords and addresses are not recorded.")


def _draw_entries(entries: Iterable[NamedEntry]) -> None:
    rows = [
        {
            "When": named.entry.at,
            "What": title_of(named.entry.action),
            "By": _who(named.actor),
            "User": None if named.subject is None else named.subject or GONE,
            "Details": details_of(named.entry) or None,
            "Number": named.entry.seq,
        }
        for named in entries
    ]
    st.dataframe(
        rows,
        hide_index=True,
        row_height=ROW_HEIGHT,
        height=table_height(len(rows)),
        placeholder="",
        column_config={
            "When": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm:ss", timezone=viewer_zone().key),
            "Details": st.column_config.TextColumn(width=190),
            "Number": st.column_config.NumberColumn(width=70, format="%d"),
        },
        alt="The audit log, the newest entry first",
    )


def _check(context: PageContext) -> None:
    with st.spinner("Checking…"):
        report: AuditReport | None = act(context.services.audit.check, context.principal)
    if report is None:
        return
    if report.is_whole:
        st.success(report.sentence, icon=":material/check_circle:")
    else:
        st.error(report.sentence, icon=":material/error:")


def _export(context: PageContext, where: AuditFilter) -> None:
    with st.spinner("Collecting…"):
        entries = act(context.services.audit.export, context.principal, where)
    if entries is None:
        return
    name = f"optimus-audit-{context.services.clock():%Y-%m-%d}.csv"
    file = Download(filename=name, media_type="text/csv", chunks=lambda: [log_csv(entries).encode()])
    bridge.download(context.services.downloads.offer(context.principal, file))
    st.success(f"{count(len(entries), 'entry')} exported.", icon=":material/download:")


def log_csv(entries: Iterable[NamedEntry]) -> str:
    """Return one line for each entry: numbers, names and ids."""
    return to_csv(_CSV_HEADER, (_csv_row(named) for named in entries))


def _csv_row(named: NamedEntry) -> tuple[str | int | None, ...]:
    entry = named.entry
    data = dict(entry.data)
    network, browser = (str(data.pop(name, "") or "") for name in ("network", "browser"))
    details = "; ".join(f"{key}={value}" for key, value in data.items())
    who = (_who(named.actor), entry.actor, named.subject, entry.subject, entry.item)
    when = entry.at.isoformat(timespec="milliseconds")
    return (entry.seq, when, entry.action, title_of(entry.action), *who, network, browser, details)


def _who(name: str | None) -> str:
    return NOBODY if name is None else name or GONE


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), viewer_zone())
