"""Lets Optimus pick the model of an answer, where the user left it to Optimus."""

from __future__ import annotations

from collections.abc import Sequence

from optimus.connections import ConnectionService
from optimus.llm_handler.gateway import ModelGateway
from optimus.llm_handler.requests import CHEAPEST, ModelChoice
from optimus.llm_handler.routing import Needs, route
from optimus.models import Message, UserId
from optimus.preferences import PreferenceService
from optimus.prompt import MAX_MEMORY_TOKENS, trimmed
from optimus.usage import EXPECTED_ANSWER, asked, expected_tokens


class Router:
    """Turns the choice of the cheapest into a model that is connected, allowed and able."""

    def __init__(self, *, connections: ConnectionService, preferences: PreferenceService, models: ModelGateway) -> None:
        self._connections = connections
        self._preferences = preferences
        self._models = models

    def resolve(self, owner: UserId, choice: ModelChoice, text: str, earlier: Sequence[Message]) -> ModelChoice:
        """Return the model that answers a text; a choice of a model by name stays.

        Raises:
            InvalidInputError: the cheapest was chosen and no model can do it.
        """
        if choice.ref != CHEAPEST:
            return choice
        along = trimmed(earlier, self._models.history_tokens)
        given = expected_tokens(asked(choice, text, along, ()))
        chosen = self._preferences.of(owner)
        tools = chosen.uses_tools and (chosen.recalls or chosen.remembers)
        needs = Needs(tokens=given + MAX_MEMORY_TOKENS + EXPECTED_ANSWER, tools=tools)

        def is_usable(model: ModelChoice) -> bool:
            is_resting = self._connections.is_resting(model.ref.provider, model.connection_id)
            return not is_resting and (not tools or self._models.takes_tools(model.ref))

        return route(
            self._connections.choices(owner),
            needs,
            is_usable=is_usable,
            answer_tokens=EXPECTED_ANSWER,
            catalogue=self._models.catalogue,
        )
