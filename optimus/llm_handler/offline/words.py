"""Words of questions and memories made comparable: content words, people, and what belongs together."""

from __future__ import annotations

import re

from optimus.llm_handler.offline.foreign_questions import RELATIONS as ABROAD
from optimus.llm_handler.offline.second_person import is_english


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SHORT = 3
_LONG = 4
_WORD = re.compile(r"[^\W_]+(?:[-'.@:/][^\W_]+)*")
_STOP = _words(
    """a an the and or but if so of in on at to for from with by about as into over than then this that these those
    it its it's there here i i'm i've i'd i'll me my mine myself we we're our ours us you your yours he she they
    them his her hers their is am are was were be been being isn't aren't wasn't do does did don't doesn't didn't
    done have has had having haven't can could will would shall should may might must not no yes any some what
    what's who who's whom whose where where's when when's why how how's which please tell know remember recall
    ever also just really very much many again still now today told said say get got go going again anymore more
    thing things something anything kind sort like's called name's whats wheres whos ok hi hello let lets because
    currently exactly actually usually one"""
)
_IRREGULAR = {
    "children": "child", "kids": "child", "kid": "child", "mom": "mother", "mum": "mother", "mama": "mother",
    "dad": "father", "daddy": "father", "grandma": "grandmother", "granny": "grandmother", "grandpa": "grandfather",
    "grandad": "grandfather", "granddad": "grandfather", "wife": "partner", "husband": "partner",
    "girlfriend": "partner", "boyfriend": "partner", "spouse": "partner", "fiancé": "partner", "fiancée": "partner",
    "fiance": "partner", "fiancee": "partner", "puppy": "dog", "kitten": "cat", "color": "colour",
    "colors": "colour", "favorite": "favourite", "neighbor": "neighbour", "works": "work", "lives": "live",
    "flies": "fly", "flying": "fly", "flew": "fly", "bought": "buy", "went": "go", "ran": "run", "met": "meet",
    "married": "marry", "wedding": "marry", "coworker": "colleague", "co-worker": "colleague", "auntie": "aunt",
    "mobile": "phone", "cell": "phone", "telephone": "phone", "cellphone": "phone", "automobile": "car",
    "living": "live", "took": "take", "booked": "book", "kept": "keep", "put": "keep", "left": "leave",
    "drove": "drive", "scared": "afraid", "terrified": "afraid", "frightened": "afraid", "fear": "afraid",
    "ate": "eat", "eaten": "eat",
}  # fmt: skip
RELATIONS = _words(
    """mother father parent sister brother sibling son daughter child partner grandmother grandfather grandparent
    aunt uncle cousin niece nephew friend colleague boss manager neighbour roommate flatmate teacher doctor
    dentist therapist landlord mentor coach dog cat rabbit hamster parrot horse fish turtle tortoise bird pony
    mother-in-law father-in-law sister-in-law brother-in-law baby twin ex stepmother stepfather grandson
    granddaughter lawyer accountant vet"""
)
_PARTS = {
    "parent": {"mother", "father", "parent"},
    "sibling": {"sister", "brother", "sibling"},
    "child": {"son", "daughter", "child", "baby"},
    "grandparent": {"grandmother", "grandfather", "grandparent"},
}
_ANIMALS = frozenset(
    ["dog", "cat", "rabbit", "hamster", "parrot", "horse", "fish", "turtle", "tortoise", "bird", "pony"]
)
_OWNED = re.compile(r"\b(?:my|our|have|own|mein\w*)\b", re.IGNORECASE)
_RELATED_NAME = re.compile(
    r"\b(?:[Mm]y|[Oo]ur|[Mm]eine?|[Mm]on|[Mm]a|[Mm]i|[Mm]inha|[Mm]eu|"
    r"[Mm]i[oa]) (?:[\w-]+ ){0,2}?(?P<relation>[\w-]+)(?:,|'s name is| is called| is named| is| heißt| s'appelle|"
    r" se llama| chama-se| si chiama| called)? (?P<name>[A-ZÀ-Þ][\w-]+)"
)
_IS_RELATED = re.compile(r"\b(?P<name>[A-ZÀ-Þ][\w-]+) is (?:my|our) (?:[\w-]+ ){0,2}?(?P<relation>[\w-]+)\b")
_HAS_NAMED = re.compile(
    r"\b(?:an?|two|three) (?:[\w-]+ ){0,2}?(?P<relation>[\w-]+)(?:,? (?:called|named)|,) (?P<name>[A-ZÀ-Þ][\w-]+)"
)
_MARRIED = re.compile(r"\b(?:married|engaged) to (?P<name>[A-ZÀ-Þ][\w-]+)")
_SPOKEN_OF = re.compile(
    r"\b(?:does|is|did|has|was|about|know|met|meet|with|are) ([A-ZÀ-Þ][\w-]+)\b|\b(?!What|Who|Where|When|How|It|That|"
    r"There|Let)([A-ZÀ-Þ][\w-]+)'s\b"
)
_SPOKEN_OF_BY_FORM = re.compile(
    r"\b(?:does|did|has|is) (?!my\b|our\b|your\b|the\b|it\b|this\b|that\b|he\b|she\b|they\b|there\b|i\b|we\b|you\b|"
    r"an?\b|one\b|anyone\b|anybody\b|somebody\b|everyone\b)([^\W\d_]+) (?:live|work|like|have|speak|come|from|play|"
    r"study|"
    r"drive|prefer|hate|love|married|allergic|do$)\b",
    re.IGNORECASE,
)
_FIRST_PERSON = re.compile(r"^(?:I|We|Ich|Je|J'|Yo|Eu|Io)\b|^I'|^We'", re.IGNORECASE)


