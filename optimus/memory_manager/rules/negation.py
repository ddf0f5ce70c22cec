"""What a denial denies: `I don't like coffee any more` -> `I like coffee`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_FREE = r"(?P<adverb>(?:really|actually|particularly|currently|even|also|still|personally) )?"
_END = re.compile(r"\s+(?:any ?more|any longer|at all)\b", re.IGNORECASE)
_ENDED = re.compile(r"\b(?:no longer|any ?more|any longer|not .* now)\b", re.IGNORECASE)
_ANY = re.compile(r"\bany ", re.IGNORECASE)
_STEMS = {
    "smok": "smoke", "liv": "live", "driv": "drive", "danc": "dance", "hik": "hike", "writ": "write", "bak": "bake",
    "cycl": "cycle", "tak": "take", "us": "use", "vap": "vape", "runn": "run", "swimm": "swim", "jogg": "jog",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """A denied sentence, and whether it was true once."""

    denied: str
    ended: bool


def read_denial(clause: str) -> Denial | None:
    """Return what the clause denies, or None where it denies nothing."""
    ended = _ENDED.search(clause) is not None
    bare = _END.sub("", clause)
    for pattern, write in _FORMS:
        match = pattern.fullmatch(bare)
        if match is not None:
            return Denial(denied=write(match), ended=ended or "once" in match.groupdict())
    return None


def _third_person(verb: str) -> str:
    irregular = {"have": "has", "do": "does", "go": "goes"}
    if verb in irregular:
        return irregular[verb]
    if verb.endswith("y") and verb[-2:-1] not in "aeiou":
        return verb[:-1] + "ies"
    return verb + ("es" if verb.endswith(("s", "sh", "ch", "x", "o")) else "s")


def _verb_of(participle: str) -> str:
    return _STEMS.get(participle.lower(), participle.lower())


def _plain(match: re.Match[str]) -> str:
    return f"{match['subject']} {_ANY.sub('', match['rest'])}"


def _they(match: re.Match[str]) -> str:
    return f"{match['subject']} {_third_person(match['verb'])}{_ANY.sub(' ', match['rest'])}"


def _worked(match: re.Match[str]) -> str:
    return f"I work at {match['rest']}"


def _stopped(match: re.Match[str]) -> str:
    return f"I {_verb_of(match['stem'])}{match['rest']}"


_FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), write)
    for pattern, write in (
        ((rf"(?P<subject>I|We) {_FREE}(?:don't|do not|"
         rf"no longer) {_FREE.replace('adverb', 'second')}(?P<rest>.+)"), _plain),
        (r"(?P<subject>I|We) (?:have|'ve got|have got) no (?P<noun>.+)", lambda m: f"{m['subject']} have {m['noun']}"),
        (r"(?P<subject>I|We) (?:haven't|have not) got (?:an? |any )?(?P<noun>.+)",
         lambda m: f"{m['subject']} have {m['noun']}"),
        (rf"(?P<subject>I'm|I am|We're|We are) {_FREE}(?:not|no longer) (?!sure\b)(?P<rest>.+)", _plain),
        (r"(?P<subject>I|We) never (?P<rest>(?:eat|drink|smoke) ?.*)", _plain),
        (r"(?P<once>I|We) used to (?P<rest>.+)", lambda m: f"{m['once']} {m['rest']}".replace("I be ", "I'm ")),
        ((r"I(?:'ve| have)? (?:\w+ )?(?:stopped|quit|gave up|"
         r"given up) (?P<once>)(?P<stem>\w+?)ing(?P<rest>.*)"), _stopped),
        (r"I(?:'ve| have)? (?:\w+ )?(?:left|quit) (?P<once>)(?P<rest>(?-i:[A-Z]).+)", _worked),
        (r"(?P<subject>(?:My|Our) .+?) (?:doesn't|does not) (?P<verb>\w+)(?P<rest>.*)", _they),
        (r"(?P<subject>(?:My|Our) .+?) no longer (?P<rest>.+)", _plain),
        (r"(?P<subject>(?:My|Our) .+?) (?P<be>is|are)(?:n't| not| no longer) (?P<rest>.+)",
         lambda m: f"{m['subject']} {m['be']} {m['rest']}"),
    )
)  # fmt: skip
