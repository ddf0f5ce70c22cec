"""The wording of a memory: contractions mended, fillers and politeness taken off, proper names found."""

from __future__ import annotations

import re

from optimus.memory_manager.rules.lexicon import MONTHS, PEOPLE, PERSON_QUALITY, WEEKDAYS

_MENDED = {
    "im": "I'm", "ive": "I've", "i'm": "I'm", "i've": "I've", "i'd": "I'd", "i'll": "I'll", "i": "I",
    "dont": "don't", "doesnt": "doesn't", "didnt": "didn't", "cant": "can't", "wont": "won't", "isnt": "isn't",
    "arent": "aren't", "wasnt": "wasn't", "werent": "weren't", "havent": "haven't", "hasnt": "hasn't",
    "thats": "that's", "shes": "she's", "hes": "he's", "cannot": "can't",
}  # fmt: skip
_MENDABLE = re.compile(
    rf"(?<![\w'.])(?:{'|'.join(sorted(_MENDED, key=len, reverse=True))})(?![\w']|\.\w)", re.IGNORECASE
)
_OWNERS = re.compile(
    rf"\b((?:my|our) (?:(?:{PERSON_QUALITY}) ){{0,2}}(?:{PEOPLE}))(s) (?=(?:name|birthday|job|favou?rite|phone|"
    rf"address|age|"
    r"number|email|surname|car)\b)",
    re.IGNORECASE,
)
_NAMES_I = re.compile(r"\b(?:type|part|phase|class|level|grade|war|chapter|stage) $", re.IGNORECASE)

_OPENER = re.compile(
    r"^(?:(?P<fix>no(?! longer| one)|nope|nah|actually|correction|wait|sorry|in fact|scratch that|oops|my mistake|"
    r"i meant)|(?:hi|hello|hey|hiya|good (?:morning|afternoon|evening)|greetings|nice to meet you|"
    r"pleased to meet you)(?: (?:there|optimus|assistant|everyone|all|again|to you))?|so|well|ok|okay|oh|ah|yes|yeah|"
    r"yep|yup|and|but|also|plus|by the way|btw|fyi|anyway|honestly|frankly|look|listen|to be (?:honest|clear|fair)|"
    r"just so you know|just to let you know|for your information|in general|generally|personally|as you know|as i said|"
    r"like i said|you know(?: what)?|sure|right|great|thanks(?: a lot)?|thank you|please|hmm+|um+|uh|one more thing|"
    r"another thing|one thing|the thing is|fun fact|quick fact|about me|let me introduce myself|a bit about me|"
    r"a little about me|something about me|for context|context|for the record|unfortunately|luckily|fortunately|sadly|"
    r"these days|nowadays|currently|i (?:also |just )?(?:should|must|want to|wanted to|need to|have to|"
    r"forgot to) (?:mention|say|add|tell you|let you know|point out|note)(?: that)?|i (?:also |just )?(?:want|wanted|"
    r"'d like|would like) you to know(?: that)?|(?:you|u) should (?:also )?know(?: that)?|(?:it's|it is) (?:important|"
    r"worth \w+)(?: to know| to note)?(?: that)?|you (?:may|might) (?:want|like) to know(?: that)?|"
    r"did i mention(?: that)?|let me tell you(?: that)?|(?:it )?turns out(?: that)?)"
    r"(?:\s*[,:!.]+\s*|\s+[–—-]+\s+|\s+)(?=\S)",
    re.IGNORECASE,
)
_ONLY_FIX = re.compile(
    r"(?:(?:no|nope|nah|actually|correction|wait|sorry|oops|my mistake|scratch that|that's (?:wrong|not right|not "
    r"correct|"
    r"incorrect|not true)|(?:no )?(?:you're|you are) wrong)[ ,]*)+",
    re.IGNORECASE,
)
_CLOSER = re.compile(
    r"(?:[\s,]*\b(?:please|pls|thanks(?: a lot| so much)?|thank you(?: very much| so much)?|thx|cheers|by the way|btw|"
    r"fyi|you know|just so you know|just saying|if (?:that|it) (?:helps|matters)|in case (?:that|it) (?:helps|matters)|"
    r"haha+|lol|as you know|as i said|for your information|for future reference|ok|okay|actually|to be honest|tbh|"
    r"honestly|though)|[\s,]*[:;]-?[)(DP]|[\s,.!…:–—-]+|\s*[\U0001F300-\U0001FAFF\u2600-\u27BF\uFE0F]+)$",
    re.IGNORECASE,
)
_LEAD_TIME = re.compile(
    r"^(?P<time>(?:in|since|on|last|next|this|every|each|at|from|until|after) (?:the )?[\w' ]{2,28}?|tomorrow(?: \w+)?|"
    r"yesterday|today|tonight|now),? (?=(?:i|we|my|our)\b)(?P<rest>.+)$",
    re.IGNORECASE,
)
_CAPITALS = re.compile(r"(?<![\w'])(?:[A-ZÀ-ÖØ-ÞČŠŽŁŚİА-ЯΑ-Ω][\w'’-]*\w|[A-Z])(?: (?:of |de |da |do |van |von |the )?"
                       r"[A-ZÀ-ÖØ-ÞČŠŽŁŚİА-ЯΑ-Ω][\w'-]*\w){0,4}")  # fmt: skip
