"""Answers that are being written: how pages follow, stop and find them again.

A generation outlives the page run that started it. It is found by its owner and conversation together, so a
foreign conversation looks like one without an answer.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from optimus.errors import GenerationBusyError, OptimusError, ProviderError, ProviderResponseError
from optimus.llm_handler.requests import GenerationRequest, GenerationResult, GivenUp, ModelRef, ModelTarget
from optimus.models import ConversationId, MessageId, MessageState, Usage, UserId

FOLLOW_INTERVAL_S = 0.25
MAX_ANSWER_BYTES = 150_000
"""Sealed and encoded it still fits one record of the store (256 KB)."""
MAX_THOUGHT_CHARS = 12_000
MAX_PER_USER = 3

EndCallback = Callable[[GenerationResult], None]

_log = logging.getLogger(__name__)


class Generation:
    """One answer while it is written, and afterwards for whoever still holds it. Safe from any thread."""

    def __init__(self, request: GenerationRequest) -> None:
        self.owner: UserId = request.owner
        self.conversation_id: ConversationId = request.conversation_id
        self.message_id: MessageId = request.message_id
        self.model: ModelRef = request.model
        self._parts: list[str] = []
        self._thoughts: list[str] = []
        self._bytes = 0
        self._usage = self._spent = Usage()
        self._given_up: list[GivenUp] = []
        self._target: ModelTarget | None = None
        self.has_begun = False
        """Whether anything of an answer has arrived: then it is never asked for once more."""
        self.waits_for: str | None = None
        """What it waits for before it is asked for again, as a sentence; None while it is not waiting."""
        self._result: GenerationResult | None = None
        self._changed = threading.Condition()
        self._stopped = False
        self._cancel: Callable[[], None] | None = None

    @property
    def text(self) -> str:
        """What has arrived so far."""
        with self._changed:
            return "".join(self._parts)

    @property
    def state(self) -> MessageState:
        """`WRITING` until the result is stored, then the result's state."""
        result = self._result
        return MessageState.WRITING if result is None else result.state

    @property
    def result(self) -> GenerationResult | None:
        """How it ended; None while it is written."""
        return self._result

    @property
    def is_stopped(self) -> bool:
        """Whether somebody pressed Stop."""
        return self._stopped

    def follow(self, for_s: float = math.inf) -> Iterator[str]:
        """Yield the answer from its start, then what arrives, until the result is stored or `for_s` seconds are over.

        An empty text comes every quarter of a second in which nothing arrived, so that the page's thread keeps
        its own points to stop at. Any number of followers may run side by side.
        """
        seen, ends = 0, time.monotonic() + for_s
        is_over = False
        while not is_over:
            left = ends - time.monotonic()
            new, has_result = self._after(seen, max(0.0, min(FOLLOW_INTERVAL_S, left)))
            seen += len(new)
            is_over = has_result or left <= 0
            yield "".join(new)

    def _after(self, seen: int, timeout: float) -> tuple[list[str], bool]:
        with self._changed:
            self._changed.wait_for(lambda: len(self._parts) > seen or self._result is not None, timeout)
            return self._parts[seen:], self._result is not None

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the result is stored; tell whether it is within `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._result is not None, timeout)

    def stop(self) -> None:
        """Ask the model to stop; the text so far is kept. Does nothing once the answer is complete."""
        with self._changed:
            self._stopped = True
            cancel = self._cancel
        if cancel is not None:
            cancel()

    def push(self, text: str) -> None:
        """Add text that arrived.

        Raises:
            ProviderResponseError: the answer is longer than a record may be.
        """
        if not text:
            return
        self._bytes += len(text.encode("utf-8", "replace"))
        if self._bytes > MAX_ANSWER_BYTES:
            raise ProviderResponseError(
                "answer too long", user_message="The answer became too long and was ended here. What arrived is kept."
            )
        with self._changed:
            self._parts.append(text)
            self._changed.notify_all()

    @property
    def thoughts(self) -> str:
        """What the model let see of its thinking so far."""
        with self._changed:
            return "".join(self._thoughts)

    def push_thought(self, text: str) -> None:
        """Add a piece of the model's thinking; what is beyond `MAX_THOUGHT_CHARS` is not kept."""
        if not text:
            return
        with self._changed:
            room = MAX_THOUGHT_CHARS - sum(map(len, self._thoughts))
            if room > 0:
                self._thoughts.append(text if len(text) <= room else f"{text[: room - 1]}…")

    def measure(self, usage: Usage) -> None:
        """Set what the call took so far; what calls before it took of the same model is added."""
        self._usage = usage.plus(self._spent)

    def ask_again(self) -> None:
        """Keep what the call took that failed, before the same model is asked again."""
        self._spent = self._usage

    def hand_over(self, given_up: ModelTarget, error: ProviderError, to: ModelTarget) -> None:
        """Note that a model was given up, and which one is asked in its place."""
        self._given_up.append(GivenUp(target=given_up, error=error.user_message, usage=self._usage))
        self._usage = self._spent = Usage()
        self._target, self.model = to, to.model

    def outcome(self, failure: BaseException | None) -> GenerationResult:
        """Return the result for how the writing ended; `failure` is what it raised, a cancellation included."""
        state, error = MessageState.COMPLETE, None
        if isinstance(failure, asyncio.CancelledError):
            state = MessageState.STOPPED
        elif failure is not None:
            known = failure if isinstance(failure, OptimusError) else ProviderError(type(failure).__name__)
            state, error = MessageState.FAILED, known.user_message
        return GenerationResult(
            text=self.text,
            thinking=self.thoughts,
            state=state,
            error=error,
            usage=self._usage,
            given_up=tuple(self._given_up),
            target=self._target,
        )

    def attach(self, cancel: Callable[[], None]) -> None:
        """Say how to cancel the writing; it is called at once where Stop came first."""
        with self._changed:
            self._cancel = cancel
            stopped = self._stopped
        if stopped:
            cancel()

    def end(self, result: GenerationResult) -> None:
        """Show the result to every follower; it has been stored before."""
        with self._changed:
            self._result = result
            self._cancel = None
            self._changed.notify_all()


class Generations:
    """The running generations: one per conversation, at most `per_user` for one user. Safe from any thread."""

    def __init__(self, *, per_user: int = MAX_PER_USER) -> None:
        self._per_user = per_user
        self._running: dict[tuple[UserId, ConversationId], Generation] = {}
        self._lock = threading.Lock()

    def admit(self, generation: Generation) -> None:
        """Take a generation in.

        Raises:
            GenerationBusyError: one runs in the conversation, or the user has as many as allowed.
        """
        key = (generation.owner, generation.conversation_id)
        with self._lock:
            if key in self._running:
                raise GenerationBusyError("conversation busy")
            if sum(owner == generation.owner for owner, _ in self._running) >= self._per_user:
                raise GenerationBusyError(
                    "user busy",
                    user_message=f"{self._per_user} answers are being written already. Wait for one, or stop one.",
                )
            self._running[key] = generation

    def current(self, owner: UserId, conversation_id: ConversationId) -> Generation | None:
        """Return the running generation of the owner's conversation."""
        with self._lock:
            return self._running.get((owner, conversation_id))

    def running(self, owner: UserId | None = None) -> list[Generation]:
        """Return the owner's running generations; None means everybody's."""
        with self._lock:
            return [generation for generation in self._running.values() if owner in (None, generation.owner)]

    def release(self, generation: Generation) -> None:
        """Let the conversation take its next one."""
        with self._lock:
            self._running.pop((generation.owner, generation.conversation_id), None)


async def conduct(
    generation: Generation, write: Callable[[], Awaitable[Any]], on_end: EndCallback, running: Generations
) -> None:
    """Write one answer to its end: run `write`, store the result through `on_end`, then show it as ended.

    Stop cancels `write` alone, so a result is stored in every case.
    """
    task = asyncio.ensure_future(write())
    loop = asyncio.get_running_loop()
    generation.attach(lambda: _cancel_from_anywhere(loop, task))
    result = generation.outcome(asyncio.CancelledError())
    try:
        await asyncio.wait({task})
        failure = asyncio.CancelledError() if task.cancelled() else task.exception()
        result = await _store(on_end, generation.outcome(failure), generation)
    except asyncio.CancelledError:
        task.cancel()
        raise
    finally:
        running.release(generation)
        generation.end(result)


async def _store(on_end: EndCallback, result: GenerationResult, generation: Generation) -> GenerationResult:
    try:
        await asyncio.to_thread(on_end, result)
    except Exception as exc:  # noqa: BLE001 - whatever storing raises, followers must see an end
        _log.error("answer %s could not be stored: %s", generation.message_id, type(exc).__name__)
        message = exc.user_message if isinstance(exc, OptimusError) else OptimusError.user_message
        return result.model_copy(update={"state": MessageState.FAILED, "error": message})
    return result


def _cancel_from_anywhere(loop: asyncio.AbstractEventLoop, task: asyncio.Future[Any]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(task.cancel)
