"""Whether a text commands an assistant: such a text never becomes a trusted memory by itself.

A memory stands in later prompts, so an order in it would act long after it was read (memory poisoning). The patterns
name what published attacks have in common: setting rules aside, obligations of an assistant, orders for a later
occasion, forged roles, rights, secrecy before the user, data sent away, also where they are hidden or encoded. Each
takes time that grows with the length of the text and no faster.
"""

from __future__ import annotations

import re

from optimus.memory_manager.disguises import readings
from optimus.memory_manager.order_patterns import commands
from optimus.models import MAX_MESSAGE_CHARS

MAX_CHARS = MAX_MESSAGE_CHARS
"""So much of a text is read: all of a message, and more than any other memory holds."""
_BEFORE = 40
"""So many characters before an order tell whether somebody only speaks of it."""
_TELLING = re.compile(
    r"(?:\b(?:i|we|he|she|they|who|kids|children|people|everybody|nobody|sister|brother|teacher|boss|friend|"
    r"neighbour|father|mother|guide|"
    r"says|said|that|(?:me|us|him|her|them) to)|[’']s)(?: (?:\w+ )?| )$"
)
"""Before a match: somebody tells of it."""


def instructs(text: str) -> bool:
    """Tell whether a text commands an assistant, openly, hidden or encoded."""
    shown = text[:MAX_CHARS]
    return any(_commands(reading) for reading in readings(shown))


def _commands(text: str) -> bool:
    plain = "\n".join(" ".join(words) for line in text.lower().splitlines() if (words := line.split()))
    return any(
        not _TELLING.search(plain[max(0, found.start() - _BEFORE) : found.start()])
        for found in commands().finditer(plain)
    )
