"""The tables of the Analytics page, and its download."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date

import streamlit as st

from optimus.analytics.report import Report, Tally
from optimus.analytics.service import LISTED, MemoryReport, UserUsage
from optimus.spreadsheets import to_csv
from optimus.ui.analytics_text import model_name, money
from optimus.ui.text import TYPE_NAMES, count, day, plain

_CSV_HEADER = (
    "time",
    "model",
    "outcome",
    "tokens in",
    "tokens out",
    "cost in USD",
    "first words after s",
    "whole answer after s",
    "memories used",
)


def draw_models(report: Report) -> None:
    """Draw what each model did."""
    st.subheader("Models", anchor=False)
    rows = [{"Model": plain(model_name(model))} | _numbers(tally) for model, tally in report.models.items()]
    st.table(rows, hide_index=True, border="horizontal", alt="Answers, tokens and cost by model")


def draw_days(report: Report) -> None:
    """Draw the numbers behind the charts, the latest day first."""
    days: dict[date, list[Tally]] = defaultdict(list)
    for (when, _), tally in report.days.items():
        days[when].append(tally)
    rows = [
        {
            "Day": when,
            "Answers": sum(tally.answers for tally in tallies),
            "Failed": sum(tally.failed for tally in tallies),
            "Tokens in": sum(tally.input_tokens for tally in tallies),
            "Tokens out": sum(tally.output_tokens for tally in tallies),
            "Cost, US dollars": sum(tally.cost for tally in tallies),
            "Cost unknown": sum(tally.unpriced for tally in tallies),
        }
        for when, tallies in sorted(days.items(), reverse=True)
    ]
    columns = {
        "Day": st.column_config.DateColumn(format="D MMM YYYY"),
        "Cost, US dollars": st.column_config.NumberColumn(format="%.4f"),
        "Cost unknown": st.column_config.NumberColumn(help="Answers whose price is not known"),
    }
    with st.expander("The numbers by day", icon=":material/table:"):
        st.dataframe(rows, hide_index=True, column_config=columns, alt="Answers, tokens and cost by day")


def draw_looking(looking: Tally) -> None:
    """Draw what looking for memories took, where any model did."""
    if looking.answers + looking.failed:
        st.subheader("Looking for memories, and summaries", anchor=False)
        st.caption("What the model took that reads your messages for more to remember. It is not in the sums above.")
        row = {"Messages read in": f"{looking.answers + looking.failed:,} calls"} | _numbers(looking)
        del row["Answers"]
        st.table([row], hide_index=True, border="horizontal", alt="Looking for memories, and summaries")


def draw_memory_use(memories: MemoryReport) -> None:
    """Draw which memories answers were made from, and which ones none was."""
    st.subheader("Most used memories", anchor=False)
    if memories.most_used:
        rows = [
            {
                "Memory": plain(use.memory.text),
                "Kind": TYPE_NAMES[use.memory.type],
                "Answers": f"{use.answers:,}",
                "Last used": _unbroken(day(use.last_at)),
            }
            for use in memories.most_used
        ]
        st.table(rows, hide_index=True, border="horizontal", alt="Most used memories")
    else:
        st.caption("No answer of this time was made from a memory that you still have.")
    if memories.unused:
        st.subheader("Not used", anchor=False)
        _draw_unused(memories)


def draw_users(users: Sequence[UserUsage]) -> None:
    """Draw the sums of every account."""
    rows = [
        {"User": plain(user.username) if user.username else ":gray[deleted account]"} | _numbers(user.total)
        for user in users
    ]
    st.table(rows, hide_index=True, border="horizontal", alt="Answers, tokens and cost by user")


def draw_download(report: Report) -> None:
    """Draw the button that saves one line for each answer; the lines are made when it is pressed."""
    st.download_button(
        "Download as CSV",
        data=lambda: answers_csv(report),
        file_name=f"optimus-usage-{report.period.last}.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        key="analytics_csv",
    )


def answers_csv(report: Report) -> str:
    """Return one line for each answer: numbers and names, no text of any chat."""
    return to_csv(
        _CSV_HEADER,
        (
            (
                answer.at.astimezone(report.period.zone).isoformat(sep=" ", timespec="seconds"),
                answer.model,
                "failed" if answer.failed else "answered",
                answer.input_tokens,
                answer.output_tokens,
                answer.cost,
                _seconds(answer.first_token_ms),
                _seconds(answer.duration_ms),
                len(answer.memory_ids),
            )
            for answer in report.answers
        ),
    )


def _draw_unused(memories: MemoryReport) -> None:
    listed = "" if memories.unused_count <= LISTED else f" The {LISTED} oldest:"
    verb = "was" if memories.unused_count == 1 else "were"
    st.caption(
        f"{count(memories.unused_count, 'memory')} of {memories.count:,} {verb} in no answer of this time.{listed}"
    )
    rows = [
        {"Memory": plain(memory.text), "Kind": TYPE_NAMES[memory.type], "Since": _unbroken(day(memory.recorded_at))}
        for memory in memories.unused
    ]
    st.table(rows, hide_index=True, border="horizontal", alt="Memories that were not used")


def _numbers(tally: Tally) -> dict[str, str]:
    return {
        "Answers": f"{tally.answers:,}",
        "Tokens in": f"{tally.input_tokens:,}",
        "Tokens out": f"{tally.output_tokens:,}",
        "Cost": _cost(tally),
    }


def _cost(tally: Tally) -> str:
    if tally.cost_is_unknown:
        return "unknown"
    known = plain(money(tally.cost))
    return f"{known} + {tally.unpriced:,} unknown" if tally.unpriced else known


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds / 1000, 3)


def _unbroken(text: str) -> str:
    """Return a text that stays on one line also in a narrow column."""
    return text.replace(" ", "\u00a0")
