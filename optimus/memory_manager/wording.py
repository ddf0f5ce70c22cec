"""What a sentence says, apart from how it is typed: the comparisons that the rules of memory need."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable

Stems = Callable[[str], frozenset[int]]
"""The content words of a text, stemmed and without stop words, as the keyword search sees them."""

_CONTRACTIONS = (
    (re.compile(r"\bcan't\b"), "can not"),
    (re.compile(r"\bcannot\b"), "can not"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"\bi'm\b"), "i am"),
    (re.compile(r"'re\b"), " are"),
    (re.compile(r"'ve\b"), " have"),
    (re.compile(r"'ll\b"), " will"),
    (re.compile(r"'d\b"), " would"),
    (re.compile(r"\b(he|she|it|that|there)'s\b"), r"\1 is"),
)
_NEGATOR = re.compile(
    r"\b(?:not|no|never|none|nothing|without|neither|nor|hardly|nicht|kein|keine|nie|pas|jamais|sans|nunca|não|sem|sin"
    r"|non|mai|senza)\b"
)
_WORD = re.compile(r"\w+(?:'\w+)?", re.UNICODE)
_GREETING = re.compile(
    r"(?:\s*\b(?:hello|hi|hey|hiya|howdy|greetings|good (?:morning|afternoon|evening|night|day)|thanks|thank you"
    r"|thanks a lot|thx|ok|okay|cool|great|nice|perfect|awesome|yes|no|yep|nope|sure|please|bye|goodbye|see you"
    r"|how are you(?: doing)?(?: today)?|what'?s up|again|there|optimus|so much|very much"
    r"|hallo|danke|bitte|bonjour|salut|merci|hola|gracias|olá|ola|obrigad[oa]|ciao|grazie)\b[\s,.!?…:)(]*)+",
    re.IGNORECASE,
)
_OVERVIEW = re.compile(
    r"\b(?:what|everything|all)\b.{0,24}\byou\b.{0,12}\b(?:know|remember(?:ed)?|learn(?:ed|t)|stored?|saved?)\b"
    r"(?:.{0,12}\b(?:about|of|on) (?:me|myself)\b|\s*[?.!]*\s*$)"
    r"|\b(?:who am i|tell me about (?:me|myself)|summari[sz]e (?:me|what you know)|describe me|my profile)\b",
    re.IGNORECASE,
)
_WRITER = re.compile(
    r"\b(?:i|me|my|mine|myself|we|us|our|ours|ich|mich|mir|mein|meine|meinen|meiner|je|moi|mon|ma|mes|yo|mi|mis|eu"
    r"|meu|minha|io|mio|mia)\b"
)

_SPEAKER = re.compile(r"\s*([^\W\d_][\w'’.-]*(?: [^\W\d_][\w'’.-]*){0,2}):\s+\S")
_LABELS = re.compile(
    r"notes?|reminder|todo|update|edit|fyi|ps|question|answer|summary|important|warning|address|phone|email|name"
    r"|birthday|date|time|subject|re|notiz|erinnerung|frage|nota|recordatorio|pregunta|rappel|lembrete|domanda"
)
"""What stands before a colon without being somebody's name."""


def normal_form(text: str) -> str:
    """Return the words alone, in lower case and with contractions written out."""
    lowered = text.casefold().replace("’", "'")
    if "'" in lowered or "cannot" in lowered:
        for pattern, full in _CONTRACTIONS:
            lowered = pattern.sub(full, lowered)
    return " ".join(_WORD.findall(lowered))


def is_negative(text: str) -> bool:
    """Tell whether the sentence denies what its content words say."""
    return len(_NEGATOR.findall(normal_form(text))) % 2 == 1


def content(text: str, stems: Stems) -> frozenset[int]:
    """Return the content words, without those that only say yes or no."""
    return statement(text, stems)[1]


def saying(text: str, stems: Stems) -> Hashable:
    """Return what two texts share exactly when they say the same: content words, and yes or no."""
    return statement(text, stems)[0]


def statement(text: str, stems: Stems) -> tuple[Hashable, frozenset[int], bool]:
    """Return what `saying`, `content` and `is_negative` return, in one reading."""
    normal = normal_form(text)
    denials = len(_NEGATOR.findall(normal))
    words = stems(_NEGATOR.sub(" ", normal)) if denials else stems(text)
    return ((words, denials % 2) if words else normal), words, denials % 2 == 1


def contains(whole: str, part: str, stems: Stems) -> bool:
    """Tell whether `whole` says everything that `part` says, and perhaps more."""
    words = content(part, stems)
    return bool(words) and words <= content(whole, stems) and is_negative(whole) == is_negative(part)


def is_question(text: str) -> bool:
    """Tell whether the text only asks: its one sentence ends with a question mark."""
    return text.rstrip(" )\"'").endswith(("?", "？")) and not re.search(r"[.!]\s+\S", text)


def is_small_talk(text: str) -> bool:
    """Tell whether the text is a greeting, thanks or a bare yes or no, about which nothing needs to be recalled."""
    return not text.strip() or bool(_GREETING.fullmatch(text.strip()))


def asks_for_everything(text: str) -> bool:
    """Tell whether the user wants to know all that is known about them."""
    return bool(_OVERVIEW.search(text))


def is_about_the_writer(text: str) -> bool:
    """Tell whether the text speaks of its writer (`I`, `my`, `me`)."""
    return bool(_WRITER.search(normal_form(text)))


def speaker_of(text: str) -> str | None:
    """Return who is named before the words (`Maria: I am late`), or None where they are the writer's own."""
    found = _SPEAKER.match(text)
    if not found or not all(word[0].isupper() for word in found[1].split()):
        return None
    return None if _LABELS.fullmatch(normal_form(found[1])) else found[1]
