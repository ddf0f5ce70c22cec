"""Accounts: users, the first set-up, model connections, and (by inheritance) what signing in leaves behind."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, timedelta

from pydantic import SecretStr
from qdrant_client import QdrantClient

from optimus.errors import AlreadyExistsError, ConflictError, NotFoundError, StoreUnavailableError
from optimus.models import Clock, UserId, UserStatus, stable_id
from optimus.storage.filters import OWNER_FIELD, equals, has_ids, owned_by
from optimus.storage.records import Connection, DailyUse, StoredUser, UserPreferences
from optimus.storage.signins import SignInRecords
from optimus.storage.table import VERSION, Row, Table

SETUP_ID = stable_id("setup")


class AccountRepository(SignInRecords):
    """The `accounts` collection. Every method that changes a credential or a right returns after a sync to disk."""

    def __init__(self, *, client: QdrantClient, collection: str, sync: Callable[[], None], clock: Clock) -> None:
        super().__init__(client=client, collection=collection, sync=sync, clock=clock)
        self._users = Table(client=client, collection=collection, kind="user", sync=sync)
        self._setups = Table(client=client, collection=collection, kind="setup", sync=sync)
        self._connections = Table(client=client, collection=collection, kind="connection", sync=sync)
        self._uses = Table(client=client, collection=collection, kind="use", sync=sync)
        self._preferences = Table(client=client, collection=collection, kind="preferences", sync=sync)

    def add_user(self, user: StoredUser) -> None:
        """Store a new account.

        The record's id is made of the folded name, so that of two accounts with one name only one can exist.

        Raises:
            AlreadyExistsError: the name is taken.
        """
        point_id = _name_id(user.username)
        is_taken = bool(self._users.count(has_ids(point_id)))
        if is_taken or not self._users.insert(point_id, _user_payload(user), critical=True):
            raise AlreadyExistsError("the username is taken")

    def user(self, user_id: UserId) -> StoredUser | None:
        """Return an account by its id."""
        rows = self._users.find(owned_by(user_id), limit=1)
        return _stored_user(rows[0]) if rows else None

    def user_by_name(self, username: str) -> StoredUser | None:
        """Return an account by its name; case and compatibility forms of letters do not matter."""
        row = self._users.get(_name_id(username))
        return _stored_user(row) if row else None

    def users(self) -> list[StoredUser]:
        """Return all accounts, the oldest first."""
        return sorted((_stored_user(row) for row in self._users.find()), key=lambda user: user.created_at)

    def owners(self) -> set[UserId]:
        """Return whose accounts there are, also those whose names nobody can open any more."""
        return {UserId(str(row.payload[OWNER_FIELD])) for row in self._users.each(fields=[OWNER_FIELD])}

    def count_users(self, status: UserStatus | None = None, *, pepper_id: str | None = None) -> int:
        """Return how many accounts there are, or how many of one status or with a password under one pepper."""
        wanted = {"status": status and status.value, "pepper_id": pepper_id}
        return self._users.count(*(equals(field, value) for field, value in wanted.items() if value is not None))

    def update_user(self, user: StoredUser) -> StoredUser:
        """Store a changed account over the version that was read, and return it with its new version.

        Raises:
            ConflictError: the account was changed or removed in between.
        """
        changed = user.model_copy(update={"version": user.version + 1})
        unchanged = (equals(VERSION, user.version), owned_by(user.id))
        if not self._users.replace(_name_id(user.username), _user_payload(changed), *unchanged, critical=True):
            raise ConflictError("the account is not at this version")
        return changed

    def remove_user(self, user_id: UserId) -> None:
        """Delete an account's own record with its sessions and tickets; nobody signs in with it any more."""
        for table in (self._sessions, self._tickets, self._users):
            table.delete(owned_by(user_id), critical=True)

    def note_seen(self, user_id: UserId, seen_at: datetime) -> None:
        """Note when an account was last used; this is no change of the account, and its version stays."""
        self._users.patch({"seen_at": seen_at.isoformat()}, owned_by(user_id))

    def claim_setup(self, token: str, ttl_s: int) -> bool:
        """Claim the making of administrators for `ttl_s` seconds; exactly one live claimant gets True.

        The set-up holds it while it makes the first account, and whoever takes an administrator's rights away while
        counting who is left. A claim that has expired (its process died) can be taken over. Claiming again with the
        same token renews. One that lasts longer than a claim does was made before the clock was set back, and is over.
        """
        row = self._setups.get(SETUP_ID)
        now = self._clock()
        payload = {"token": token, "expires_at": (now + timedelta(seconds=ttl_s)).isoformat()}
        if row is None:
            return self._setups.insert(SETUP_ID, {**payload, VERSION: 1}, critical=True)
        left = datetime.fromisoformat(row.payload["expires_at"]) - now
        if row.payload["token"] != token and timedelta() < left <= timedelta(seconds=ttl_s):
            return False
        version = int(row.payload[VERSION])
        return self._setups.replace(
            SETUP_ID, {**payload, VERSION: version + 1}, equals(VERSION, version), critical=True
        )

    def release_setup(self, token: str) -> None:
        """Give a claim back; somebody else's claim stays.

        One that cannot be given back, because the store does not answer, runs out; what it was held for is done.
        """
        with suppress(StoreUnavailableError):
            row = self._setups.get(SETUP_ID)
            if row is not None and row.payload["token"] == token:
                self._setups.delete(has_ids(SETUP_ID), equals(VERSION, int(row.payload[VERSION])), critical=True)

    def save_connection(self, connection: Connection) -> None:
        """Store a user's model connection, new or changed; its API key is sealed on the way.

        Raises:
            NotFoundError: the id belongs to somebody else.
        """
        payload = connection.model_dump(mode="json", exclude={"id", "api_key"})
        if connection.api_key is not None:
            payload["api_key"] = connection.api_key.get_secret_value()
        if not self._connections.put(connection.id, payload, owned_by(connection.user_id), critical=True):
            raise NotFoundError("connection")

    def connections(self, owner: UserId) -> list[Connection]:
        """Return a user's model connections, the oldest first."""
        found = [_connection(row) for row in self._connections.find(owned_by(owner))]
        return sorted(found, key=lambda connection: connection.created_at)

    def delete_connection(self, owner: UserId, connection_id: str) -> None:
        """Delete a user's model connection.

        Raises:
            NotFoundError: it is missing or somebody else's.
        """
        mine = (has_ids(connection_id), owned_by(owner))
        if not self._connections.count(*mine):
            raise NotFoundError("connection")
        self._connections.delete(*mine, critical=True)

    def daily_use(self, owner: UserId, day: date) -> DailyUse:
        """Return what an account has used on a day, a fresh count where it was last used on another one."""
        row = self._uses.get(stable_id("use", owner), owned_by(owner))
        used = row.decode(DailyUse) if row else DailyUse(user_id=owner, day=day)
        fresh = DailyUse(user_id=owner, day=day, recent=used.recent, version=used.version)
        return used if used.day == day else fresh

    def save_daily_use(self, use: DailyUse) -> bool:
        """Store a count over the version that was read; False where somebody was faster, and nothing is stored."""
        point_id = stable_id("use", use.user_id)
        payload = use.model_dump(mode="json") | {VERSION: use.version + 1}
        if use.version == 0:
            return self._uses.insert(point_id, payload)
        return self._uses.replace(point_id, payload, equals(VERSION, use.version), owned_by(use.user_id))

    def preferences(self, owner: UserId) -> UserPreferences:
        """Return what a user chose; the defaults with version 0 where nothing was chosen yet."""
        row = self._preferences.get(stable_id("preferences", owner), owned_by(owner))
        return row.decode(UserPreferences) if row else UserPreferences(user_id=owner)

    def save_preferences(self, preferences: UserPreferences) -> UserPreferences:
        """Store a user's choices over the version that was read, and return them with their new version.

        Raises:
            ConflictError: they were changed in between.
        """
        owner = preferences.user_id
        changed = preferences.model_copy(update={"version": preferences.version + 1})
        point_id, payload = stable_id("preferences", owner), changed.model_dump(mode="json")
        if preferences.version == 0:
            won = self._preferences.insert(point_id, payload, critical=True)
        else:
            unchanged = (equals(VERSION, preferences.version), owned_by(owner))
            won = self._preferences.replace(point_id, payload, *unchanged, critical=True)
        if not won:
            raise ConflictError("the preferences are not at this version")
        return changed


def _name_id(username: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", username).casefold())
    return stable_id("username", folded)


def _user_payload(user: StoredUser) -> dict[str, object]:
    return user.model_dump(mode="json", exclude={"id"}) | {"user_id": user.id}


def _stored_user(row: Row) -> StoredUser:
    return Row(str(row.payload["user_id"]), row.payload).decode(StoredUser)


def _connection(row: Row) -> Connection:
    api_key = row.payload.get("api_key")
    payload = {**row.payload, "api_key": SecretStr(api_key) if api_key is not None else None}
    return Row(row.id, payload).decode(Connection)
