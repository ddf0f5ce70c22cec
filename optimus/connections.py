"""The models that a user can talk to: those of the settings and those that the user connected."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import SecretStr

from optimus.auth.permissions import Action, authorize, is_allowed
from optimus.errors import InvalidInputError, NotFoundError
from optimus.llm_handler.catalogue import CATALOGUE, ProviderEntry
from optimus.llm_handler.connections import server_name
from optimus.llm_handler.gateway import ModelGateway
from optimus.llm_handler.prices import cheapest
from optimus.llm_handler.requests import (
    OFFLINE_MODEL,
    ConnectionInfo,
    ConnectionTest,
    Credentials,
    LineUp,
    LocalServer,
    ModelChoice,
    ModelRef,
    ModelTarget,
    OwnConnection,
    ending,
)
from optimus.llm_handler.routing import with_cheapest
from optimus.models import Clock, Principal, UserId, new_id
from optimus.preferences import PreferenceService
from optimus.storage.accounts import AccountRepository
from optimus.storage.audit import AuditLog
from optimus.storage.audit_records import AuditAction
from optimus.storage.records import NO_EXTRACTION, Connection, EventData

MAX_CONNECTIONS = 20
COMPATIBLE = "compatible"
"""The provider whose address somebody has to name."""


class ConnectionService:
    """A user's own providers and endpoints; keys go in and never come out again."""

    def __init__(
        self,
        *,
        accounts: AccountRepository,
        models: ModelGateway,
        preferences: PreferenceService,
        clock: Clock,
        audit: AuditLog,
    ) -> None:
        self._accounts = accounts
        self._preferences = preferences
        self._models = models
        self._clock = clock
        self._audit = audit

    def choices(self, owner: UserId) -> list[ModelChoice]:
        """Return every model that the owner can pick, the offline assistant last."""
        return self._models.choices(self._usable(owner))

    def pickable(self, owner: UserId) -> list[ModelChoice]:
        """Return what the owner can pick for a chat: the models, before them the cheapest that will do."""
        return with_cheapest(self.choices(owner))

    def credentials(self, owner: UserId, choice: ModelChoice) -> Credentials | None:
        """Return what it takes to call a model.

        Raises:
            ProviderKeyError: the connection was removed, or is not the owner's.
        """
        return self._models.credentials(choice.ref, self._usable(owner), choice.connection_id)

    def local_servers(self) -> list[LocalServer]:
        """Return the model servers that answer on this machine; none where they may not be used."""
        return self._models.discover_local() if self._models.is_allowed(COMPATIBLE) else []

    def offered(self, principal: Principal) -> list[ProviderEntry]:
        """Return the providers that somebody can connect: allowed ones, with an address only who may name one."""
        return [
            entry
            for entry in CATALOGUE.offered()
            if self._models.is_allowed(entry.key)
            and (entry.key != COMPATIBLE or is_allowed(principal.role, Action.CONNECT_ENDPOINT))
        ]

    def preferred(self, owner: UserId) -> ModelChoice:
        """Return the model of the owner's new chats: the chosen one where it is on offer, else what Optimus takes."""
        return self.default(owner) or self._models.default_choice(self._usable(owner))

    def default(self, owner: UserId) -> ModelChoice | None:
        """Return the model that the owner chose for new chats; None where there is none, or it is not on offer."""
        chosen = self._preferences.of(owner)
        if chosen.default_model is None:
            return None
        same = [choice for choice in self.pickable(owner) if str(choice.ref) == chosen.default_model]
        same.sort(key=lambda choice: choice.connection_id != chosen.default_connection)
        return same[0] if same else None

    def prefer(self, owner: UserId, choice: ModelChoice | None) -> None:
        """Choose the model of the owner's new chats; None leaves it to Optimus.

        Raises:
            InvalidInputError: the model is not on offer to the owner.
        """
        if choice is None:
            self._preferences.choose_model(owner, model=None, connection_id=None)
            return
        if choice not in self.pickable(owner):
            raise InvalidInputError(user_message="That model is not connected any more. Choose another.")
        self._preferences.choose_model(owner, model=str(choice.ref), connection_id=choice.connection_id)

    def extraction_choice(self, owner: UserId, chat: ModelChoice) -> ModelChoice | None:
        """Return the model that looks for memories in what `chat` answered; None leaves it to the rules.

        Without a choice of the owner's it is the cheapest of the same connection, among those that Optimus names for
        the provider and the chat's own. What the offline assistant answered is shown to no model.
        """
        chosen = self._preferences.of(owner)
        if chat.ref == OFFLINE_MODEL or chosen.extraction_model == NO_EXTRACTION:
            return None
        if chosen.extraction_model is not None:
            return self.chosen_extraction(owner)
        named = CATALOGUE.get(chat.ref.provider).models
        same = [c for c in self.choices(owner) if c.connection_id == chat.connection_id and c.ref.name in named]
        offered = {choice.ref: choice for choice in (chat, *(c for c in same if c.ref.provider == chat.ref.provider))}
        return offered[cheapest(list(offered))]

    def is_rules_only(self, owner: UserId) -> bool:
        """Tell whether the owner wants no model to look for memories."""
        return self._preferences.of(owner).extraction_model == NO_EXTRACTION

    def chosen_extraction(self, owner: UserId) -> ModelChoice | None:
        """Return the model that the owner chose to look for memories; None where it is not on offer."""
        chosen = self._preferences.of(owner)
        place = (chosen.extraction_model, chosen.extraction_connection)
        return next((c for c in self.choices(owner) if (str(c.ref), c.connection_id) == place), None)

    def prefer_extraction(self, owner: UserId, choice: ModelChoice | None, *, never: bool = False) -> None:
        """Choose the model that looks for memories; None is the cheapest, and `never` leaves it to the rules.

        Raises:
            InvalidInputError: the model is not on offer to the owner.
        """
        if never or choice is None:
            self._preferences.choose_extraction(owner, model=NO_EXTRACTION if never else None, connection_id=None)
            return
        if choice not in self.choices(owner) or choice.ref == OFFLINE_MODEL:
            raise InvalidInputError(user_message="That model is not connected any more. Choose another.")
        self._preferences.choose_extraction(owner, model=str(choice.ref), connection_id=choice.connection_id)

    def fallbacks(self, owner: UserId) -> list[ModelChoice]:
        """Return whom the owner lets answer where a model does not, in this order; only those on offer."""
        offered = {(str(choice.ref), choice.connection_id): choice for choice in self.choices(owner)}
        return [offered[place] for place in self._preferences.of(owner).fallbacks if place in offered]

    def prefer_fallbacks(self, owner: UserId, choices: Sequence[ModelChoice]) -> None:
        """Choose whom to ask where a model does not answer, in this order.

        Raises:
            InvalidInputError: one of them is not on offer to the owner, or no language model, or there are too many.
        """
        offered = self.choices(owner)
        if any(choice not in offered or choice.ref == OFFLINE_MODEL for choice in choices):
            raise InvalidInputError(user_message="That model is not connected any more. Choose another.")
        self._preferences.choose_fallbacks(owner, [(str(choice.ref), choice.connection_id) for choice in choices])

    def sees(self, owner: UserId, ref: ModelRef) -> bool:
        """Tell whether a model takes pictures: as its name tells, or as the owner knows."""
        named = self._models.catalogue.sees(ref.provider, ref.name)
        return named or str(ref) in self._preferences.of(owner).image_models

    def line_up(self, owner: UserId, choice: ModelChoice) -> LineUp:
        """Return what a request says of the chosen model's connection, and of whom to ask after it."""
        others = self.fallbacks(owner) if choice.ref != OFFLINE_MODEL else []
        targets = [self._target(owner, other) for other in others if other.place != choice.place]
        return LineUp(connection_id=choice.connection_id, title=choice.name, fallbacks=tuple(targets))

    def is_resting(self, provider: str, connection_id: str | None) -> bool:
        """Tell whether a provider failed so often over a connection that it is left alone for a moment."""
        return any(each[:2] == (provider, connection_id) for each in self._models.breakers.resting())

    def newest(self, owner: UserId, provider: str) -> ModelChoice | None:
        """Return the first model of the connection to `provider` that was made last."""
        made = [c for c in self._accounts.connections(owner) if c.provider == provider]
        if not made:
            return None
        latest = max(made, key=lambda connection: connection.created_at)
        return next((choice for choice in self.choices(owner) if choice.connection_id == latest.id), None)

    def connect(self, principal: Principal, *, provider: str, base_url: str | None, key: str) -> ConnectionTest:
        """Test an endpoint or key and keep it if it works.

        Returns:
            What the provider said; nothing is kept unless it is `ok`.

        Raises:
            PermissionDeniedError: an address was given by somebody who may not name addresses.
            InvalidInputError: neither key nor address was given, the address cannot be used, or there are too many
                connections.
        """
        authorize(principal, Action.CONNECT_OWN_MODEL)
        owner = principal.user_id
        credentials = Credentials(
            base_url=(base_url or "").strip() or None, api_key=SecretStr(key.strip()) if key.strip() else None
        )
        if credentials.base_url is None and credentials.api_key is None:
            raise InvalidInputError(user_message="Paste an API key first.")
        if credentials.base_url:
            authorize(principal, Action.CONNECT_ENDPOINT)
        if len(self._accounts.connections(owner)) >= MAX_CONNECTIONS:
            raise InvalidInputError(user_message=f"At most {MAX_CONNECTIONS} connections; remove one first.")
        result = self._models.test(provider, credentials)
        if result.ok:
            self._keep(owner, provider, credentials, result.models)
            told: EventData = {"provider": provider}
            self._audit.note(AuditAction.MODEL_CONNECTED, actor=owner, subject=owner, data=told)
        return result

    def disconnect(self, owner: UserId, connection_id: str) -> None:
        """Remove a connection with its key.

        Raises:
            NotFoundError: it is missing or not the owner's.
        """
        self._accounts.delete_connection(owner, connection_id)
        self._audit.note(AuditAction.MODEL_REMOVED, actor=owner, subject=owner)

    def connected(self, owner: UserId) -> list[ConnectionInfo]:
        """Return the owner's own connections."""
        return [ConnectionInfo.of(connection) for connection in self._accounts.connections(owner)]

    def own(self, owner: UserId) -> list[OwnConnection]:
        """Return the owner's own connections as they may be shown, the oldest first."""
        return [
            OwnConnection(
                id=connection.id,
                provider=connection.provider,
                base_url=connection.base_url,
                key_ending=ending(connection.api_key),
                has_key=connection.api_key is not None,
                models=len(connection.models),
                connected_at=connection.created_at,
            )
            for connection in self._accounts.connections(owner)
        ]

    def test_again(self, owner: UserId, connection_id: str) -> ConnectionTest:
        """Call a connection's provider again; where it works, keep the models that it offers now.

        Raises:
            NotFoundError: the connection is missing or not the owner's.
            InvalidInputError: it has an address, and its owner is no admin any more.
        """
        connection = next((each for each in self._accounts.connections(owner) if each.id == connection_id), None)
        if connection is None:
            raise NotFoundError("connection")
        usable = next((info for info in self._usable(owner) if info.id == connection_id), None)
        if usable is None:
            raise InvalidInputError(user_message="Only admins connect servers by address. Remove this one.")
        result = self._models.test(connection.provider, usable.credentials)
        if result.ok:
            self._models.breakers.note((connection.provider, connection.id), None)
        if result.ok and result.models != connection.models:
            self._accounts.save_connection(connection.model_copy(update={"models": result.models}))
        return result

    def _keep(self, owner: UserId, provider: str, credentials: Credentials, models: tuple[str, ...]) -> None:
        place = (provider, credentials.base_url)
        same = [each for each in self._accounts.connections(owner) if (each.provider, each.base_url) == place]
        self._accounts.save_connection(
            Connection(
                id=same[0].id if same else new_id(),
                user_id=owner,
                provider=provider,
                label=server_name(credentials.base_url) or CATALOGUE.get(provider).title,
                base_url=credentials.base_url,
                api_key=credentials.api_key,
                models=models,
                created_at=self._clock(),
            )
        )

    def _target(self, owner: UserId, choice: ModelChoice) -> ModelTarget:
        return ModelTarget(
            model=choice.ref,
            credentials=self.credentials(owner, choice),
            connection_id=choice.connection_id,
            title=choice.name,
            is_local=choice.is_local,
        )

    def _usable(self, owner: UserId) -> list[ConnectionInfo]:
        """Return the connections that may be called: those with an address only while their owner may name one."""
        infos = self.connected(owner)
        user = self._accounts.user(owner) if any(info.credentials.base_url for info in infos) else None
        may_name = user is not None and is_allowed(user.role, Action.CONNECT_ENDPOINT)
        return [info for info in infos if may_name or not info.credentials.base_url]
