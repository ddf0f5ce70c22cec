"""What selecting memories saves of a prompt, what of the evidence it keeps, and what looking for memories costs.

A token counts as four bytes of UTF-8, as everywhere in Optimus. `prompt_saving` compares the prompt with the selected
memories to one with everything that was said. `evidence_recall/short` is about beginnings of at most 1,500 tokens,
where nothing may be missing. `extraction_token_ratio` compares what one call sends and gets for a message: the
instructions, the form of the answer, what is known, what was said before; known memories and findings are the same
on both sides, and Mem0's prompts are built by its own installed code.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks._baselines import quiet_mem0
from benchmarks._locomo import Dialogue, Listener, Listening, Turn, chat_memory, listening, load, share
from benchmarks.report import Report, Result
from optimus.llm_handler import extraction, extraction_instructions
from optimus.llm_handler.extraction import ExtractionRequest, KnownMemory, SourceMessage
from optimus.llm_handler.extraction_form import Entries
from optimus.llm_handler.requests import ModelRef, PromptTurn
from optimus.models import MessageRole, RecalledMemory
from optimus.prompt import INSTRUCTIONS, MAX_MEMORIES, MAX_MEMORY_TOKENS, WHOLE_TOKENS, estimated_tokens, memory_block

_EXTRACTED = 40
"""Messages of each conversation that extraction is counted on, spread evenly."""
_KNOWN = 10
"""How many similar memories Mem0 shows to the model."""
_AROUND = 6
_MEM0_AROUND = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prompt:
    """One question's prompt: its tokens by kind, and how much of the evidence it holds."""

    dialogue: str
    memory: int
    selective: int
    whole: int
    evidence: float
    items: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the file and how much of it to use."""
    parser.add_argument("--locomo", type=Path, required=True, help="conversations in the form of LoCoMo")
    parser.add_argument("--questions", type=int, default=None, help="at most so many of each conversation")


def run(arguments: argparse.Namespace) -> Report:
    """Assemble the prompt of each question, and the requests that look for memories."""
    dialogues = load(arguments.locomo, arguments.questions)
    prompts: list[_Prompt] = []
    short: list[float] = []
    ours = theirs = 0
    with quiet_mem0(), listening() as optimus:
        for dialogue in dialogues:
            listener = optimus.hear(dialogue)
            prompts += _prompts(optimus, listener, dialogue)
            short.append(_short(optimus, dialogue))
            own, other = _extraction(optimus, listener, dialogue)
            ours, theirs = ours + own, theirs + other
    return Report(
        benchmark="tokens",
        parameters={"file": arguments.locomo.name, "questions": len(prompts), "memory_tokens": MAX_MEMORY_TOKENS},
        results=[
            *_totals(prompts),
            Result(name="evidence_recall/short", value=min(short), unit="share"),
            Result(name="extraction_token_ratio", value=ours / theirs, unit="share"),
        ],
    )


def _totals(prompts: Sequence[_Prompt]) -> list[Result]:
    def mean(values: Sequence[float]) -> float:
        return sum(values) / len(values)

    def saving(of: Sequence[_Prompt]) -> float:
        return 1 - sum(each.selective for each in of) / sum(each.whole for each in of)

    def evidence(of: Sequence[_Prompt]) -> float:
        return mean([each.evidence for each in of])

    results = [
        Result(name="prompt_saving", value=saving(prompts), unit="share"),
        Result(name="evidence_recall/selective", value=evidence(prompts), unit="share"),
        Result(name="memory_tokens/mean", value=mean([each.memory for each in prompts]), unit="tokens"),
        Result(name="memory_tokens/most", value=max(each.memory for each in prompts), unit="tokens"),
        Result(name="memories/mean", value=mean([each.items for each in prompts]), unit="memories"),
        Result(name="history_tokens/mean", value=mean([each.whole for each in prompts]), unit="tokens"),
    ]
    for name in dict.fromkeys(each.dialogue for each in prompts):
        own = [each for each in prompts if each.dialogue == name]
        results.append(Result(name=f"prompt_saving/{name}", value=saving(own), unit="share"))
        results.append(Result(name=f"evidence_recall/selective/{name}", value=evidence(own), unit="share"))
    return results


def _recalled(optimus: Listening, listener: Listener, text: str) -> list[RecalledMemory]:
    """Return what a language model is given for a message."""
    question = listener.asks(text, optimus.clock())
    return chat_memory(optimus).recall(question, limit=MAX_MEMORIES, for_model=True)


def _prompts(optimus: Listening, listener: Listener, dialogue: Dialogue) -> Iterator[_Prompt]:
    history = sum(estimated_tokens(turn.text) for turn in dialogue.turns)
    for question in dialogue.questions:
        recalled = _recalled(optimus, listener, question.text)
        memory, rest = estimated_tokens(memory_block(recalled)), estimated_tokens(INSTRUCTIONS + question.text)
        yield _Prompt(
            dialogue=dialogue.name,
            memory=memory,
            selective=rest + memory,
            whole=rest + history,
            evidence=share(listener.evidence(recalled), question.evidence),
            items=len(recalled),
        )


def _short(optimus: Listening, dialogue: Dialogue) -> float:
    """Return which share of a short history a model is given for a question about it."""
    turns: list[Turn] = []
    for turn in dialogue.turns:
        if sum(estimated_tokens(each.text) for each in (*turns, turn)) > WHOLE_TOKENS:
            break
        turns.append(turn)
    listener = optimus.hear(Dialogue(name=dialogue.name, turns=turns, questions=()))
    recalled = _recalled(optimus, listener, dialogue.questions[0].text)
    return share(listener.evidence(recalled), {turn.id for turn in turns})


def _extraction(optimus: Listening, listener: Listener, dialogue: Dialogue) -> tuple[int, int]:
    """Return the tokens of Optimus's and of Mem0's calls for the same messages, one a call."""
    ours = theirs = 0
    for place in range(0, len(dialogue.turns), max(1, len(dialogue.turns) // _EXTRACTED)):
        turn, before = dialogue.turns[place], dialogue.turns[:place]
        known = [each.memory for each in optimus.services.memory.recall(listener.owner, turn.text, limit=_KNOWN)]
        ours += _ours(turn, before[-_AROUND:], [KnownMemory(text=each.text, type=each.type) for each in known])
        theirs += _mem0(turn, before[-_MEM0_AROUND:], [each.text for each in known])
    return ours, theirs


def _ours(turn: Turn, before: Sequence[Turn], known: Sequence[KnownMemory]) -> int:
    request = ExtractionRequest(
        model=ModelRef(provider="openai", name="any"),
        messages=(SourceMessage(text=turn.text, written=f"{turn.at:%A, %Y-%m-%d %H:%M}"),),
        around=tuple(PromptTurn(role=MessageRole.USER, text=each.text) for each in before),
        known=tuple(known),
    )
    form = json.dumps(Entries.model_json_schema())
    sent = extraction_instructions.INSTRUCTIONS + form + extraction.document(request, str)
    finding = {
        "source": 1,
        "text": turn.text,
        "type": "fact",
        "entities": ["somebody"],
        "confidence": 0.9,
        "importance": 0.5,
        "language": "en",
        "event_date": None,
        "instructs_assistant": False,
        "decision": "add",
        "known": None,
    }
    return estimated_tokens(sent) + estimated_tokens(json.dumps({"memories": [finding]}))


def _mem0(turn: Turn, before: Sequence[Turn], known: Sequence[str]) -> int:
    from mem0.configs.prompts import ADDITIVE_EXTRACTION_PROMPT, generate_additive_extraction_prompt  # noqa: PLC0415
    from mem0.memory.utils import parse_messages  # noqa: PLC0415

    sent = ADDITIVE_EXTRACTION_PROMPT + generate_additive_extraction_prompt(
        existing_memories=[{"id": str(number), "text": text} for number, text in enumerate(known)],
        new_messages=parse_messages([{"role": "user", "content": turn.text}]),
        last_k_messages=[{"role": "user", "content": each.text} for each in before],
    )
    finding = {"id": "0", "text": turn.text, "attributed_to": "user"}
    return estimated_tokens(sent) + estimated_tokens(json.dumps({"memory": [finding]}))
