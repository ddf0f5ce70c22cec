"""Split an English sentence into whole clauses, each with its subject."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from optimus.memory_manager.rules import wording
from optimus.memory_manager.rules.people import Person, mentions_somebody, people_in, sole_person

MAX_CLAUSES = 12

_JOINT = re.compile(
    r"(\s*,\s*(?:(?:and|but|so|because|as|since|though|although|while|plus|or) )?|\s+(?:and|but|so|because|although|"
    r"though|while|plus)\s+|\s+[–—-]+\s+|:\s+|\s*\((?=I\b|my\b))",
    re.IGNORECASE,
)
_ADVERB = (
    r"(?:(?:now|also|currently|still|then|recently|just|really|both|only|usually|often|always|never|sometimes|mostly|"
    r"mainly|absolutely|actually|generally|normally|typically|rarely|definitely) ){0,2}"
)
_SUBJECT = re.compile(
    r"^(?:I(?:'m|'ve|'ll|'d)?|we(?:'re|'ve|'ll)?|he(?:'s)?|she(?:'s)?|they(?:'re)?|it(?:'s)?|you(?:'re)?|there(?:'s)?|"
    r"that(?:'s)?|this|please|call me|don't call me)\b",
    re.IGNORECASE,
)
_OWNED = re.compile(
    r"^(?:my|our|his|her|their|the|(?-i:[A-Z])[\w-]+) .*?\b(?:is|are|was|were|has|have|had|lives?|works?|likes?|loves?|"
    r"hates?|speaks?|died|moved|turned|studies|starts?|leaves|goes|prefers|said|says|told|thinks|comes|plays|drives|"
    r"owns|isn't|doesn't|don't|aren't)\b|^(?:my|our) [\w' -]+?'s\b",
    re.IGNORECASE,
)
_VERB = re.compile(
    r"\b(?:I'm|I've|'s|'re|am|is|are|was|were|has|have|had|isn't|aren't|can't|don't|doesn't|lives?|works?|likes?|"
    r"loves?|hates?|enjoys?|prefers?|speaks?|drives?|plays?|stud(?:y|ies)|owns?|runs?|eats?|drinks?|grew|moved|turned|"
    r"died|adores?|dislikes?|collects?|takes?|wears?|used|comes?|goes|go|called|call|suffer|smoke|follow|support|quit|"
    r"left|joined|started|changed|got|went|took|ran|met|saw|bought|made|did|flew|began|won|lost|broke|gave|read|teach|"
    r"[\w']+ed)\b",
    re.IGNORECASE,
)
_BARE_FIRST = re.compile(
    rf"^{_ADVERB}(?:live (?:in|at|with|on|near|alone|by|there)\b|work (?:at|for|in|as|from|with|on|remotely|part|full|"
    r"nights|night)\b|(?:like|love|hate|enjoy|prefer|adore|dislike|detest|speak|play|study|collect|own|drive|wear|take|"
    r"eat|drink|run|support|follow|teach) \S+|can't \S+|don't \S+|am \S+|was \S+|have (?:a|an|one|two|three|four|five|"
    r"six|no|been|lived|worked|never|always|\w+)\b|suffer from\b|come from\b|grew up\b|moved to\b|used to\b|smoke\b|"
    r"do (?:not|yoga|judo|karate|pilates)\b|go to\b|swim\b|cycle\b|no longer \S+)",
    re.IGNORECASE,
)
_BARE_THIRD = re.compile(
    rf"^{_ADVERB}(?:lives?|works?|likes|loves|hates|enjoys|prefers|adores|speaks|plays|studies|owns|drives|is|are|was|"
    rf"has|"
    r"had|can't|can|doesn't|isn't|runs|eats|moved|turned|comes|goes|grew|wants|teaches|collects|wears|takes)\b \S+",
    re.IGNORECASE,
)
_STATE = re.compile(
    rf"^{_ADVERB}(?:not |no longer )?(?:allergic|intolerant|vegetarian|vegan|pescatarian|married|single|engaged|"
    rf"divorced|"
    r"pregnant|diabetic|asthmatic|left-handed|right-handed|colou?r-?blind|from [A-Z]|based in|living in|working (?:at|"
    r"for|as)|studying|\d{1,3}$|\d{1,3} years old|afraid of|scared of|lactose|gluten|retired|unemployed|self-employed|"
    r"originally from|(?:an? )(?:[\w-]+ ){0,3}(?:er|\w+(?:er|or|ist|ian|ant|man|woman|nurse|student|chef|cook|pilot|"
    r"vegetarian|vegan|freelance))\b)",
    re.IGNORECASE,
)
_ASKING = re.compile(
    r"^(?:(?:in|at|for|with|to|from|on|since|by|of) (?:what|which|whom|whose|when)|"
    r"(?:what|who|where|when|why|how|which|whose)(?:'s)?|do|does|did|am|is|are|was|were|can|could|will|would|"
    r"should|shall|may|have you|has|any idea|any (?:tips|ideas|suggestions|recommendations)|right|correct|isn't it|"
    r"don't i|aren't i|is that|tell me|suggest|recommend|help me|give me|show me)\b",
    re.IGNORECASE,
)
_REPORTED = re.compile(
    r"^(?:(?!I\b).*\b)?(?:said|says|say|tells?|told|thinks?|thought|claims?|claimed|believes?|asked|asks|wrote|writes|"
    r"mentioned|heard|assumes?|wonders?|insists?|quoted?|according to)\b",
    re.IGNORECASE,
)
_ASIDE = re.compile(r"\b(?:but|so|because|though|although|while|since)\b|[–—-]", re.IGNORECASE)
_PRONOUN = re.compile(
    r"^(?P<subject>he|she|it|they)(?P<be>'s|'re)?\b|^(?P<owner>his|her|its|their) (?=\w)", re.IGNORECASE
)
_PERSON = re.compile(
    r"^(?P<subject>(?:[Mm]y|[Oo]ur) (?:[\w-]+ ){0,2}?[\w-]+(?: [A-Z][\w-]+){0,2}?)(?= (?:is|was|has|lives|works|loves|"
    r"likes|hates|speaks|studies|moved|turned|plays|prefers|isn't|doesn't|enjoys|can't)\b|'s\b)"
)
_APPOSITION = re.compile(r"^((?:[Mm]y|[Oo]ur) [\w -]{2,30}), ([A-Z][\w-]+(?: [A-Z][\w-]+)?),? (?=\w)")
_NAMED_FIRST = re.compile(r"^([A-Z][\w-]+(?: [A-Z][\w-]+)?), (my [\w -]{2,25}), (?=\w)")
_INFINITIVE = re.compile(
    r"\b(?:(?:like|love|want|need|going|plan|planning|hope|hoping|try|trying|learn|learning|have|has|used|able|prefer|"
    r"hate|decided|how|supposed|started|began) to|will|can|can't|should|must|'ll|used to) [a-z]+",
    re.IGNORECASE,
)
_PERFECT = re.compile(r" (?:just |also |already |never |always )?(?:got|been|had|gone|done|taken|left|lost|\w+ed)\b")
_AT_PRESENT = re.compile(r"^(?:now|currently|today|also|still)\b", re.IGNORECASE)
_I_AM = "I'm"
_COPULA = re.compile(r"(?:I'm|I am|We're|We are)\b", re.IGNORECASE)
_TAG = re.compile(
    r"(?:right|correct|isn't it|don't i|aren't i|is that|(?:do|am|have|did|was|will|can) i$)\b", re.IGNORECASE
)
_SAID_AFTER_COLON = re.compile(
    r"^(?:i|we|my|our)\b|\b(?:facts?|about me|fyi|updates?|news|things?|info|here)\b", re.IGNORECASE
)
_FIRST_PERSON = re.compile(r"^(?:I|we)(?:\b|')", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clauses:
    """What is said in a sentence, and who was last spoken of."""

    said: tuple[str, ...]
    person: Person | None = None


def split(sentence: str, *, asks: bool, person: Person | None = None) -> Clauses:
    """Return the clauses that the writer states, in order; what is asked or reported is left out.

    Args:
        sentence: one sentence, without its mark.
        asks: it ended with a question mark, so at most what stands before the question is stated.
        person: whom `he` or `she` means at its beginning: the only one that the sentence before spoke of.
    """
    sentence = _APPOSITION.sub(r"\1 \2 ", sentence, count=1)
    sentence = _NAMED_FIRST.sub(lambda m: f"{m[2][0].upper()}{m[2][1:]} {m[1]} ", sentence, count=1)
    parts = _JOINT.split(sentence, maxsplit=MAX_CLAUSES)
    state = _State(person=person)
    is_open = False
    for index in range(0, len(parts), 2):
        piece = parts[index].strip()
        joint = parts[index - 1] if index else ""
        if not piece:
            continue
        if asks and (_ASKING.match(piece) or (index == 0 and _REPORTED.match(piece))):
            is_open = index > 0 and _TAG.match(piece) is None
            break
        state = _take(state, piece, joint)
    said = state.said if not asks or is_open else ()
    return Clauses(said=tuple(said), person=_spoken_of(sentence, state, person))


def _spoken_of(sentence: str, state: _State, before: Person | None) -> Person | None:
    """Return whom the next sentence may call `he` or `she`: nobody, where it could be anybody else."""
    if state.is_reported:
        return None
    if people_in(sentence):
        return sole_person(sentence)
    starts_with = _PRONOUN.match(sentence)
    if before is None or starts_with is None or mentions_somebody(sentence):
        return None
    return state.person if before.agrees_with(starts_with["subject"] or starts_with["owner"]) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    said: tuple[str, ...] = ()
    person: Person | None = None
    is_reported: bool = False
    is_aside: bool = False


def _take(state: _State, piece: str, joint: str) -> _State:
    current = state.said[-1] if state.said else ""
    whole = _whole(piece, current, state.person)
    if whole is None and current:
        if state.is_aside or (_ASIDE.search(joint) and not piece.startswith("not ")):
            return replace(state, is_aside=True)
        return replace(state, said=(*state.said[:-1], f"{current}{joint}{piece}"))
    clause = whole or piece
    if joint.startswith(":") and not _SAID_AFTER_COLON.search(current):
        return replace(state, is_reported=True)
    if state.is_reported or _REPORTED.match(clause):
        return replace(state, is_reported=True)
    person = sole_person(clause) if people_in(clause) else state.person
    return replace(state, said=(*state.said, clause), person=person, is_aside=False)


def _whole(piece: str, current: str, person: Person | None) -> str | None:
    """Return the piece as a clause of its own, or None where it only goes on with the current one."""
    pronoun = _PRONOUN.match(piece)
    if pronoun and person and person.agrees_with(pronoun["subject"] or pronoun["owner"]):
        rest = piece[pronoun.end() :]
        return f"{person.subject}'s {rest}" if pronoun["owner"] else f"{person.subject}{_be(pronoun['be'], rest)}{rest}"
    if not current:
        return piece
    if not _VERB.search(current):
        return None
    if _SUBJECT.match(piece) or _OWNED.match(piece):
        return piece
    return _with_subject(piece, wording.time_last(current))


def _be(short: str | None, rest: str) -> str:
    """Write `'s` and `'re` out, save where it may stand for `has` and `have`."""
    if short is None or _PERFECT.match(rest):
        return short or ""
    return " are" if short == "'re" else " is"


def _with_subject(piece: str, current: str) -> str | None:
    """Return a bare predicate with the subject of the clause before it."""
    if _FIRST_PERSON.match(current):
        is_plural = current[:2].lower() == "we"
        if _BARE_FIRST.match(piece) and (_AT_PRESENT.match(piece) or not _INFINITIVE.search(current)):
            return f"{'We' if is_plural else 'I'} {piece}".replace("I am ", "I'm ", 1)
        is_state = _STATE.match(piece) is not None and _COPULA.match(current) is not None
        return f"{'We are' if is_plural else _I_AM} {piece}" if is_state else None
    found = _PERSON.match(current)
    return f"{found['subject']} {piece}" if found and _BARE_THIRD.match(piece) else None
