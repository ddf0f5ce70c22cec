"""How an answer is asked for until it begins: again after what passes, and then from the next model in line.

Nothing is asked for twice once anything of an answer has arrived: what the user has read is not taken back, and a
tool is not used twice. All of it together ends at one deadline, and Stop ends a wait at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential_jitter,
    wait_random,
)

from optimus.errors import GenerationBusyError, ProviderError, ProviderRejectedError
from optimus.llm_handler.breakers import Breakers, Place
from optimus.llm_handler.generations import Generation
from optimus.llm_handler.requests import GenerationRequest, ModelTarget
from optimus.llm_handler.translate import in_words
from optimus.metrics import Metrics

PATIENCE_S = 5.0
"""A longer wait than this is not waited for while another model may be asked."""
_BACKOFF = wait_exponential_jitter(initial=0.5, max=8.0, jitter=0.5)
_AFTER_ASKED = wait_random(0.0, 0.25)
"""On top of what the provider asks for, so that not all come back at the same moment."""

Ask = Callable[[Generation, GenerationRequest, float], Awaitable[None]]
"""Asks once for an answer, to be whole at a time of the loop; raises the `ProviderError` that says what went wrong."""
Pause = Callable[[float], Awaitable[None]]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Persistence:
    """How persistent the asking is."""

    retries: int
    """How often a model is asked again."""
    whole_s: float
    """How long an answer may take in all."""
    pause: Pause = asyncio.sleep


class Attempts:
    """Asks for answers; one instance serves every answer on the one loop."""

    def __init__(self, *, ask: Ask, breakers: Breakers, persistence: Persistence, metrics: Metrics) -> None:
        self._ask = ask
        self._breakers = breakers
        self._persistence = persistence
        self._metrics = metrics

    async def write(self, generation: Generation, request: GenerationRequest) -> None:
        """Write an answer by the chosen model, or by the first of its fallbacks that begins to answer.

        Raises:
            ProviderError: none of them gave a whole answer; what arrived stays in the generation.
        """
        ends_at = asyncio.get_running_loop().time() + self._persistence.whole_s
        targets = (chosen(request), *request.fallbacks)
        told: list[str] = []
        for target, following in zip(targets, (*targets[1:], None), strict=True):
            try:
                await self._persist(generation, directed(request, target), ends_at, has_more=following is not None)
            except ProviderError as error:
                told.append(f"{target.title or target.model.name}: {error.user_message}")
                if following is None or not _may_another(error, generation, told) or _is_over(ends_at):
                    raise _all_told(error, told) from error
                _log.info("a model of %s was given up: %s", target.model.provider, error)
                self._metrics.attempts.note_fallback(target.model.provider)
                generation.hand_over(target, error, following)
            else:
                return

    async def _persist(
        self, generation: Generation, request: GenerationRequest, ends_at: float, *, has_more: bool
    ) -> None:
        """Ask one model until it begins to answer, as often and as long as that makes sense."""

        def may_repeat(error: BaseException) -> bool:
            passes = isinstance(error, ProviderError) and error.is_transient
            return passes and not generation.has_begun and self._breakers.is_closed(_place(request))

        def is_beyond(state: RetryCallState) -> bool:
            late = asyncio.get_running_loop().time() + state.upcoming_sleep >= ends_at
            return late or (has_more and state.upcoming_sleep > PATIENCE_S)

        def note_wait(state: RetryCallState) -> None:
            generation.ask_again()
            generation.waits_for = f"No answer yet. Asking again in {in_words(state.upcoming_sleep)}."
            self._metrics.attempts.note_retry(request.model.provider)

        enough = stop_after_attempt(1 + self._persistence.retries)
        retrying = AsyncRetrying(
            retry=retry_if_exception(may_repeat),
            wait=_wait,
            stop=lambda state: enough(state) or is_beyond(state),
            sleep=self._persistence.pause,
            before_sleep=note_wait,
            reraise=True,
        )
        await retrying(self._ask_once, generation, request, ends_at)

    async def _ask_once(self, generation: Generation, request: GenerationRequest, ends_at: float) -> None:
        generation.waits_for = None
        place = _place(request)
        self._breakers.admit(place)
        try:
            with self._metrics.provider_call(request.model.provider):
                await self._ask(generation, request, ends_at)
        except ProviderError as error:
            self._breakers.note(place, None if generation.has_begun else error)
            raise
        self._breakers.note(place, None)


def chosen(request: GenerationRequest) -> ModelTarget:
    """Return the model that a request is for."""
    return ModelTarget(
        model=request.model,
        credentials=request.credentials,
        connection_id=request.connection_id,
        title=request.title,
    )


def _place(request: GenerationRequest) -> Place:
    return request.model.provider, request.connection_id


def directed(request: GenerationRequest, target: ModelTarget) -> GenerationRequest:
    """Return the same request for another model."""
    return request.model_copy(
        update={
            "model": target.model,
            "credentials": target.credentials,
            "connection_id": target.connection_id,
            "title": target.title,
        }
    )


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked_s = error.retry_after_s if isinstance(error, ProviderError) else None
    return _BACKOFF(state) if asked_s is None else max(asked_s + _AFTER_ASKED(state), _BACKOFF(state))


def _may_another(error: ProviderError, generation: Generation, told: Sequence[str]) -> bool:
    """Tell whether another model may answer what this one did not; `told` are the failures so far, this one's too.

    What the chosen model refuses as it is stays refused; a stand-in's refusal says nothing of the next one.
    """
    is_refused = isinstance(error, ProviderRejectedError) and len(told) == 1
    return not (generation.has_begun or is_refused or isinstance(error, GenerationBusyError))


def _is_over(ends_at: float) -> bool:
    return asyncio.get_running_loop().time() >= ends_at


def _all_told(error: ProviderError, told: list[str]) -> ProviderError:
    """Return the last error, with what each model said where there were several."""
    if len(told) > 1:
        error.user_message = f"None of your models answered. {' '.join(told)}"
    return error
