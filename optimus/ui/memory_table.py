"""The memories of a page as a table with selection, and what can be done with the selected ones."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from optimus.downloads import Download
from optimus.memory_manager.views import MemoryView, Origin, Standing, origin_of
from optimus.models import Memory, MemoryId, UserId
from optimus.spreadsheets import memories_csv, memories_json
from optimus.ui import bridge
from optimus.ui.guard import PageContext, act, is_still
from optimus.ui.tables import ROW_HEIGHT, table_height
from optimus.ui.text import STATUS_NAMES, TYPE_NAMES, count, viewer_zone

CONFIRMED_FROM = 21
"""So many are not deleted without a question."""
_ORIGIN_NAMES = {Origin.CHAT: "chat", Origin.HAND: "you wrote it", Origin.IMPORT: "imported"}
_DATE_WIDTH = 98
_ROWS = 9


def draw_table(memories: Sequence[Memory]) -> list[MemoryId]:
    """Draw a page of memories and return the selected ones.

    The table is another one as soon as it holds other memories: a selection never moves to a neighbour.
    """
    shown = hashlib.sha256("".join(memory.id for memory in memories).encode()).hexdigest()[:16]
    event = st.dataframe(
        [_row(memory) for memory in memories],
        key=f"memories_{shown}",
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        row_height=ROW_HEIGHT,
        height=table_height(len(memories), most=_ROWS),
        column_config={
            "Memory": st.column_config.TextColumn(width=285),
            "Kind": st.column_config.TextColumn(width=85),
            "Said on": _dates(),
            "Last used": _dates("When it last went into an answer"),
            "Source": st.column_config.TextColumn(width=104),
            "Status": st.column_config.TextColumn(width=80),
        },
        placeholder="–",
        alt="Memories with kind, date, last use and source",
    )
    rows = event["selection"]["rows"]
    return [memories[row].id for row in rows if row < len(memories)]


def draw_actions(context: PageContext, view: MemoryView, chosen: Sequence[MemoryId], *, page: int, total: int) -> None:
    """Draw what can be done with the selected memories; a single one is deleted where its details stand.

    Args:
        context: Who acts.
        view: What is looked at.
        chosen: The selected ones.
        page: How many the page shows; if all of it is selected, the rest can be, too.
        total: How many the view has.
    """
    state = context.state
    is_all = state.memory_all == view and len(chosen) == page
    number = total if is_all else len(chosen)
    with st.container(horizontal=True, vertical_alignment="center", key="memory_actions"):
        st.markdown(f"**{number:,} selected**", width="content")
        if len(chosen) == page < total and not is_all and st.button(f"Select all {total:,}", key="select_all"):
            state.memory_all = view
            st.rerun()
        wanted = _wanted(context, view, chosen, is_all=is_all)
        if number > 1:
            _draw_change(context, view, wanted, number)
        for kind in _CONTENTS:
            if st.button(f"Export {number:,} as {kind}", icon=":material/download:", key=f"export_{kind}"):
                _export(context, wanted(), kind)


def forget(context: PageContext, ids: Sequence[MemoryId]) -> None:
    """Delete memories in one act and draw the page again."""
    _each(context, ids, context.services.library.forget, "deleted")


def restore(context: PageContext, ids: Sequence[MemoryId]) -> None:
    """Bring memories back and draw the page again."""
    _each(context, ids, context.services.library.restore, "brought back")


def draw_undo(context: PageContext) -> None:
    """Draw what was deleted last, with the way back; it stays there after a reload."""
    library, owner = context.services.library, context.principal.user_id
    last = library.last_deletion(owner)
    if last is None:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(f"{count(last.count, 'memory')} deleted.", width="content")
        is_undone = st.button("Undo", icon=":material/undo:", key="undo_forget", type="tertiary")
    if not is_undone:
        return
    bar = _Progress(last.count) if last.count >= CONFIRMED_FROM else None
    restored = act(library.undo_deletion, owner, last.at, progress=bar)
    if restored is not None:
        context.state.done = f"{count(restored, 'memory')} brought back"
        st.rerun()


def _draw_change(context: PageContext, view: MemoryView, wanted: Callable[[], Sequence[MemoryId]], number: int) -> None:
    if view.standing is Standing.DELETED:
        if st.button(f"Restore {number:,}", icon=":material/restore_from_trash:", key="restore_chosen"):
            restore(context, wanted())
    elif st.button(f"Delete {number:,}", icon=":material/delete:", key="delete_chosen"):
        _confirm(context, wanted()) if number >= CONFIRMED_FROM else forget(context, wanted())


def _dates(explained: str | None = None) -> ColumnConfig:
    zone = viewer_zone().key
    return st.column_config.DatetimeColumn(format="D MMM YYYY", timezone=zone, width=_DATE_WIDTH, help=explained)


def _row(memory: Memory) -> dict[str, Any]:
    text = " ".join(memory.text.split())
    return {
        "Memory": f"★ {text}" if memory.pinned else text,
        "Kind": TYPE_NAMES[memory.type],
        "Said on": memory.recorded_at,
        "Last used": memory.last_used_at,
        "Source": _ORIGIN_NAMES[origin_of(memory)],
        "Status": STATUS_NAMES[memory.status],
    }


def _wanted(
    context: PageContext, view: MemoryView, chosen: Sequence[MemoryId], *, is_all: bool
) -> Callable[[], Sequence[MemoryId]]:
    """Return how to get the selected ones: all of a view are looked up only when something is done with them."""
    if not is_all:
        return lambda: chosen
    return lambda: act(context.services.library.views.ids, context.principal.user_id, view) or ()


def _each(context: PageContext, ids: Sequence[MemoryId], action: Callable[..., int], done: str) -> None:
    bar = _Progress(len(ids)) if len(ids) >= CONFIRMED_FROM else None
    changed = act(action, context.principal.user_id, ids, progress=bar)
    if changed is not None:
        context.state.memory_all = None
        context.state.done = f"{count(changed, 'memory')} {done}"
        st.rerun()


class _Progress:
    """A bar that is told how many are done."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._bar = st.progress(0.0)

    def __call__(self, done: int) -> None:
        self._bar.progress(min(1.0, done / self._total), text=f"{done:,} of {self._total:,}")


