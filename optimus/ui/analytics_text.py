"""Words and numbers of the Analytics page."""

from __future__ import annotations

from optimus.llm_handler.catalogue import CATALOGUE
from optimus.llm_handler.requests import OFFLINE_MODEL, ModelRef
from optimus.models import MemoryType

KIND_TITLES = {
    MemoryType.CONVERSATION: "Messages",
    MemoryType.NOTE: "Notes",
    MemoryType.DOCUMENT: "Documents",
    MemoryType.PREFERENCE: "Preferences",
    MemoryType.FACT: "Facts",
    MemoryType.RELATIONSHIP: "People",
}
_CENT = 0.01


def model_name(model: str) -> str:
    """Return a recorded model as people call it: `gpt-6-luna · OpenAI`."""
    if model == str(OFFLINE_MODEL):
        return CATALOGUE.get(OFFLINE_MODEL.provider).title
    if ":" not in model:
        return model
    ref = ModelRef.parse(model)
    return f"{ref.name} · {CATALOGUE.get(ref.provider).title if ref.provider in CATALOGUE else ref.provider}"


def money(dollars: float) -> str:
    """Return an amount in US dollars, small ones to two digits that count: `$1.20`, `$0.0042`."""
    if 0 < dollars < _CENT:
        return f"${dollars:.2g}" if dollars >= _CENT**2 else "under $0.0001"
    return f"${dollars:,.2f}"


def share(part: float) -> str:
    """Return a part of 0-1 in whole percent; only nothing is 0 % and only everything is 100 %."""
    if 0 < part < _CENT:
        return "under 1%"
    return f"{min(part, 0.99) if part < 1 else part:.0%}"


def seconds(milliseconds: float) -> str:
    """Return a time in seconds: `0.42 s`, `12 s`."""
    return f"{milliseconds / 1000:.2g} s"
