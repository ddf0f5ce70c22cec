"""Read a prompt: is it a question, of what form, and is it about the user's own things."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

MAX_READ_CHARS = 2_000
MAX_QUESTION_CHARS = 300
"""Of a longer question the end is read, which holds what is asked."""


class Form(StrEnum):
    """What kind of answer a question wants."""

    YES_NO = "yes_no"
    WHO = "who"
    WHERE = "where"
    WHEN = "when"
    HOW_MANY = "how_many"
    WHAT = "what"
    ADVICE = "advice"
    """`What should I ...`, `how do I ...`: memory may help, but does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question, without the words that only lead up to it."""

    text: str
    form: Form
    about_user: bool
    """It asks after the user's own life (`my`, `do I`), not after the world."""
    is_overview: bool = False
    """It asks for everything that is known."""


_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*(?:\.\d[^.!?\n]*)*")
_LEAD = re.compile(
    r"^(?:(?:hi|hello|hey|ok|okay|so|well|and|but|then|also|please|optimus|by the way|btw|thanks|sorry|now|"
    r"quick question|just wondering)[,!:.]? +|(?P<can>do|did|can|could|would|will) (?:you|u) (?:please |still |"
    r"happen to |even |maybe |also )*(?:remember|know|recall|tell me|remind me(?: of)?|say|find|look up|list|show me|"
    r"name|give me)(?: again)?,? +|(?P<ask>(?:please )?(?:tell me|remind me(?: of)?|show me|list|name|give me|"
    r"i (?:forgot|forget|can't remember|don't remember|wonder|want to know|would like to know|'d like to know|"
    r"need to know)|any idea|what about|how about|i asked(?: you)?) +))",
    re.IGNORECASE,
)
_OPENING = re.compile(
    r"^(?:what|who|whom|whose|where|when|why|how|which|do|does|did|am|is|are|was|were|can|could|will|would|shall|"
    r"should|may|have|has|had|isn't|aren't|don't|doesn't|didn't|wasn't|won't|can't|haven't)(?:'s|'re|'d|'m|s)?\b(?!,)",
    re.IGNORECASE,
)
_NOT_ASKED = re.compile(
    r"^(?:don't|do not|have (?:a|fun|you been)|can't wait|may (?:\d|the)|will do|is that so)\b", re.IGNORECASE
)
_OVERVIEW = re.compile(
    r"\b(?:what|everything|all|anything|things?|how much)\b.*\byou\b.*\b(?:know|remember|recall|learned|stored|saved|"
    r"got)\b(?: (?:so far|already|by now))?(?:.*\b(?:about me|on me|of me)\b.*|(?: (?:so far|already|by now))?)$|"
    r"\bwhat (?:have i|did i) (?:told|tell|said|say)(?: to)?(?: you)?(?: so far| already| about me| about myself)?$|"
    r"^(?:about me|myself|everything about me|(?:all )?my memories|what you (?:know|remember)(?: about me| of me)?|"
    r"who am i|(?:what (?:was|is|were) )?the (?:last|latest) things? i (?:just )?(?:said|told you)|summari[sz]e (?:me|"
    r"what you know about me))$",
    re.IGNORECASE,
)
_OWN = re.compile(r"\b(?:my|mine|our|ours)\b", re.IGNORECASE)
_SELF = re.compile(r"\b(?:i|i'm|i've|me|myself|we|us)\b", re.IGNORECASE)
_ADVICE = re.compile(
    r"\bhow (?:do|can|should|could|would|to)\b|\b(?:should|could|shall|may|might|can) (?:i|we)\b|\b(?:suggest|"
    r"recommend|any ideas|any tips)\b|\bdo (?:i|we) (?:need|have to|find|get to|buy|start|click|download|install|sign|"
    r"set up|change)\b|\b(?:i|we) (?:should|could|can)\b|\b(?:help|tell|give|show|write|send|teach|explain|make) me\b",
    re.IGNORECASE,
)
_FOREIGN = re.compile(
    r"\b(?:ich|mein\w*|mir|mich|je|j'\w+|mon|ma|mes|moi|yo|mi|mis|vivo|tengo|me llamo|eu|meu|minha|moro|io|mio|mia|"
    r"abito)\b",
    re.IGNORECASE,
)
_FORMS = (
    (re.compile(r"^(?:who|whom|whose)\b|\bname of\b|\bcalled\b|\bname\b", re.IGNORECASE), Form.WHO),
    (re.compile(r"^where\b|\bwhich (?:city|country|town|place)\b|\b(?:wo|où|dónde|donde|onde|"
                r"dove)\b", re.IGNORECASE), Form.WHERE),
    (re.compile(r"^when\b|\b(?:what|which) (?:day|date|time|year|month)\b|\bbirthday\b|"
                r"\bhow long\b", re.IGNORECASE), Form.WHEN),
    (re.compile(r"^how (?:many|much|old|tall|often)\b", re.IGNORECASE), Form.HOW_MANY),
    (re.compile(r"^(?:do|does|did|am|is|are|was|were|have|has|had|will|would|isn't|aren't|don't|doesn't|didn't|wasn't|"
                r"haven't|i|i'm)\b",
                re.IGNORECASE), Form.YES_NO),
)  # fmt: skip


def read_question(prompt: str) -> Question | None:
    """Return the last question of a prompt, or None where it asks nothing."""
    text = prompt[:MAX_READ_CHARS].replace("’", "'")
    found: Question | None = None
    for match in _SENTENCE.finditer(text):
        found = _read(match[0].strip()) or found
    return found


def _read(sentence: str) -> Question | None:
    asks = sentence.endswith("?")
    sentence = sentence[-MAX_QUESTION_CHARS:]
    bare = _after_statement(sentence.rstrip("?.! "), asks=asks)
    is_asked_for = False
    for _ in range(5):
        lead = _LEAD.match(bare)
        if lead is None:
            break
        is_asked_for = is_asked_for or lead["ask"] is not None or lead["can"] is not None
        bare = bare[lead.end() :]
    is_overview = _OVERVIEW.search(bare) is not None
    opens = _OPENING.match(bare) is not None and _NOT_ASKED.match(bare) is None
    wants_own = is_asked_for and re.match(r"(?:about )?(?:my|our)\b", bare, re.IGNORECASE) is not None
    if not (asks or opens or is_overview or wants_own) or not bare:
        return None
    is_own = _OWN.search(bare) is not None or _SELF.search(bare) is not None or _FOREIGN.search(bare) is not None
    form = _form(bare)
    return Question(
        text=bare,
        form=form,
        about_user=is_own and (form is not Form.ADVICE or bool(_OWN.search(bare))),
        is_overview=is_overview,
    )


def _after_statement(text: str, *, asks: bool) -> str:
    """Return the question of `I'm allergic to nuts, what can I eat`."""
    if not asks:
        return text
    for match in re.finditer(r"(?:,| and| so| but| -)\s+", text):
        rest = text[match.end() :]
        if _OPENING.match(rest) and not _OPENING.match(text) and not _LEAD.match(text):
            return rest
    return text


def _form(text: str) -> Form:
    if _ADVICE.search(text):
        return Form.ADVICE
    return next((form for pattern, form in _FORMS if pattern.search(text)), Form.WHAT)
