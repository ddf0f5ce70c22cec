"""What the offline assistant answers: what it saved, what it knows, or plainly that it cannot know.

It never invents: every statement about the user is a memory turned into the second person, with its date.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

from optimus.llm_handler.offline import replies
from optimus.llm_handler.offline.dated import age_by, day_in, is_old
from optimus.llm_handler.offline.markdown import shown
from optimus.llm_handler.offline.matching import answer_from, related_to
from optimus.llm_handler.offline.question import Form, Question, is_of_eating, read_question
from optimus.llm_handler.offline.second_person import is_english, second_person, within_sentence
from optimus.llm_handler.requests import OfflineContext
from optimus.models import ChangeKind, Memory, MemoryChange, MemoryType, RecalledMemory, SourceKind

MAX_OVERVIEW = 20

_OPENERS = ("Got it", "Noted", "Understood", "I'll remember that")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer and the memories that it quotes."""

    text: str
    quoted: tuple[Memory, ...] = ()


def respond(prompt: str, context: OfflineContext) -> str:
    """Return the text of the `reply` to a prompt."""
    return reply(prompt, context).text


def reply(prompt: str, context: OfflineContext) -> Reply:
    """Answer a prompt from what was recalled and what the prompt changed.

    Args:
        prompt: the user's message.
        context: what matches the prompt, and what the prompt changed in memory.

    Returns:
        Markdown without HTML, images or links; what the user wrote appears escaped. The same every time.
    """
    changes = [change for change in context.changes if not change.undone]
    parts = [_acknowledge(changes)] if changes else []
    answer = _answer(prompt, context, has_changes=bool(changes))
    parts += [answer.text] if answer else []
    if context.first_in_conversation:
        parts.append(_manners(context).not_connected)
    return Reply(text="\n\n".join(parts), quoted=answer.quoted if answer else ())


def _manners(context: OfflineContext) -> replies.Manners:
    return replies.Manners(keeps=context.keeps, looks_up=context.looks_up)


def _answer(prompt: str, context: OfflineContext, *, has_changes: bool) -> Reply | None:
    small = None if has_changes else replies.small_talk(prompt, now=context.now, manners=_manners(context))
    question = read_question(prompt)
    if small is not None or question is None:
        text = small or (None if has_changes else _without_question(prompt, context))
        return Reply(text=text) if text else None
    changed = {change.memory_id for change in context.changes}
    recalled = tuple(item for item in context.recalled if item.memory.id not in changed)
    if question.points_back:
        return _told_before(context)
    if question.is_overview:
        return _overview(recalled, context, has_changes=has_changes)
    answer = _from_memory(question, recalled, context)
    if answer is None and has_changes:
        return Reply(text=replies.NO_MODEL_REST)
    return answer or Reply(text=_unknown(prompt, question, context))


def _without_question(prompt: str, context: OfflineContext) -> str:
    if replies.is_task(prompt):
        return _manners(context).cannot_do
    hint = replies.hint(prompt) if context.keeps_all else None
    if hint:
        return hint
    return replies.NOTHING_SAID if context.keeps_all else replies.KEPT_NOTHING


def _unknown(prompt: str, question: Question, context: OfflineContext) -> str:
    if replies.is_task(prompt):
        return _manners(context).cannot_do
    if not question.about_user:
        return _manners(context).no_model
    if not context.looks_up:
        return replies.NOT_LOOKED_UP
    return replies.NOTHING_YET if context.keeps_all else replies.NOTHING_KEPT_YET


def _from_memory(question: Question, recalled: tuple[RecalledMemory, ...], context: OfflineContext) -> Reply | None:
    """Return an answer made of memories, or None where they hold none."""
    needs_advice = question.form is Form.ADVICE or is_of_eating(question.text)
    related = related_to(question, recalled, now=context.now) if needs_advice else ()
    if related:
        return _list("I can't work that out without a language model. What you told me that may help:", related)
    return _direct(question, recalled, context)


def _direct(question: Question, recalled: tuple[RecalledMemory, ...], context: OfflineContext) -> Reply | None:
    match = answer_from(question, recalled, now=context.now)
    is_own = question.about_user or match.is_about_known or match.topic == "plans"
    is_of_world = not (is_own or _is_dated(question, match.memories))
    if match.memories and is_of_world and all(map(_is_personal, match.memories)):
        return _list(f"{_manners(context).no_model} What you told me about it:", match.memories)
    if match.memories:
        if match.topic == "age":
            return _age(match.memories[0], context)
        if len(match.memories) == 1:
            return Reply(text=_told(match.memories[0]), quoted=match.memories)
        return _list("Here is what you told me:", match.memories)
    if match.nearby:
        about = f" about {shown(match.missing)}" if match.missing else " about exactly that"
        return _list(f"I don't have anything{about} yet. What I know:", match.nearby)
    return None


def _is_dated(question: Question, memories: tuple[Memory, ...]) -> bool:
    """Tell whether a question after a time is answered by what lies on a day of the user's."""
    return question.form is Form.WHEN and all(day_in(memory.text) for memory in memories)


def _age(memory: Memory, context: OfflineContext) -> Reply:
    """Answer with the age that follows from a birth, or that was told, and when where that is long ago."""
    age = age_by(memory, context.now)
    told = _told(memory)
    if age is not None and memory.text.startswith("I "):
        told = f"You're {age} years old. {told}"
    elif age is None and is_old(memory, context.now):
        told = f"{told} That is a while ago."
    return Reply(text=told, quoted=(memory,))


