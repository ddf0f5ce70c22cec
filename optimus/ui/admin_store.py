"""The store's collections: how large they are, and what quantization saves."""

from __future__ import annotations

import streamlit as st

from optimus.overview import CollectionState
from optimus.ui.guard import PageContext, act
from optimus.ui.tables import ROW_HEIGHT, table_height
from optimus.ui.text import plain

ENGINES = {
    "embedded": "embedded, in this process",
    "server": "a Qdrant server",
    "memory": "in memory: nothing survives a restart",
}
_KIB = 1024


def draw_collections(context: PageContext) -> None:
    """Draw a row for each collection, and the saving of all together."""
    collections = act(context.services.overview.collections, context.principal)
    if collections is None:
        return
    engine = context.services.store.engine
    st.subheader("Store", anchor=False)
    st.caption(f"Engine: {ENGINES[engine]}. {_saving(collections)}")
    st.dataframe(
        [_row(state) for state in collections],
        hide_index=True,
        row_height=ROW_HEIGHT,
        height=table_height(len(collections)),
        placeholder="–",
        column_config={
            "Records": st.column_config.NumberColumn(format="localized", width="small"),
            "Indexed": st.column_config.NumberColumn(
                format="localized",
                width="small",
                help="Vectors in the search graph. A small collection is searched without one, and just as exactly.",
            ),
            "Segments": st.column_config.NumberColumn(width="small"),
            "On disk": st.column_config.TextColumn(help="A server does not tell.", width="small"),
            "In RAM": st.column_config.TextColumn(
                help="Of the vectors once they are indexed, and of the originals where a setting keeps them there.",
                width="small",
            ),
            "Unquantized": st.column_config.TextColumn(help="The same as 32-bit numbers.", width="small"),
            "Saved": st.column_config.NumberColumn(format="percent", width="small"),
        },
        alt="The store's collections with records, segments, indexed vectors, bytes and saving",
    )


def draw_search(context: PageContext) -> None:
    """Draw how far the memories are prepared for another search model, with Cancel, or the button that begins it."""
    reembedding = context.services.reembedding
    state = act(reembedding.state)
    if state is None or (state.is_whole and not state.is_running):
        return
    st.subheader("Search", anchor=False)
    if state.made_by == state.model:
        st.caption("Memories that were written while another search model was in use are found by their words alone.")
    else:
        st.caption(
            f"The search model changed from {plain(state.made_by)} to {plain(state.model)}. Until all memories are "
            "prepared for it, searches go by words alone. Everything else works as usual."
        )
    if state.is_running:
        st.progress(state.share, text=f"Preparing: {state.done:,} of {state.total:,} memories and messages")
        if st.button("Cancel", icon=":material/close:", key="search_cancel"):
            act(reembedding.cancel, context.principal)
            st.rerun(scope="fragment")
        return
    if state.error:
        st.text(state.error)
    elif state.is_cancelled:
        st.caption("This was cancelled. The memories are as they were.")
    if st.button("Prepare the memories", icon=":material/manage_search:", key="search_begin"):
        act(reembedding.begin, context.principal)
        st.rerun(scope="fragment")


def _row(state: CollectionState) -> dict[str, str | int | float | None]:
    return {
        "Collection": state.name.replace("_", " "),
        "Records": state.points,
        "Indexed": state.indexed_vectors if state.has_vectors else None,
        "Segments": state.segments,
        "On disk": size(state.disk_bytes),
        "In RAM": size(state.ram_bytes) if state.has_vectors else None,
        "Unquantized": size(state.original_bytes) if state.has_vectors else None,
        "Saved": state.saving,
        "Quantization": state.quantization,
    }


def _saving(collections: tuple[CollectionState, ...]) -> str:
    held = [(state.original_bytes, state.quantized_bytes) for state in collections if state.quantized_bytes is not None]
    original, quantized = sum(pair[0] for pair in held), sum(pair[1] for pair in held)
    if not original:
        return "There are no vectors yet."
    if any(state.has_originals_in_ram for state in collections):
        return f"Quantized vectors take {size(quantized)} of RAM, and their originals {size(original)} as well."
    share = 1 - quantized / original
    return f"Quantized vectors take {size(quantized)} of RAM instead of {size(original)}: {share:.0%} saved."


def size(number: float | None) -> str | None:
    """Return bytes in words: `12 KB`, `3.4 MB`; None where they are not known."""
    if number is None:
        return None
    units = ("B", "KB", "MB", "GB", "TB")
    power = 0
    while number >= _KIB and power < len(units) - 1:
        number, power = number / _KIB, power + 1
    return f"{number:.0f} {units[power]}" if number >= 10 or not power else f"{number:.1f} {units[power]}"  # noqa: PLR2004