def stem(word: str) -> str:
    """Return a word without its endings, so that `peanuts` and `peanut` agree."""
    word = word.lower().removesuffix("'s").removesuffix("'")
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    for ending, put in (
        ("ies", "y"),
        ("sses", "ss"),
        ("ing", ""),
        ("ches", "ch"),
        ("shes", "sh"),
        ("ed", ""),
        ("s", ""),
    ):
        if word.endswith(ending) and len(word) - len(ending) >= _SHORT and not word.endswith("ss"):
            bare = word[: -len(ending)] + put
            bare = (
                bare[:-1]
                if ending in {"ing", "ed"} and len(bare) > _SHORT and bare[-1] == bare[-2] and bare[-1] not in "ls"
                else bare
            )
            return _IRREGULAR.get(bare, bare.removesuffix("e"))
    return word.removesuffix("e") if len(word) > _LONG else word


def content(text: str) -> frozenset[str]:
    """Return the stems of the words that carry meaning."""
    words = (match[0] for match in _WORD.finditer(text.replace("’", "'")))
    return frozenset(stem(word) for word in words if word.lower() not in _STOP and (len(word) > 1 or word.isdigit()))


def overlap(asked: frozenset[str], said: frozenset[str]) -> frozenset[str]:
    """Return the asked words that are said; a long word also counts inside another (`nuts` in `peanuts`)."""
    return frozenset(
        word
        for word in asked
        if word in said
        or (len(word) >= _SHORT and any(len(other) > _SHORT and _is_part(word, other) for other in said))
    )


def _is_part(word: str, other: str) -> bool:
    shorter, longer = sorted((word, other), key=len)
    ends = len(shorter) >= _SHORT and longer.endswith(shorter) and len(longer) - len(shorter) >= _SHORT
    return ends or (len(shorter) >= _LONG and longer.startswith(shorter))


def aliases(texts: list[str]) -> dict[str, set[str]]:
    """Return what else a name or a relation is called, from sentences such as `My sister Maria is a nurse`."""
    known: dict[str, set[str]] = {}
    for text in texts:
        for pattern in (_RELATED_NAME, _IS_RELATED, _HAS_NAMED, _MARRIED):
            for match in pattern.finditer(text):
                relation = stem(match["relation"]) if "relation" in match.groupdict() else "partner"
                if relation in RELATIONS:
                    known.setdefault(match["name"].lower(), set()).add(relation)
    return known


def people_asked(question: str, names: dict[str, set[str]]) -> frozenset[str]:
    """Return the relations and the names that a question is about; relations also for a known name."""
    words = {stem(match[0]) for match in _WORD.finditer(question)}
    lower = {match[0].lower().removesuffix("'s") for match in _WORD.finditer(question)}
    found = {word for word in words if word in RELATIONS or word in _PARTS}
    if not _OWNED.search(question):
        found -= _ANIMALS
    found |= lower & names.keys()
    found |= {(match[1] or match[2]).lower() for match in _SPOKEN_OF.finditer(question)}
    found |= {match[1].lower() for match in _SPOKEN_OF_BY_FORM.finditer(question)}
    return frozenset(found)


def mentions(text: str, person: str, names: dict[str, set[str]]) -> bool:
    """Tell whether a memory is about this person, by relation or by a name that is known to be theirs."""
    lower = {match[0].lower().removesuffix("'s") for match in _WORD.finditer(text)}
    wanted = _PARTS.get(person, {person})
    words = {stem(word) for word in lower}
    if not is_english(text):
        words |= {ABROAD[word] for word in lower if word in ABROAD}
    if person in lower or words & wanted:
        return True
    return any(name in lower and relations & wanted for name, relations in names.items())


def is_about_others(text: str) -> bool:
    """Tell whether a memory's subject is somebody else (`My sister ...`)."""
    if _FIRST_PERSON.match(text):
        return False
    first = [match[0] for match in _WORD.finditer(text)][:4]
    return (
        bool(first)
        and first[0].lower() in {"my", "our", "mein", "meine"}
        and any(stem(word) in RELATIONS for word in first[1:])
    )
