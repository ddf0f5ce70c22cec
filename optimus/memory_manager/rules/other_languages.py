"""The commonest statements in German, French, Spanish, Portuguese and Italian.

A short table per language, of forms that cannot mean anything else. The memory keeps the user's language; the slots are
those of English, so that `Ich wohne jetzt in Porto` replaces `I live in Lisbon`.
"""

from __future__ import annotations

import re
from dataclasses import replace

from optimus.memory_manager.rules import wording
from optimus.memory_manager.rules.candidate import Candidate
from optimus.memory_manager.rules.foreign import Form, Language, compiled
from optimus.memory_manager.rules.german import GERMAN
from optimus.memory_manager.rules.lexicon import is_name
from optimus.memory_manager.rules.romance import FRENCH, ITALIAN, PORTUGUESE, SPANISH
from optimus.memory_manager.rules.rule import hashed, thing_key

LANGUAGES = (GERMAN, FRENCH, SPANISH, PORTUGUESE, ITALIAN)

_MAX_CHARS = 300
_GERMAN_NAMES = re.compile(
    r"\b(?:heiße|heißt|nach|bei|aus|in|für|Name ist|[Nn]enne? mich) ([A-ZÄÖÜ][\w-]+)|"
    r"\b(?:[Mm]eine?) [A-ZÄÖÜ]\w+ ([A-ZÄÖÜ][\w-]+)"
)


def language_of(sentence: str) -> str | None:
    """Return the language whose rules know this sentence; None for English and for what no table knows."""
    language = _language(sentence)
    return language.code if language else None


def state(sentence: str, *, asks: bool) -> list[Candidate]:
    """Return what a sentence in one of the five languages says about its writer."""
    language = _language(sentence)
    if language is None or asks:
        return []
    text = language.opener.sub("", sentence, count=1)
    remember = language.remember.match(text)
    if remember is None:
        return _clauses(text, language)
    rest = remember["rest"].strip(" ,:")
    found = _clauses(_main_order(rest, language), language)
    if not found:
        found = [
            Candidate(
                text=_tidy(text, language), type=language.note, importance=0.7, language=language.code,
                entities=_entities(_tidy(text, language), language),
            )
        ]  # fmt: skip
    return [replace(candidate, explicit=True, confidence=0.95) for candidate in found]


def _language(sentence: str) -> Language | None:
    if len(sentence) > _MAX_CHARS:
        return None
    for language in LANGUAGES:
        text = language.opener.sub("", sentence, count=1)
        if language.remember.match(text) or any(_find(clause, language) for clause in _split(text, language)):
            return language
    return None


def _split(text: str, language: Language) -> list[str]:
    """Split at `and` and commas where a clause of its own follows; a bare verb gets the first clause's subject."""
    whole: list[str] = []
    parts = language.joint.split(text)
    for index in range(0, len(parts), 2):
        piece = parts[index].strip()
        if whole and language.bare_verb.match(piece):
            whole.append(f"{language.subject}{piece}")
        elif not whole or language.starts.match(piece):
            whole.append(piece)
        else:
            whole[-1] += parts[index - 1] + piece
    return whole


def _clauses(text: str, language: Language) -> list[Candidate]:
    found = (_candidate(_tidy(clause, language), language) for clause in _split(text, language))
    return [candidate for candidate in found if candidate is not None]


def _candidate(clause: str, language: Language) -> Candidate | None:
    form_and_match = _find(clause, language)
    if form_and_match is None:
        return None
    form, match = form_and_match
    groups = {name: value for name, value in match.groupdict().items() if value}
    return Candidate(
        text=clause,
        type=form.type,
        slot=_slot(form, groups, language),
        negates=form.negates.format(**groups) if form.negates else None,
        importance=form.importance,
        confidence=0.85,
        entities=_entities(clause, language),
        language=language.code,
    )


def _find(clause: str, language: Language) -> tuple[Form, re.Match[str]] | None:
    clause = _tidy(clause, language)
    for form in language.forms:
        match = compiled(form.pattern).fullmatch(clause)
        if match is None:
            continue
        groups = match.groupdict()
        if groups.get("self") and not is_name(groups["self"]):
            continue
        if groups.get("value") and language.no_object.match(groups["value"]):
            continue
        return form, match
    return None


def _slot(form: Form, groups: dict[str, str], language: Language) -> str | None:
    if form.slot is None:
        return None
    if form.slot == "{who}.name" and language.people.get(groups.get("rel", "").lower(), "").startswith("pet."):
        return None
    who = language.people.get(groups.get("rel", "").lower(), "")
    name = groups.get("name", "").lower()
    person = who if who == "partner" or not name else f"{who}.{name}"
    value = groups.get("value", "")
    return form.slot.format(who=who, person=person, hash=hashed(value), value=thing_key(value))


def _entities(clause: str, language: Language) -> tuple[str, ...]:
    """Return the proper names; where every noun has a capital, those that stand where a name stands."""
    if language.code != "de":
        return wording.entities(clause)
    return tuple(dict.fromkeys(name for names in _GERMAN_NAMES.findall(clause) for name in names if name))


def _main_order(rest: str, language: Language) -> str:
    """Turn a German subordinate clause round (`ich in Berlin wohne` -> `ich wohne in Berlin`)."""
    match = re.match(r"^(?P<subject>ich|mein\w* \w+(?: [A-Z]\w+)?) (?P<middle>.+) (?P<verb>\w+)$", rest, re.IGNORECASE)
    if language.code != "de" or match is None or not language.finite.fullmatch(match["verb"]):
        return rest
    return f"{match['subject']} {match['verb']} {match['middle']}"


def _tidy(text: str, language: Language) -> str:
    text = language.closer.sub("", text.strip(" ,.!"))
    return text[:1].upper() + text[1:]
