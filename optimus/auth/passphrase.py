"""A passphrase that is easy to type and hard to guess.

The words are the long list of the Electronic Frontier Foundation (https://www.eff.org/dice), which the `xkcdpass`
package carries; six of them hold 77 bits.
"""

from __future__ import annotations

import secrets
from functools import cache
from importlib.resources import files

WORDS = 6


def suggest_passphrase() -> str:
    """Return six random words joined by hyphens, different at every call."""
    return "-".join(secrets.choice(_word_list()) for _ in range(WORDS))


@cache
def _word_list() -> tuple[str, ...]:
    text = (files("xkcdpass") / "static" / "eff-long").read_text(encoding="utf-8")
    return tuple(word for word in text.split() if word.isalpha())
