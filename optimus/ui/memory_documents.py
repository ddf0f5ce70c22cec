"""Documents on the Memory page: add a file, see what is remembered of it, delete it as a whole."""

from __future__ import annotations

import streamlit as st

from optimus.memory_manager.documents import Document
from optimus.memory_manager.parts import MAX_FILE_BYTES, MEGABYTE, SUFFIXES
from optimus.ui.guard import PageContext, act
from optimus.ui.text import count, day, plain


def draw_documents(context: PageContext) -> None:
    """Draw the documents, and the way to add one."""
    with st.expander("Documents", icon=":material/description:", key="documents"):
        _draw_form(context)
        for document in act(context.services.documents.all, context.principal.user_id) or ():
            _draw_document(context, document)


def _draw_form(context: PageContext) -> None:
    st.caption(
        "Add a text, Markdown or PDF file. Answers can then draw on it, and name the page or the heading. It stays "
        "on this Optimus; of the file itself only the text is kept."
    )
    file = st.file_uploader(
        "Add a document",
        type=list(SUFFIXES),
        max_upload_size=MAX_FILE_BYTES // MEGABYTE,
        key=f"document_{context.state.added}",
    )
    if file is None or not st.button("Remember it", type="primary", icon=":material/add:", key="document_add"):
        return
    bar = st.progress(0.0, text="Reading…")

    def tell(done: int, total: int) -> None:
        bar.progress(done / total, text=f"Remembering… {done:,} of {count(total, 'part')}")

    added = act(context.services.documents.add, context.principal.user_id, file.name, file.getvalue(), progress=tell)
    bar.empty()
    if added:
        context.state.added += 1
        context.state.done = f"Remembered {plain(added.title)} in {count(added.kept, 'part')}"
        st.rerun()


def _draw_document(context: PageContext, document: Document) -> None:
    with st.container(
        border=True, horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key=document.id
    ):
        st.markdown(f"**{plain(document.title)}**  \n:small[:gray[{_facts(document)}]]", width="content")
        if st.button("Delete", icon=":material/delete:", key=f"forget_{document.id}", type="tertiary"):
            gone = act(context.services.documents.forget, context.principal.user_id, document.id)
            if gone is not None:
                context.state.done = f"Deleted {plain(document.title)}"
                st.rerun()


def _facts(document: Document) -> str:
    added = f"added {day(document.added_at)}"
    if document.kept == document.parts:
        return f"{count(document.parts, 'part')} · {added}"
    return f"{document.kept:,} of {count(document.parts, 'part')} remembered · {added} · add the file again for all"