_NOT_ENTITIES = frozenset(
    {
        "I",
        "I'm",
        "I've",
        "I'd",
        "I'll",
        "I'M",
        "OK",
        "Mr",
        "Mrs",
        "Ms",
        "Dr",
        *MONTHS,
        *WEEKDAYS,
        *(f"{day}s" for day in WEEKDAYS),
    }
)
_NAMED_FIRST = re.compile(r"\S+(?: [A-Z]\S+)? (?:is|was|are|and) (?:my|our|[A-Z])")
_MAX_ROUNDS = 6


def mend(text: str) -> str:
    """Write `i`, `im`, `dont` as `I`, `I'm`, `don't`."""
    return _OWNERS.sub(r"\1'\2 ", _MENDABLE.sub(lambda m: _mended(m, text), text))


def open_plainly(text: str) -> tuple[str, bool]:
    """Take greetings and fillers off the front; the flag says that one of them marks a correction."""
    corrects = False
    for _ in range(_MAX_ROUNDS):
        match = _OPENER.match(text)
        if match is None:
            break
        corrects = corrects or match["fix"] is not None
        text = text[match.end() :]
    return text, corrects


def only_corrects(text: str) -> bool:
    """Tell whether a sentence does nothing but mark what follows as a correction (`No!`)."""
    return _ONLY_FIX.fullmatch(text) is not None


def close_plainly(text: str) -> str:
    """Take politeness, asides and stray marks off the end."""
    for _ in range(_MAX_ROUNDS):
        shorter = _CLOSER.sub("", text)
        if shorter == text or not shorter:
            break
        text = shorter
    return text.strip()


def time_last(text: str) -> str:
    """Move a leading time to the end (`Since 2020 I live in Berlin` -> `I live in Berlin since 2020`)."""
    match = _LEAD_TIME.match(text)
    if match is None:
        return text
    time = match["time"]
    return f"{match['rest']} {time[0].lower()}{time[1:]}"


def tidy(text: str) -> str:
    """Return the clause as a memory reads: no asides at its end, a capital at its start."""
    text = re.sub(r"\s+", " ", close_plainly(text)).strip(" ,")
    return text[:1].upper() + text[1:]


def entities(text: str) -> tuple[str, ...]:
    """Return the proper names of a memory, each once; its first word counts only when it is not an everyday one."""
    found: list[str] = []
    for match in _CAPITALS.finditer(text):
        name = match[0]
        if match.start() == 0 and not _NAMED_FIRST.match(text):
            name = name.partition(" ")[2]
        name = " ".join(word for word in name.split() if word not in _NOT_ENTITIES).removesuffix("'s")
        if name and name not in found and not name.startswith(("I'", "of ", "the ")):
            found.append(name)
    return tuple(found)


def _mended(match: re.Match[str], text: str) -> str:
    word = match[0]
    if word == "I" or _NAMES_I.search(text[max(0, match.start() - 12) : match.start()]):
        return word
    fixed = _MENDED[word.lower()]
    return fixed[:1].upper() + fixed[1:] if word[0].isupper() else fixed
