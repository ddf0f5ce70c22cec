"""Progress on standard error: a bar that redraws itself at a terminal, a line at each tenth elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import TypeVar

Item = TypeVar("Item")
_WIDTH = 30
_REDRAWN_S = 0.2


def progress(label: str, items: Sequence[Item]) -> Iterator[Item]:
    """Yield the items and show how many are done."""
    started = drawn = monotonic()
    tenth = -1
    for number, item in enumerate(items):
        now, share = monotonic(), number / len(items)
        if sys.stderr.isatty():
            if now - drawn >= _REDRAWN_S:
                drawn = now
                bar = "#" * int(share * _WIDTH)
                _write(f"\r{label} [{bar:<{_WIDTH}}] {share:4.0%} {now - started:5.0f} s")
        elif int(share * 10) > tenth:
            tenth = int(share * 10)
            _write(f"{label}: {share:.0%} after {now - started:.0f} s\n")
        yield item
    begin = "\r" if sys.stderr.isatty() else ""
    _write(f"{begin}{label}: done in {monotonic() - started:.0f} s{' ' * _WIDTH}\n")


def say(line: str) -> None:
    """Write a line of progress."""
    _write(f"{line}\n")


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
