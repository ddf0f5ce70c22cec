"""Who a sentence speaks of: somebody of the writer's by relation and name, and what `he`, `she` and `they` may mean."""

from __future__ import annotations

import re
from dataclasses import dataclass

from optimus.memory_manager.rules import lexicon
from optimus.memory_manager.rules.rule import compiled

_NAME = r"(?P<name>(?-i:[A-ZÀ-ÖØ-Þ])[\w-]+(?: (?-i:[A-ZÀ-ÖØ-Þ])[\w-]+)?)"
_RELATION = r"(?P<relation>(?:@QUALITY ){0,2}@PEOPLE)\b"
_OWNED = compiled(
    rf"\b(?:my|our) {_RELATION}(?P<of>'s (?!name\b))?(?:(?:,|'s name(?: is|'s)| is called| is named| called| named| "
    rf"is)?"
    rf" {_NAME}\b(?!'s [a-z]+ [A-Z]))?"
)
_HAD = compiled(
    rf"\b(?:(?:I|we)(?: have|'ve got| have got| got| adopted| also have| own)|and) (?:an?|one) (?:[\w-]+ "
    rf"){{0,2}}?{_RELATION}"
    rf"(?:,? (?:called |named |whose name is )?{_NAME}\b)?"
)
_INTRODUCED = compiled(rf"\b{_NAME} (?:is|was) (?:my|our) {_RELATION}")
_SUBJECT = compiled(rf"(?:my|our) {_RELATION}")
_MARRIED = compiled(rf"\b(?:married|engaged) to {_NAME}")
_STRANGER = re.compile(
    r"(?<=[\w,] )(?<!\bin )(?<!\bat )(?<!\bto )(?<!\bfrom )(?<!\bfor )(?<!\bnear )(?<!\bof )(?<!\bon )(?<!\bis )"
    r"(?<!\bcalled )(?<!\bnamed )(?<!\bas )(?<!\bspeaks )(?<!\bloves )(?<!\blikes )[A-ZÀ-ÖØ-Þ][\w-]+"
)
_SOMEBODY = re.compile(r"\b(?:a|an|the|some|this|that|his|her|their) (?:guy|man|woman|girl|boy|person|lady|someone|"
                       r"one)\b"
                       r"|\b(?:someone|somebody)\b", re.IGNORECASE)  # fmt: skip
_SHE = frozenset(
    [
        "wife",
        "girlfriend",
        "fiancée",
        "fiancee",
        "mother",
        "mom",
        "mum",
        "mama",
        "mommy",
        "mummy",
        "grandmother",
        "grandma",
        "granny",
        "nana",
        "sister",
        "daughter",
        "aunt",
        "auntie",
        "niece",
        "granddaughter",
        "stepmother",
        "stepmom",
        "stepsister",
        "stepdaughter",
        "mother-in-law",
        "sister-in-law",
        "daughter-in-law",
        "godmother",
        "goddaughter",
        "ex-wife",
        "ex-girlfriend",
        "landlady",
    ]
)
_HE = frozenset(
    [
        "husband",
        "boyfriend",
        "fiancé",
        "fiance",
        "father",
        "dad",
        "daddy",
        "papa",
        "grandfather",
        "grandpa",
        "grandad",
        "granddad",
        "brother",
        "son",
        "uncle",
        "nephew",
        "grandson",
        "stepfather",
        "stepdad",
        "stepbrother",
        "stepson",
        "father-in-law",
        "brother-in-law",
        "son-in-law",
        "godfather",
        "godson",
        "ex-husband",
        "ex-boyfriend",
        "landlord",
    ]
)
_THEY = frozenset(
    [
        "parents",
        "grandparents",
        "in-laws",
        "siblings",
        "sisters",
        "brothers",
        "sons",
        "daughters",
        "kids",
        "children",
        "twins",
        "cousins",
        "friends",
        "colleagues",
        "coworkers",
        "co-workers",
        "neighbours",
        "neighbors",
        "roommates",
        "flatmates",
        "dogs",
        "cats",
        "grandchildren",
        "grandkids",
        "family",
        "puppies",
        "kittens",
        "rabbits",
        "chickens",
        "goats",
        "pets",
    ]
)
_PETS = re.compile(rf"(?:{lexicon.PETS})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the writer's, as they were spoken of (`older sister`, `Maria`)."""

    relation: str
    name: str | None = None

    @property
    def subject(self) -> str:
        """How a sentence of its own begins that speaks of them."""
        return f"My {self.relation}{f' {self.name}' if self.name else ''}"

    @property
    def head(self) -> str:
        """The relation without what tells one from another (`sister`)."""
        return self.relation.split()[-1]

    def agrees_with(self, pronoun: str) -> bool:
        """Tell whether `he`, `she`, `it` or `they`, or what belongs to them, can mean this person or animal."""
        word = pronoun.lower()
        if self.head in _THEY:
            return word in {"they", "their"}
        if word in {"it", "its"}:
            return _PETS.fullmatch(self.head) is not None
        if word in {"she", "her"}:
            return self.head not in _HE
        return word in {"he", "his"} and self.head not in _SHE


def people_in(text: str) -> tuple[Person, ...]:
    """Return those of the writer's people that a sentence speaks of, each once; a name is kept with its relation."""
    found: dict[str, Person] = {}
    for pattern in (_OWNED, _HAD, _INTRODUCED, _MARRIED):
        for match in pattern.finditer(text):
            name = match["name"]
            name = name if name and lexicon.is_own_name(name) else None
            person = Person(match["relation"].lower() if pattern is not _MARRIED else "partner", name)
            known = found.get(person.relation)
            if known is None or known.name is None:
                found[person.relation] = person
            elif name and name != known.name:
                found[f"{person.relation} {name}"] = person
    return tuple(found.values())


def subject_of(text: str) -> str:
    """Return whom a statement is about: a relation without the name (`best friend`), or empty for the writer."""
    match = _SUBJECT.match(text)
    return match["relation"].lower() if match else ""


def sole_person(sentence: str) -> Person | None:
    """Return the only person that a sentence speaks of; None where it speaks of nobody, or of somebody else besides."""
    people = people_in(sentence)
    if len(people) != 1 or any(match["of"] for match in _OWNED.finditer(sentence)):
        return None
    return None if mentions_somebody(sentence, besides=people[0].name or "") else people[0]


def mentions_somebody(sentence: str, *, besides: str = "") -> bool:
    """Tell whether a sentence names or points at somebody who is no one's relation (`Tom`, `a guy`)."""
    strangers = [match[0] for match in _STRANGER.finditer(sentence) if match[0] not in besides.split()]
    return any(lexicon.is_own_name(word) for word in strangers) or _SOMEBODY.search(sentence) is not None