def _told_before(context: OfflineContext) -> Reply:
    """Say when that was told which the last answer quoted, or the last message said."""
    if not context.spoken_of:
        return Reply(text=replies.WHICH_ONE)
    lines = [f"- {shown(use.text)} ({replies.moment(use.recorded_at)})" for use in context.spoken_of[:MAX_OVERVIEW]]
    if len(context.spoken_of) == 1:
        (use,) = context.spoken_of
        return Reply(text=f"You told me on {replies.moment(use.recorded_at)}: “{shown(use.text)}”")
    return Reply(text="This is when you told me:\n\n" + "\n".join(lines))


def _is_personal(memory: Memory) -> bool:
    """Tell whether a memory is about the user, so that it says nothing general about the things in it."""
    return memory.text.startswith(("I ", "I'", "We "))


def _overview(recalled: tuple[RecalledMemory, ...], context: OfflineContext, *, has_changes: bool) -> Reply:
    if not context.looks_up:
        return Reply(text=replies.NOT_LOOKED_UP)
    known = [item.memory for item in recalled if item.memory.type is not MemoryType.CONVERSATION][:MAX_OVERVIEW]
    if not known:
        return Reply(text="That is all so far." if has_changes else _nothing_about_you(context))
    listed = _list("Here is what I know about you:", known)
    return Reply(text=f"{listed.text}\n\nThe Memory page shows everything.", quoted=listed.quoted)


def _nothing_about_you(context: OfflineContext) -> str:
    return replies.NOTHING_ABOUT_YOU if context.keeps_all else replies.NOTHING_KEPT_YET


def _told(memory: Memory) -> str:
    """Return one memory with its date, as whole sentences."""
    day = replies.written(memory.recorded_at)
    source = memory.provenance.source
    if memory.type is MemoryType.CONVERSATION:
        return f"On {day} you wrote: “{shown(memory.text)}”"
    if source is not SourceKind.USER:
        return f"“{shown(memory.text)}” ({_origin(memory)}, {day})"
    if not is_english(memory.text):
        return f"You told me on {day}: “{shown(memory.text)}”"
    return f"{_sentence(memory.text)} You told me on {day}."


def _list(heading: str, memories: Sequence[Memory]) -> Reply:
    lines = "\n".join(f"- {_item(memory)}" for memory in memories)
    return Reply(text=f"{heading}\n\n{lines}", quoted=tuple(memories))


def _item(memory: Memory) -> str:
    day = replies.written(memory.recorded_at)
    if memory.type is MemoryType.CONVERSATION:
        return f"You wrote: “{shown(memory.text)}” ({day})"
    if memory.provenance.source is not SourceKind.USER:
        return f"“{shown(memory.text)}” ({_origin(memory)}, {day})"
    text = shown(second_person(memory.text)) if is_english(memory.text) else f"“{shown(memory.text)}”"
    return f"{text} ({day})"


def _origin(memory: Memory) -> str:
    if memory.provenance.citation:
        return f"from {shown(memory.provenance.citation)}"
    return {
        SourceKind.ASSISTANT: "from an answer",
        SourceKind.IMPORT: "from an import",
        SourceKind.FILE: "from a file",
        SourceKind.TOOL: "from a tool",
    }.get(memory.provenance.source, "told by you")


def _acknowledge(changes: Sequence[MemoryChange]) -> str:
    """Say what was saved, replaced, confirmed and forgotten, in this order."""
    added = [change.text for change in changes if change.kind is ChangeKind.ADD]
    known = [change.text for change in changes if change.kind in {ChangeKind.MERGE, ChangeKind.SKIP}]
    sentences = [_new(added)] if added else []
    replaced: dict[str, list[MemoryChange]] = {}
    for change in changes:
        if change.kind is ChangeKind.SUPERSEDE:
            replaced.setdefault(change.text, []).append(change)
    sentences += [_replaced(text, group) for text, group in replaced.items()]
    sentences += (
        [f"I already knew that {_clauses(known)}." if _all_english(known) else f"I already knew: {_clauses(known)}."]
        if known
        else []
    )
    sentences += _forgotten(changes)
    return " ".join(sentences)


def _forgotten(changes: Sequence[MemoryChange]) -> list[str]:
    """Name what was forgotten; questions that went with it are not worth naming."""
    gone = [change.replaced_text or change.text for change in changes if change.kind is ChangeKind.FORGET]
    named = [f"“{shown(text)}”" for text in dict.fromkeys(gone) if read_question(text) is None]
    if not named:
        return ["I've forgotten that."] if gone else []
    return [f"I've forgotten {_joined(named)}."]


def _new(texts: list[str]) -> str:
    opener = _OPENERS[crc32("\n".join(texts).encode()) % len(_OPENERS)]
    return f"{opener}: {_clauses(texts)}."


def _replaced(text: str, changes: Sequence[MemoryChange]) -> str:
    new = _sentence(text) if is_english(text) else f"“{shown(text)}”."
    old = [f"“{shown(change.replaced_text)}”" for change in changes if change.replaced_text]
    return f"{new} I replaced {_joined(old)}." if old else new


def _clauses(texts: list[str]) -> str:
    """Join what was said to one clause: `you're allergic to peanuts and you live in Lisbon`."""
    said = [shown(within_sentence(second_person(text))) if is_english(text) else f"“{shown(text)}”" for text in texts]
    return _joined(said)


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _all_english(texts: list[str]) -> bool:
    return all(is_english(text) for text in texts)


def _sentence(text: str) -> str:
    said = shown(second_person(text))
    return said if said.endswith(("…", "!", "?")) else f"{said}."
