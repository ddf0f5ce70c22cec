"""What somebody used within the last minute: moments with messages and tokens, and when there is room for more."""

from __future__ import annotations

from collections.abc import Sequence

from optimus.storage.records import Spell

MINUTE_US = 60_000_000
"""A minute in microseconds."""
MAX_SPELLS = 1_000
"""Moments of the last minute that are told apart; beyond that the oldest ones count as one."""


def noted(recent: Sequence[Spell], spell: Spell) -> tuple[Spell, ...]:
    """Return what was used lately with one moment more.

    One without a message corrects the moment it names; what cannot be given back there is not given back.
    """
    same = (i for i, each in enumerate(recent) if each.at == spell.at and each.tokens + spell.tokens >= 0)
    place = None if spell.messages else next(same, None)
    if spell.tokens < 0 or place is not None:
        corrected = [
            each._replace(tokens=each.tokens + spell.tokens) if i == place else each for i, each in enumerate(recent)
        ]
        return tuple(corrected)
    kept = sorted((*(each for each in recent if abs(spell.at - each.at) < MINUTE_US), spell))
    while len(kept) > MAX_SPELLS:
        (_, messages, tokens), second, *rest = kept
        kept = [Spell(second.at, second.messages + messages, second.tokens + tokens), *rest]
    return tuple(kept)


def room_in(used: Sequence[tuple[int, int]], most: int, now: int) -> int:
    """Return in how many microseconds no more than `most` of what was used is younger than a minute; 0 if now."""
    young = [(at, amount) for at, amount in used if abs(now - at) < MINUTE_US]
    left, wait = sum(amount for _, amount in young), 0
    for at, amount in young:
        if left <= most:
            break
        left, wait = left - amount, at + MINUTE_US - now
    return wait
