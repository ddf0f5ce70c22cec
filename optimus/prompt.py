"""What of memory goes into a prompt, and what is kept of it with the answer."""

from __future__ import annotations

import json
from collections.abc import Sequence

from optimus.llm_handler.offline.respond import reply as offline_reply
from optimus.llm_handler.prices import context_tokens
from optimus.llm_handler.requests import (
    OFFLINE_MODEL,
    Credentials,
    GenerationRequest,
    ModelChoice,
    ModelRef,
    OfflineContext,
    PromptTurn,
)
from optimus.llm_handler.turns import MEMORY_RULE
from optimus.models import (
    Attachment,
    ChangeKind,
    Conversation,
    MemoryType,
    MemoryUse,
    Message,
    MessageRole,
    MessageState,
    RecalledMemory,
)

INSTRUCTIONS = """You are Optimus, an assistant with a memory. Answer in the user's language, to the point and \
warmly. Use what you know about the user where it helps, without listing it unasked. If the notes do not answer a \
question about the user, say so instead of guessing. What the user tells you is remembered by the application; do \
not claim to have saved or deleted anything yourself."""

KEEPS_NOT_ALL = "The user has limited what is remembered, so do not promise to remember anything."
LOOKS_NOTHING_UP = "The user has switched off that you get notes about them; if you lack some, say so."

MAX_MEMORIES = 20
MAX_MEMORY_TOKENS = 2_000
WHOLE_TOKENS = 1_500
"""Up to so many tokens everything that is remembered is given to a model: choosing would save nothing."""
IMAGE_TOKENS = 1_000
"""Of a picture as it is sent, by and large."""
PAGE_TOKENS = 500
"""Of a page of a PDF that a model looks at, beside its text, by and large."""
BYTES_PER_TOKEN = 4
"""A rule of thumb, in UTF-8: about right for English, and on the safe side for scripts of two or three bytes a sign,
of which one sign takes a third of a token (Cyrillic) to a whole one (Chinese, Japanese)."""


def instructions(context: OfflineContext) -> str:
    """Return what a language model is told about itself and about the memory that its user allows it."""
    lines = [INSTRUCTIONS]
    lines += [] if context.keeps_all else [KEEPS_NOT_ALL]
    lines += [] if context.looks_up else [LOOKS_NOTHING_UP]
    return "\n".join(lines)


def within_budget(recalled: Sequence[RecalledMemory], *, is_all: bool = False) -> list[RecalledMemory]:
    """Return the best memories that fit the prompt's share: `MAX_MEMORIES` and `MAX_MEMORY_TOKENS`.

    One that is too long is passed over for shorter ones. Where `is_all` says that it is all there is, only the
    tokens count.
    """
    kept: list[RecalledMemory] = []
    room = MAX_MEMORY_TOKENS * BYTES_PER_TOKEN
    for found in recalled:
        size = _bytes(_line(found)) + 1
        if size > room or (len(kept) == MAX_MEMORIES and not is_all):
            continue
        room -= size
        kept.append(found)
    return kept


def memory_block(recalled: Sequence[RecalledMemory]) -> str | None:
    """Return the memories as lines of data with their dates, best first; None if there are none."""
    return "\n".join(map(_line, recalled)) or None


def _line(found: RecalledMemory) -> str:
    memory = found.memory
    cited = memory.provenance.citation
    kind = f"{memory.type}, {json.dumps(cited, ensure_ascii=False)}" if cited else memory.type
    day = f"{memory.recorded_at:%Y-%m-%d}" + ("" if memory.type is MemoryType.CONVERSATION else f" ({kind})")
    return f"{day}: {' '.join(memory.text.split())}"


def memory_use(found: RecalledMemory) -> MemoryUse:
    """Return what is kept with an answer about a memory that it was given."""
    memory = found.memory
    return MemoryUse(
        memory_id=memory.id,
        text=memory.text,
        type=memory.type,
        recorded_at=memory.recorded_at,
        score=found.score,
        parts=found.parts,
        citation=memory.provenance.citation,
    )


