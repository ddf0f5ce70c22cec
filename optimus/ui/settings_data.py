"""Settings: take one's data along, bring them in, and delete the account."""

from __future__ import annotations

from functools import partial

import streamlit as st

from optimus.downloads import Download
from optimus.privacy.archive import MAX_FILE_BYTES, MEGABYTE
from optimus.privacy.importing import ImportPreview, Tally
from optimus.privacy.jobs import ImportJob
from optimus.ui import bridge
from optimus.ui.guard import PageContext, act
from optimus.ui.proof import ask_password, is_proven
from optimus.ui.sign_in import client_network
from optimus.ui.state import leave
from optimus.ui.text import count, day, plain

LOOK_S = 0.25
"""How often a running import is looked at."""


def draw_data(context: PageContext) -> None:
    """Draw the three parts, the one that cannot be taken back last."""
    _draw_download(context)
    _draw_import(context)
    _draw_deletion(context)


def _draw_download(context: PageContext) -> None:
    with st.container(border=True):
        st.markdown("**Download my data**")
        st.caption(
            "One ZIP file with everything that Optimus holds about you: what is remembered with all earlier wordings, "
            "your chats, settings and figures, as JSON, as tables and to read. Passwords and keys are not in it."
        )
        password = ask_password(context, "data_proof")
        wanted = st.button("Download my data", icon=":material/download:", key="data_download")
        if wanted and is_proven(context, password):
            privacy, principal = context.services.privacy, context.principal
            file = Download(
                filename=privacy.export_name(),
                media_type="application/zip",
                chunks=partial(privacy.export, principal),
            )
            bridge.download(context.services.downloads.offer(principal, file))
            st.caption("Your browser is saving it. Keep it in a safe place: whoever has it can read everything.")


def _draw_import(context: PageContext) -> None:
    with st.container(border=True):
        st.markdown("**Import**")
        job = context.services.privacy.import_job(context.principal)
        if job:
            _draw_job(context, job)
            return
        st.caption(
            "Bring in a ZIP file that “Download my data” gave you, here or elsewhere. You see first what is in it."
        )
        file = st.file_uploader(
            "Export of Optimus",
            type="zip",
            max_upload_size=MAX_FILE_BYTES // MEGABYTE,
            key=f"data_import_{context.state.imports}",
        )
        if file is None:
            return
        preview = act(context.services.privacy.preview, context.principal, file.getvalue())
        if preview and _is_wanted(preview):
            begin = context.services.privacy.start_import
            if act(begin, context.principal, file.getvalue(), total=preview.total):
                context.state.imports += 1
                st.rerun()


def _is_wanted(preview: ImportPreview) -> bool:
    """Draw what an import would do; return whether it is to be done."""
    st.markdown(f"Data of **{plain(preview.username)}**, exported on {day(preview.exported_at)}:")
    st.markdown("\n".join(f"- {line}" for line in _lines(preview)))
    if preview.is_empty:
        st.info("Everything in this file is here already. There is nothing to import.", icon=":material/done_all:")
        return False
    st.caption(
        "Nothing that is here is changed. Only import files that you trust: what was said by the user in there "
        "will count as said by you."
    )
    return st.button("Import", type="primary", icon=":material/upload:", key="data_import_now")


def _draw_job(context: PageContext, job: ImportJob) -> None:
    bar = st.progress(job.share, text="Importing… You can go on working; it continues by itself.")
    while not job.wait(LOOK_S):
        bar.progress(job.share, text="Importing… You can go on working; it continues by itself.")
    bar.empty()
    if job.result is None:
        st.error(job.error)
    else:
        st.success("Imported. " + _summary(job.result), icon=":material/check:")
    if st.button("OK", key="data_import_seen"):
        context.services.privacy.put_import_away(context.principal)
        st.rerun()


def _lines(preview: ImportPreview) -> list[str]:
    settings = {
        "none": "No settings",
        "new": "Settings: will be taken over",
        "same": "Settings: the same as here",
        "kept": "Settings: yours stay as they are",
    }
    lines = [
        _line(preview.memories, "memory"),
        _line(preview.conversations, "chat"),
        _line(preview.answers, "answer in Analytics", "answers in Analytics"),
        settings[preview.settings],
    ]
    if preview.connections:
        lines.append(f"{count(preview.connections, 'model connection')}: not imported, connect again with the key")
    return lines


def _line(tally: Tally, noun: str, nouns: str = "") -> str:
    total = tally.new + tally.present + tally.differing
    name = count(total, noun) if total == 1 or not nouns else f"{total:,} {nouns}"
    parts = [f"{tally.new:,} new"] if tally.new else []
    parts += [f"{tally.present:,} here already"] if tally.present else []
    parts += [f"{tally.differing:,} different here, yours counts"] if tally.differing else []
    return f"{name}: {', '.join(parts)}" if parts else f"No {nouns or count(2, noun).partition(' ')[2]}"


def _summary(done: ImportPreview) -> str:
    added = [(done.memories.new, "memory"), (done.conversations.new, "chat"), (done.messages.new, "message")]
    told = [count(number, noun) for number, noun in added if number]
    return f"Added: {', '.join(told)}." if told else "Nothing new was in it."


def _draw_deletion(context: PageContext) -> None:
    with st.container(border=True):
        st.markdown("**Delete my account**")
        st.caption(
            "Everything goes, at once and for good: memories, chats, settings, keys and figures. Nobody can bring it "
            "back. Download your data first if you may want them again."
        )
        with st.expander("Delete my account", icon=":material/delete_forever:", key="data_delete"):
            _draw_deletion_form(context)


def _draw_deletion_form(context: PageContext) -> None:
    with st.form("delete_account", border=False):
        name = st.text_input(
            f"To confirm, type your username: {plain(context.principal.username)}", autocomplete="off", max_chars=200
        )
        password = st.text_input("Your password", type="password", autocomplete="current-password")
        sent = st.form_submit_button("Delete everything", type="primary", icon=":material/delete_forever:")
    if not sent:
        return
    erase = context.services.privacy.erase_account
    with st.spinner("Deleting…"):
        receipt = act(erase, context.principal, password, typed_name=name, network=client_network())
    if receipt:
        leave(receipt.to_json())
        st.rerun()
