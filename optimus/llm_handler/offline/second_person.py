"""Turn what the user said about themselves round: `I live in Lisbon` -> `You live in Lisbon`."""

from __future__ import annotations

import re

_WORDS = {
    "i": "you", "i'm": "you're", "i've": "you've", "i'd": "you'd", "i'll": "you'll", "me": "you", "my": "your",
    "mine": "yours", "myself": "yourself", "we": "you", "we're": "you're", "we've": "you've", "we'd": "you'd",
    "we'll": "you'll", "us": "you", "our": "your", "ours": "yours", "ourselves": "yourselves",
    "im": "you're", "ive": "you've",
}  # fmt: skip
_ADDRESSED = {"you": "me", "your": "my", "yours": "mine", "yourself": "myself", "you're": "I'm", "you've": "I've",
              "you'll": "I'll", "you'd": "I'd", "you are": "I am", "you were": "I was"}  # fmt: skip
_TURNED = re.compile(
    rf"(?<![\w'-])(?:{'|'.join(sorted({**_WORDS, **_ADDRESSED}, key=len, reverse=True))})(?![\w'])(?!-\w)",
    re.IGNORECASE,
)
_ADVERBS = (
    r"(?:(?:also|always|really|still|now|just|usually|often|never|actually|currently|originally|already|\w+ly) )?"
)
_BE_AFTER = re.compile(rf"\b(i {_ADVERBS})(am not|am|was|wasn't|ain't)\b", re.IGNORECASE)
_BE_BEFORE = re.compile(r"\b(am|was|wasn't|aren't|ain't) (i)\b", re.IGNORECASE)
_BE = {"am": "are", "am not": "are not", "was": "were", "wasn't": "weren't", "ain't": "aren't", "aren't": "aren't"}
_SUBJECT_YOU = re.compile(
    r"\b(?:you (?:will|would|can|could|should|must|have|had|do|did|know|said|told))\b", re.IGNORECASE
)

_ORDINAL_I = re.compile(
    r"\b(?:type|part|phase|chapter|stage|class|grade|level|volume|book|act|schedule|title|article|war|elizabeth|"
    r"charles|francis|james|george|napoleon|wilhelm|nicholas|vitamin|model|category|appendix|section)\s+$",
    re.IGNORECASE,
)
_NOUN_MINE = re.compile(
    r"\b(?:a|an|the|this|that|coal|gold|silver|copper|diamond|salt|iron|land|data|old|abandoned)\s+$", re.IGNORECASE
)
_NOUN_US = re.compile(r"\b(?:the|a|all)\s+$", re.IGNORECASE)
_LOOK_BACK = 20
_QUOTED = re.compile(r"(\"[^\"]*\"|“[^”]*”|«[^»]*»|`[^`]*`)")

_CALL_ME = re.compile(r"^(?:please )?(?:you can |just )?(call me .+)$", re.IGNORECASE)
_WANTED = re.compile(r"^(?:i want|i'd like|i would like|i need) you to (.+)$", re.IGNORECASE)
_ORDER = re.compile(
    r"^(?:please )?(?P<often>(?:always|from now on|in future|in the future|going forward),? )?(?P<order>(?:answer|"
    r"reply|respond|talk|write|speak|explain|keep|make|give|use|don't|do not|never|avoid|stop|be|address|treat)\b.+)$",
    re.IGNORECASE,
)
_NOT_ENGLISH = re.compile(
    r"^(?:ich|mein|meine|wir|merk|je|mon|ma|mes|appelle|souviens|yo|soy|mi|mis|me llamo|me gusta\w*|me encanta\w*|"
    r"me (?:mud\w+|he|ha)|nos hemos|hemos|"
    r"vivo|tengo|trabajo|prefiero|odio|ya no|no me|recuerda|llámame|eu|sou|moro|tenho|trabalho|gosto|adoro|"
    r"detesto|prefiro|não|já|chamo-me|me chamo|(?:o |a )?(?:meu|minha)|mudei-me|io|sono|abito|ho|lavoro|preferisco|"
    r"mi (?:chiamo|piac\w+)|non|(?:il |la )?(?:mio|mia)|nenn\w*|agora|ora|ahora|lembra\w*|ricorda\w*)(?=[\s'])|^j'\w",
    re.IGNORECASE,
)


def is_english(text: str) -> bool:
    """Tell whether a sentence can be turned round; those of other languages are quoted as they are."""
    return _NOT_ENGLISH.match(text) is None


def second_person(text: str) -> str:
    """Return an English first-person sentence in the second person, without its full stop.

    Quotations inside stay as they are, and so do `I`, `US` and `mine` where they are no pronouns. Instructions become
    wishes: `Call me Ana` -> `You want me to call you Ana`.
    """
    text = text.strip().rstrip(".").replace("’", "'")
    wish = _as_wish(text)
    turned = "".join(
        part if index % 2 else _turn(part) for index, part in enumerate(_QUOTED.split(text if wish is None else wish))
    )
    if wish is not None:
        turned = f"you want me to {turned}"
    return turned[:1].upper() + turned[1:]


def within_sentence(sentence: str) -> str:
    """Return a second-person sentence as it goes on after a colon (`Your sister` -> `your sister`)."""
    first = sentence.split(" ", 1)[0]
    return (
        sentence[:1].lower() + sentence[1:]
        if first in {"You", "You're", "You've", "You'd", "You'll", "Your", "The"}
        else sentence
    )


def _as_wish(text: str) -> str | None:
    """Return an instruction to the assistant as the verb phrase of a wish, or None where it is none."""
    called = _CALL_ME.match(text)
    if called is not None:
        return called[1][0].lower() + called[1][1:]
    wanted = _WANTED.match(text)
    if wanted is not None:
        return wanted[1]
    order = _ORDER.match(text)
    if order is None:
        return None
    phrase = order["order"][0].lower() + order["order"][1:]
    phrase = re.sub(r"^(?:don't|do not|never) ", "never ", phrase)
    return f"always {phrase}" if (order["often"] or "").lower().startswith("always") else phrase


def _turn(text: str) -> str:
    text = _BE_BEFORE.sub(lambda m: f"{_like(_BE[m[1].lower()], m[1])} {m[2]}", text)
    text = _BE_AFTER.sub(lambda m: m[1] + _BE[m[2].lower()], text)
    return _TURNED.sub(lambda m: _pronoun(m, text), text)


def _pronoun(match: re.Match[str], text: str) -> str:
    word, before = match[0], text[max(0, match.start() - _LOOK_BACK) : match.start()]
    key = word.lower()
    if key == "i" and _ORDINAL_I.search(before):
        return word
    if key == "mine" and _NOUN_MINE.search(before):
        return word
    if key == "us" and (word == "US" or _NOUN_US.search(before)):
        return word
    if word == "ME":
        return word
    if key in _ADDRESSED:
        is_subject = key == "you" and _SUBJECT_YOU.match(text, match.start()) is not None
        return _like("I" if is_subject else _ADDRESSED[key], word)
    return _like(_WORDS[key], word, is_pronoun_i=key.startswith("i"))


def _like(new: str, old: str, *, is_pronoun_i: bool = False) -> str:
    """Give the new word the old one's capital, except that of `I`, which is no capital of its own."""
    if old[:1].isupper() and not is_pronoun_i and new != "I":
        return new[:1].upper() + new[1:]
    return new