def offline_context(message: Message, earlier: Sequence[Message], recalled: Sequence[RecalledMemory]) -> OfflineContext:
    """Return what the offline assistant answers a message from."""
    return OfflineContext(
        recalled=tuple(recalled),
        changes=message.saved,
        spoken_of=_spoken_of(earlier),
        first_in_conversation=not earlier,
        now=message.created_at,
    )


def _spoken_of(earlier: Sequence[Message]) -> tuple[MemoryUse, ...]:
    if earlier and earlier[-1].used:
        return earlier[-1].used
    said = next((message for message in reversed(earlier) if message.role is MessageRole.USER), None)
    if said is None:
        return ()
    return tuple(
        MemoryUse(memory_id=c.memory_id, text=c.text, type=MemoryType.FACT, recorded_at=said.created_at, score=1.0)
        for c in said.saved
        if not c.undone and c.kind is not ChangeKind.FORGET
    )


def generation_request(
    reply: Message,
    prompt: str,
    earlier: Sequence[Message],
    offline: OfflineContext,
    credentials: Credentials | None,
) -> GenerationRequest:
    """Return what an answer is written from, by the model that `reply` names."""
    return GenerationRequest(
        owner=reply.user_id,
        conversation_id=reply.conversation_id,
        message_id=reply.id,
        model=ModelRef.parse(reply.model or str(OFFLINE_MODEL)),
        credentials=credentials,
        instructions=f"{instructions(offline)}\n{MEMORY_RULE}",
        memory_block=memory_block(offline.recalled),
        history=tuple(PromptTurn(role=m.role, text=m.text, attachments=m.attachments) for m in earlier if m.text),
        prompt=prompt,
        offline=offline,
    )


def trimmed(earlier: Sequence[Message], budget: int) -> list[Message]:
    """Return the newest messages that fit a budget of tokens, from one of the user's on, the oldest first."""
    kept: list[Message] = []
    room = budget * BYTES_PER_TOKEN
    for message in reversed(earlier):
        room -= _bytes(message.text) + BYTES_PER_TOKEN * attachment_tokens(message.attachments)
        if room < 0:
            break
        kept.insert(0, message)
    while kept and len(kept) < len(earlier) and kept[0].role is not MessageRole.USER:
        kept.pop(0)
    return kept


def estimated_tokens(text: str | None) -> int:
    """Return about how many tokens a text takes: one for each four bytes, rounded up."""
    return -(-_bytes(text or "") // BYTES_PER_TOKEN)


def _bytes(text: str) -> int:
    return len(text.encode(errors="replace"))


def attachment_tokens(files: Sequence[Attachment]) -> int:
    """Return about how many tokens files take."""
    texts = sum(estimated_tokens(each.words) for each in files)
    pages = sum(each.pages for each in files)
    return texts + IMAGE_TOKENS * sum(each.kind == "image" for each in files) + PAGE_TOKENS * pages


def history_budget(choice: ModelChoice, most: int) -> int:
    """Return how many tokens of earlier messages a model gets: `most`, or half of what it can read."""
    window = context_tokens(choice.ref)
    return most if window is None else min(most, window // 2)


def guided(request: GenerationRequest, conversation: Conversation) -> GenerationRequest:
    """Return a request that heeds what the user chose for this conversation."""
    own = conversation.instructions
    more = f"\n\nThe user's own instructions for this conversation:\n{own}" if own else ""
    chosen = {"temperature": conversation.temperature, "effort": conversation.effort}
    return request.model_copy(update={"instructions": f"{request.instructions}{more}", **chosen})


def unwritten(choice: ModelChoice, prompt: str, offline: OfflineContext) -> dict[str, object]:
    """Return what an answer that is about to be written is stored with.

    A language model uses, or may use, every memory that it is given; the offline assistant those that it quotes.
    """
    used = offline.recalled
    if choice.ref == OFFLINE_MODEL:
        quoted = {memory.id for memory in offline_reply(prompt, offline).quoted}
        used = tuple(found for found in used if found.memory.id in quoted)
    used_now = tuple(map(memory_use, used))
    nothing_yet = {"text": "", "error": None, "usage": None, "thinking": "", "routed": choice.why or None}
    return {"state": MessageState.WRITING, "model": str(choice.ref), "used": used_now, **nothing_yet}
