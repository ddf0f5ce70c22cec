"""Named places in work of several steps, where a test can let the process die; outside a test they do nothing.

No setting, request or record arms them: only `armed`, called in the same process, does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

_hooks: list[Callable[[str], None]] = []


class Crash(BaseException):
    """Stands for the death of the process at a fail point; no `except Exception` stops it."""


def reached(point: str) -> None:
    """Say that work has come to `point`, such as `erase.key_destroyed`; the step it is named after is done.

    Raises:
        Crash: a test wants the process to die here.
    """
    for hook in _hooks:
        hook(point)


@contextmanager
def armed(hook: Callable[[str], None]) -> Iterator[None]:
    """Call `hook` at every fail point, in every thread, until the block ends."""
    _hooks.append(hook)
    try:
        yield
    finally:
        _hooks.remove(hook)


def crash_at(wanted: str) -> Callable[[str], None]:
    """Return a hook that dies whenever `wanted` is reached."""

    def hook(point: str) -> None:
        if point == wanted:
            raise Crash(point)

    return hook
