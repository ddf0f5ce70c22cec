"""Lets Optimus pick the model of an answer, where the user left it to Optimus."""

from __future__ import annotations

from collections.abc import Sequence

from optimus.connections import ConnectionService
from optimus.costs import EXPECTED_ANSWER, asked, expected_tokens
from optimus.errors import InvalidInputError
from optimus.llm_handler.gateway import ModelGateway
from optimus.llm_handler.requests import CHEAPEST, OFFLINE_MODEL, ModelChoice
from optimus.llm_handler.routing import Needs, route
from optimus.models import Attachment, Message, UserId
from optimus.preferences import PreferenceService
from optimus.prompt import MAX_MEMORY_TOKENS, trimmed


class Router:
    """Turns the choice of the cheapest into a model that is connected, allowed and able."""

    def __init__(self, *, connections: ConnectionService, preferences: PreferenceService, models: ModelGateway) -> None:
        self._connections = connections
        self._preferences = preferences
        self._models = models

    def resolve(
        self,
        owner: UserId,
        choice: ModelChoice,
        text: str,
        earlier: Sequence[Message],
        files: Sequence[Attachment] = (),
    ) -> ModelChoice:
        """Return the model that answers a text with its files; a choice of a model by name stays.

        Raises:
            InvalidInputError: the cheapest was chosen and no model can do it, or a model by name that cannot.
        """
        images = any(each.kind == "image" for each in files)
        documents = any(each.kind == "pdf" and not each.words for each in files)
        if choice.ref != CHEAPEST:
            reads_pdf = not documents or self._models.catalogue.reads_pdf(choice.ref.provider)
            _refuse_unfit(choice, files, sees=not images or self.sees(owner, choice), reads_pdf=reads_pdf)
            return choice
        along = trimmed(earlier, self._models.history_tokens)
        given = expected_tokens(asked(choice, text, along, (), files=files))
        chosen = self._preferences.of(owner)
        tools = chosen.offers_tools
        needs = Needs(
            tokens=given + MAX_MEMORY_TOKENS + EXPECTED_ANSWER, tools=tools, images=images, documents=documents
        )

        def is_usable(model: ModelChoice) -> bool:
            is_resting = self._connections.is_resting(model.ref.provider, model.connection_id)
            return not is_resting and (not tools or self._models.takes_tools(model.ref))

        return route(
            self._connections.choices(owner),
            needs,
            is_usable=is_usable,
            image_models=chosen.image_models,
            answer_tokens=EXPECTED_ANSWER,
            catalogue=self._models.catalogue,
        )

    def sees(self, owner: UserId, choice: ModelChoice) -> bool:
        """Tell whether the owner can send pictures to a choice; the cheapest is chosen accordingly."""
        return choice.ref == CHEAPEST or self._connections.sees(owner, choice.ref)


def _refuse_unfit(choice: ModelChoice, files: Sequence[Attachment], *, sees: bool, reads_pdf: bool) -> None:
    if files and choice.ref == OFFLINE_MODEL:
        raise InvalidInputError(user_message="The offline assistant takes no files. Choose a language model for them.")
    if not sees:
        sentence = f"{choice.name} takes no pictures. Choose another model, or leave them out. Nothing was sent."
        raise InvalidInputError("no eyes", user_message=sentence)
    if not reads_pdf:
        sentence = f"{choice.name} takes PDF files as text only, and one of these holds none. Nothing was sent."
        raise InvalidInputError("no eyes for a document", user_message=sentence)
