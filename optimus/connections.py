"""The models that a user can talk to: those of the settings and those that the user connected."""

from __future__ import annotations

from pydantic import SecretStr

from optimus.auth.permissions import Action, authorize
from optimus.errors import InvalidInputError
from optimus.llm_handler.gateway import ModelGateway
from optimus.llm_handler.requests import ConnectionInfo, ConnectionTest, Credentials, LocalServer, ModelChoice
from optimus.models import Clock, Principal, UserId, new_id
from optimus.storage.accounts import AccountRepository
from optimus.storage.records import Connection

MAX_CONNECTIONS = 20


class ConnectionService:
    """A user's own providers and endpoints; keys go in and never come out again."""

    def __init__(self, *, accounts: AccountRepository, models: ModelGateway, clock: Clock) -> None:
        self._accounts = accounts
        self._models = models
        self._clock = clock

    def choices(self, owner: UserId) -> list[ModelChoice]:
        """Return every model that the owner can pick, the offline assistant last."""
        return self._models.choices(self._infos(owner))

    def credentials(self, owner: UserId, choice: ModelChoice) -> Credentials | None:
        """Return what it takes to call a model.

        Raises:
            ProviderKeyError: the connection was removed, or is not the owner's.
        """
        return self._models.credentials(choice.ref, self._infos(owner), choice.connection_id)

    def local_servers(self) -> list[LocalServer]:
        """Return the model servers that answer on this machine."""
        return self._models.discover_local()

    def preferred(self, owner: UserId) -> ModelChoice:
        """Return the model of the owner's new chats."""
        return self._models.default_choice(self._infos(owner))

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
        return result

    def disconnect(self, owner: UserId, connection_id: str) -> None:
        """Remove a connection with its key.

        Raises:
            NotFoundError: it is missing or not the owner's.
        """
        self._accounts.delete_connection(owner, connection_id)

    def connected(self, owner: UserId) -> list[ConnectionInfo]:
        """Return the owner's own connections."""
        return self._infos(owner)

    def _keep(self, owner: UserId, provider: str, credentials: Credentials, models: tuple[str, ...]) -> None:
        same = [
            connection
            for connection in self._accounts.connections(owner)
            if connection.provider == provider and connection.base_url == credentials.base_url
        ]
        self._accounts.save_connection(
            Connection(
                id=same[0].id if same else new_id(),
                user_id=owner,
                provider=provider,
                label=provider,
                base_url=credentials.base_url,
                api_key=credentials.api_key,
                models=models,
                created_at=self._clock(),
            )
        )

    def _infos(self, owner: UserId) -> list[ConnectionInfo]:
        return [
            ConnectionInfo(
                id=c.id,
                provider=c.provider,
                label=c.label,
                credentials=Credentials(base_url=c.base_url, api_key=c.api_key),
                models=c.models,
            )
            for c in self._accounts.connections(owner)
        ]
