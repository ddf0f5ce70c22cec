"""The charts of the Analytics page. Colours come from the theme; each has a text for those who do not see it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from html import escape
from itertools import pairwise

import plotly.graph_objects as go  # type: ignore[import-untyped]
import streamlit as st

from optimus.analytics.report import TIME_BOUNDS_MS, Growth, Period, Report, Tally
from optimus.ui.analytics_text import KIND_TITLES, model_name, money, share

MAX_MODELS = 6
"""Models with a colour of their own; the others are shown together."""
OTHERS = "Other models"
_HEIGHT = 260
_LEGEND_ROW = 17
_SHORT = 12
"""Longer names take a line of the legend each."""
_CONFIG = {"displayModeBar": False, "scrollZoom": False}
_TICKS = 5
_BAR_MS = 20 * 3600 * 1000
"""A bar is as wide as most of a day, also where it stands alone."""
_FEW = 5
_MANY = 1000
_YEAR = 300
"""Days from which on a tick names its month alone."""

Series = Mapping[str, Mapping[date, float]]
"""Values by name and day."""


def draw_answers(report: Report) -> None:
    """Draw the answers of each day by model."""
    series = _by_model(report, lambda tally: tally.answers)
    _draw_days("Answers a day", "answers_chart", series, report.period, alt=f"{report.total.answers:,} answers in all.")


def draw_tokens(report: Report) -> None:
    """Draw the tokens of each day, in and out."""
    series: dict[str, dict[date, float]] = {"In": defaultdict(float), "Out": defaultdict(float)}
    for (day, _), tally in report.days.items():
        series["In"][day] += tally.input_tokens
        series["Out"][day] += tally.output_tokens
    total = report.total
    alt = f"{total.input_tokens:,} tokens in and {total.output_tokens:,} tokens out in all."
    _draw_days("Tokens a day", "tokens_chart", series, report.period, alt=alt)


def draw_cost(report: Report) -> None:
    """Draw the cost of each day by model, or say why there is nothing to draw."""
    if report.total.cost:
        series = _by_model(report, lambda tally: tally.cost)
        alt = f"{money(report.total.cost)} in all."
        _draw_days("Cost a day in US dollars", "cost_chart", series, report.period, alt=alt, unit="$~r")
        return
    st.subheader("Cost a day in US dollars", anchor=False)
    if report.total.unpriced:
        st.caption("No price is known for the models that answered.")
    else:
        st.caption("Nothing was spent: models on this machine and the offline assistant cost nothing.")


def draw_growth(growth: Sequence[Growth]) -> None:
    """Draw how the number of memories grew, by kind."""
    st.subheader("Memories", anchor=False)
    if not growth:
        st.caption("Nothing is remembered yet.")
        return
    figure = _figure(growth[0].days[0], growth[0].days[-1])
    for curve in growth:
        days = [day.isoformat() for day in curve.days]
        figure.add_trace(go.Bar(x=days, y=curve.totals, width=_BAR_MS, name=KIND_TITLES[curve.type]))
    figure.update_layout(barmode="stack", yaxis=_whole([sum(curve.totals[-1] for curve in growth)]))
    now = ", ".join(f"{curve.totals[-1]:,} {KIND_TITLES[curve.type].lower()}" for curve in growth)
    _show(figure, "growth_chart", alt=f"How many memories there were on each day, by kind. Today: {now}.")


def draw_times(report: Report) -> None:
    """Draw how many answers took how long, to their first words and to their end."""
    st.subheader("Answers by seconds that they took", anchor=False)
    measured = {"First words": report.first_token, "Whole answer": report.duration}
    known = {name: times for name, times in measured.items() if times is not None}
    if not known:
        st.caption("No times were measured.")
        return
    figure = go.Figure(layout=_layout())
    for name, times in known.items():
        figure.add_trace(go.Bar(x=time_classes(), y=times.classes, name=name))
    highest = [count for times in known.values() for count in times.classes]
    figure.update_layout(barmode="group", xaxis={"type": "category"}, yaxis=_whole(highest))
    said = "; ".join(f"{name.lower()} within 2 seconds: {share(times.prompt_share)}" for name, times in known.items())
    _show(figure, "times_chart", alt=f"How many answers took how long, {said}.")


def time_classes() -> list[str]:
    """Return the names of the classes in which times are counted, in seconds."""
    bounds = [f"{bound / 1000:g}" for bound in TIME_BOUNDS_MS]
    return [f"≤ {bounds[0]}", *(f"{low}–{high}" for low, high in pairwise(bounds)), f"> {bounds[-1]}"]


def _by_model(report: Report, value: Callable[[Tally], float]) -> Series:
    shown = [*report.models][:MAX_MODELS]
    series: dict[str, dict[date, float]] = {model_name(model): {} for model in shown}
    for (day, model), tally in report.days.items():
        of_model = series.setdefault(model_name(model) if model in shown else OTHERS, {})
        of_model[day] = of_model.get(day, 0) + value(tally)
    return series


def _draw_days(title: str, key: str, series: Series, period: Period, *, alt: str, unit: str | None = None) -> None:
    st.subheader(title, anchor=False)
    days = [day for values in series.values() for day in values]
    figure = _figure(period.first or min(days, default=period.last), period.last)
    for name, values in series.items():
        known = sorted(values.items())
        figure.add_trace(
            go.Bar(
                x=[day.isoformat() for day, _ in known],
                y=[value for _, value in known],
                width=_BAR_MS,
                name=escape(name, quote=False),
            )
        )
    totals: Counter[date] = Counter()
    for values in series.values():
        totals.update(values)
    rows = len(series) if max(map(len, series), default=0) > _SHORT else 0
    figure.update_layout(
        barmode="stack",
        height=_HEIGHT + _LEGEND_ROW * rows,
        yaxis={"tickformat": unit} if unit else _whole(totals.values()),
    )
    _show(figure, key, alt=f"{title}. {alt} The numbers are in the table below the charts.")


def _figure(first: date, last: date) -> go.Figure:
    """Return an empty figure over whole days, with few enough ticks to read, also for a single day."""
    span = (last - first).days + 1
    step = -(-span // _TICKS)
    figure = go.Figure(layout=_layout())
    figure.update_xaxes(
        type="date",
        range=[f"{first - timedelta(days=1)}T12:00:00", f"{last}T12:00:00"],
        tickvals=[(last - timedelta(days=back)).isoformat() for back in range(0, span, step)],
        tickformat="%-d %b" if span < _YEAR else "%b %Y",
        tickangle=0,
        hoverformat="%-d %b %Y",
    )
    return figure


def _whole(heights: Iterable[float]) -> dict[str, object]:
    """Return how an axis of whole numbers is marked: no halves where there is little, `20k` where there is much."""
    highest = max(heights, default=0)
    if highest >= _MANY:
        return {"tickformat": "~s"}
    return {"tickformat": ",d", "dtick": 1 if highest <= _FEW else None}


def _layout() -> dict[str, object]:
    return {
        "height": _HEIGHT,
        "margin": {"l": 8, "r": 24, "t": 8, "b": 8},
        "legend": {"orientation": "h", "y": -0.16, "x": 0, "title": {"text": ""}, "traceorder": "normal"},
        "showlegend": True,
        "hovermode": "x unified",
        "dragmode": False,
        "bargap": 0.25,
        "yaxis": {"rangemode": "tozero"},
    }


def _show(figure: go.Figure, key: str, *, alt: str) -> None:
    st.plotly_chart(figure, key=key, config=_CONFIG, alt=alt)