@st.dialog("Delete these memories?")
def _confirm(context: PageContext, ids: Sequence[MemoryId]) -> None:
    st.write(
        f"{count(len(ids), 'memory')} will no longer be used. You can bring them back: at once with Undo, "
        "and later under Filters, Status, Deleted."
    )
    if st.button("Delete", type="primary", key="delete_confirmed") and is_still(context):
        forget(context, ids)


def _export(context: PageContext, ids: Sequence[MemoryId], kind: str) -> None:
    content, media_type = _CONTENTS[kind]
    library, owner = context.services.library, context.principal.user_id
    name = f"optimus-memories-{context.services.clock():%Y-%m-%d}.{kind.lower()}"
    made = partial(_made, content, library.export, owner, ids)
    file = Download(filename=name, media_type=media_type, chunks=made)
    bridge.download(context.services.downloads.offer(context.principal, file))


def _made(
    content: Callable[[Iterable[Memory]], Iterable[str]],
    read: Callable[[UserId, Sequence[MemoryId]], Iterable[Memory]],
    owner: UserId,
    ids: Sequence[MemoryId],
) -> Iterator[bytes]:
    return (text.encode() for text in content(read(owner, ids)))


_CONTENTS: dict[str, tuple[Callable[[Iterable[Memory]], Iterable[str]], str]] = {
    "CSV": (lambda memories: (memories_csv(memories),), "text/csv; charset=utf-8"),
    "JSON": (memories_json, "application/json"),
}
