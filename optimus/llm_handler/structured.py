"""Asking a model for an answer of one form: by the provider's own means where it has them, else in words.

An answer that is cut off or has another form raises; it never counts as an empty one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel

from optimus.errors import ProviderResponseError
from optimus.llm_handler.gateway import ModelGateway
from optimus.llm_handler.requests import Credentials, ModelRef
from optimus.llm_handler.run_events import tokens_in
from optimus.llm_handler.translate import translate
from optimus.models import Usage, Value

if TYPE_CHECKING:
    from pydantic_ai import Agent
    from pydantic_ai.models import Model
    from pydantic_ai.usage import RunUsage

MAX_OUTPUT_TOKENS = 4096
_REFUSED = frozenset({400, 415, 422, 501})
"""How servers answer that do not know the parameter for structured output."""
OutputT = TypeVar("OutputT", bound=BaseModel)
BoundsT = TypeVar("BoundsT")


class Target(Value):
    """Which model is asked, and how it is reached."""

    model: ModelRef
    credentials: Credentials | None = None
    connection_id: str | None = None


class StructuredAgent(Generic[OutputT, BoundsT]):
    """Asks models of any provider for one form of answer. Its coroutines run on the gateway's loop."""

    def __init__(
        self,
        name: str,
        *,
        gateway: ModelGateway,
        timeout_s: float,
        output: type[OutputT],
        bounds: type[BoundsT],
        instructions: str,
        fault: Callable[[OutputT, BoundsT], str | None],
    ) -> None:
        """Take what is asked for.

        Args:
            name: What the agent is called where calls are traced.
            gateway: Reaches the models.
            timeout_s: How long one call may take, in seconds.
            output: The form of an answer.
            bounds: The type of what an answer may refer to.
            instructions: What the model is told.
            fault: Returns what is wrong with an answer, for the model to mend once; None where nothing is.
        """
        self._name = name
        self._gateway = gateway
        self._timeout_s = timeout_s
        self._output = output
        self._bounds = bounds
        self._instructions = instructions
        self._fault = fault
        self._agents: tuple[Agent[BoundsT, OutputT], Agent[BoundsT, OutputT]] | None = None
        self._without_native: set[tuple[ModelRef, str | None]] = set()

    async def run(self, target: Target, document: str, bounds: BoundsT, spent: Callable[[Usage], None]) -> OutputT:
        """Return the answer to a document.

        Args:
            target: The model.
            document: What the model is shown.
            bounds: What an answer may refer to.
            spent: Told once what the call took, whether it worked or not.

        Raises:
            ProviderError: there was no answer; a `ProviderResponseError` where it was cut off or has another form.
        """
        with self._gateway.breakers.guarding((target.model.provider, target.connection_id)):
            try:
                model = await asyncio.to_thread(self._prepare, target)
                async with asyncio.timeout(self._timeout_s):
                    return await self._counted(target, model, document, bounds, spent)
            except Exception as exc:
                raise translate(exc) from exc

    def _prepare(self, target: Target) -> Model:
        if self._agents is None:
            self._agents = self._made()
        return self._gateway.model(target.model, target.credentials or Credentials())

    async def _counted(
        self, target: Target, model: Model, document: str, bounds: BoundsT, spent: Callable[[Usage], None]
    ) -> OutputT:
        import pydantic_ai  # noqa: PLC0415

        usage = pydantic_ai.RunUsage()
        try:
            return await self._answer(target, model, document, bounds, usage)
        finally:
            spent(tokens_in(usage))

    async def _answer(self, target: Target, model: Model, document: str, bounds: BoundsT, usage: RunUsage) -> OutputT:
        """Ask by the provider's own means where the model has them, else by describing the form in words."""
        from pydantic_ai.exceptions import ModelHTTPError  # noqa: PLC0415

        native, prompted = self._agents or self._made()
        server = (target.model, target.credentials.base_url if target.credentials else None)
        refused = False
        if model.profile.get("supports_json_schema_output") and server not in self._without_native:
            try:
                return await self._once(native, model, document, bounds, usage)
            except ModelHTTPError as exc:
                refused = exc.status_code in _REFUSED
                if not refused:
                    raise
        answer = await self._once(prompted, model, document, bounds, usage)
        self._without_native |= {server} if refused else set()
        return answer

    async def _once(
        self, agent: Agent[BoundsT, OutputT], model: Model, document: str, bounds: BoundsT, usage: RunUsage
    ) -> OutputT:
        result = await agent.run(
            document,
            deps=bounds,
            model=model,
            usage=usage,
            model_settings={"max_tokens": MAX_OUTPUT_TOKENS, "max_retries": 0, "timeout": self._timeout_s},
        )
        if result.response.finish_reason == "length":
            raise ProviderResponseError("cut off by the token limit")
        return result.output

    def _made(self) -> tuple[Agent[BoundsT, OutputT], Agent[BoundsT, OutputT]]:
        """Return the agent for the provider's own structured output, and the one that describes the form in words."""
        import pydantic_ai  # noqa: PLC0415

        pydantic_ai.BANNER_ENABLED = False

        def checked(ctx: pydantic_ai.RunContext[BoundsT], answer: OutputT) -> OutputT:
            if wrong := self._fault(answer, ctx.deps):
                raise pydantic_ai.ModelRetry(wrong)
            return answer

        def made(output: Any) -> Agent[BoundsT, OutputT]:
            agent: Agent[BoundsT, OutputT] = pydantic_ai.Agent(
                output_type=output,
                deps_type=self._bounds,
                instructions=self._instructions,
                name=self._name,
                retries={"output": 1},
            )
            agent.output_validator(checked)
            return agent

        return made(pydantic_ai.NativeOutput(self._output)), made(pydantic_ai.PromptedOutput(self._output))
