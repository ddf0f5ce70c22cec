"""Settings, read once at start: `OPTIMUS_*` (and `OPTIMUS_*_FILE`), then `.streamlit/secrets.toml`.

Nothing else in Optimus reads the environment.
"""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, create_model, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from optimus.errors import ConfigurationError
from optimus.provider_table import PROVIDERS, ProviderEntry, settings_fields
from optimus.settings_sources import PREFIX, FileVariables, SecretsFile

MIN_SECRET_CHARS = 32
MIN_SECRET_VARIETY = 8
MIN_SETUP_CODE_CHARS = 8
_EXAMPLE_WORDS = ("example", "change-me", "changeme", "your-", "insert", "secret-key", "xxxx")


def _limit(counted: str, least: int = 1) -> Any:
    """Return a limit that admins choose where it is not set here."""
    return Field(None, ge=least, description=f"{counted}; else what admins choose.")


def with_providers(entries: tuple[ProviderEntry, ...]) -> type[BaseSettings]:
    """Return settings with a key and an address for each of the providers."""
    fields: dict[str, Any] = {
        name: (SecretStr | None if name.endswith("_api_key") else str | None, Field(None, description=description))
        for name, description in settings_fields(entries).items()
    }
    return create_model("ProviderSettings", __base__=BaseSettings, **fields)


class Settings(with_providers(PROVIDERS)):  # type: ignore[misc]
    """Everything that can be configured; the field descriptions are the README's table."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True, validate_default=True
    )

    data_dir: Path = Field(Path("data"), description="Folder of the embedded store, made with mode 0700.")
    key_dir: Path | None = Field(None, description="Folder of the key files; `keys` in the data folder by default.")
    setup_code: SecretStr | None = Field(None, description="Set-up code of the first start; random by default.")
    allow_http: bool = Field(False, description="Allow sign-in over plain http from other hosts than this one.")
    session_profile: Literal["default", "strict"] = Field(
        "default", description="`default`: 7 days idle, 30 in all; `strict`: 30 minutes idle, 12 hours in all."
    )
    metrics_token: SecretStr | None = Field(
        None,
        description="Lets `/metrics` be read from elsewhere than this machine, 32 characters or more; "
        "sent as `Authorization: Bearer`.",
    )
    max_sessions: int = Field(5, ge=1, le=100, description="Sessions that one user may have; the oldest ends.")

    jwt_secret: SecretStr | None = Field(None, description="Key of the session tokens, 32 characters or more.")
    jwt_secret_old: SecretStr | None = Field(
        None, description="The key before it, for up to 30 days after a change: sessions from before go on."
    )
    pepper: SecretStr | None = Field(None, description="Key mixed into password hashes, 32 characters or more.")
    pepper_old: SecretStr | None = Field(
        None, description="The pepper before it: passwords from before count, and are hashed anew at a sign-in."
    )
    master_key: SecretStr | None = Field(
        None, description="Key that wraps the users' data keys, 32 characters or more."
    )
    master_key_old: SecretStr | None = Field(
        None, description="The master key before, while `rotate-keys` replaces it by a new one."
    )

    qdrant_url: str | None = Field(None, description="Address of a Qdrant server; without it the store is embedded.")
    qdrant_api_key: SecretStr | None = Field(None, description="API key of the Qdrant server.")
    qdrant_prefer_grpc: bool = Field(True, description="Talk to the Qdrant server by gRPC instead of REST.")
    qdrant_grpc_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="gRPC port of the Qdrant server; one above the address's port by default.",
        examples=[6334],
    )
    qdrant_timeout_s: int = Field(
        10,
        ge=1,
        le=300,
        description="Seconds that one call to the server may take. Reads try one second first.",
    )
    qdrant_ca_file: Path | None = Field(
        None, description="PEM file of the authority behind the server's certificate; else the system's authorities."
    )
    qdrant_allow_http: bool = Field(
        False, description="Send the API key over plain http to another host, as inside a private container network."
    )
    qdrant_shard_number: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="Shards of a new collection; else the server's choice, one per node. More only for a cluster that "
        "will grow.",
        examples=[2],
    )
    qdrant_replication_factor: int | None = Field(
        None,
        ge=1,
        le=32,
        description="Copies of each shard of a new collection; else the server's choice, 1. 2 or 3 outlive a node.",
        examples=[2],
    )
    qdrant_write_consistency_factor: int | None = Field(
        None,
        ge=1,
        le=32,
        description="Copies that confirm a write before it counts, at most the replication factor; else the server's "
        "choice, 1.",
        examples=[1],
    )
    min_free_mb: int = Field(
        500,
        ge=0,
        le=1_000_000,
        description="Free space of the data folder's disk, in MB, below which nothing new is kept; 0 never looks.",
    )
    collection_prefix: str = Field(
        "optimus_", pattern=r"^[a-z0-9_]{0,32}$", description="Start of every collection's name."
    )

    backup_dir: Path | None = Field(
        None, description="Folder that backups are made into by themselves; without it only on command."
    )
    backup_every_hours: int = Field(24, ge=1, le=720, description="Hours between two backups that make themselves.")
    backup_keep: int = Field(7, ge=1, le=1000, description="Backups that are kept there; older ones are deleted.")
    quantization: Literal["two-bit", "one-bit", "off"] = Field(
        "two-bit",
        description="Vectors in RAM: a 16th, a 32nd (finds fewer), or whole. For new stores or by `optimize`.",
    )
    oversampling: float = Field(4, ge=1, le=16, description="Candidates scored again with whole vectors, per result.")
    hnsw_m: int = Field(16, ge=4, le=64, description="Links in a user's search graph. For new stores or by `optimize`.")
    hnsw_ef_construct: int = Field(100, ge=4, description="Candidates for each link. For new stores or by `optimize`.")
    full_scan_kb: int = Field(10_000, ge=10, description="kB that need no graph. For new stores or by `optimize`.")
    search_ef: int = Field(256, ge=10, le=1_000, description="How widely a search walks that graph; more finds more.")
    vectors_on_disk: bool = Field(
        True, description="Leave whole vectors on disk: a store may outgrow RAM. For new stores or by `optimize`."
    )
    read_ahead: bool = Field(True, description="After a start, read search files ahead, into half of the free memory.")
    optimize_after: int = Field(
        20_000, ge=0, description="Records written or deleted until a start builds indexes first; `0`: on demand only."
    )

    embedding_dir: Path | None = Field(None, description="Folder with another copy of the embedding model.")

    default_model: str | None = Field(
        None, description="`provider:model` of new chats; else what admins choose, or the first connected."
    )
    allowed_providers: str | None = Field(
        None,
        pattern=r"^[a-z-]+( *, *[a-z-]+)*$",
        description="Providers that may be used, such as `openai, compatible`, or `offline` for none; else all, or "
        "what admins choose.",
    )
    registration: Literal["closed", "open"] | None = Field(
        None, description="`open`: whoever reaches the sign-in page can create an account; else what admins choose."
    )
    messages_per_minute: int | None = _limit("Messages that one user may send in a minute, 30 at first")
    tokens_per_minute: int | None = _limit("Tokens that one user's answers may take in a minute")
    messages_per_day: int | None = _limit("Messages that one user may send in a day (UTC)")
    tokens_per_day: int | None = _limit("Tokens that one user's answers may take in a day (UTC)")
    tokens_per_answer: int | None = _limit("Tokens that a model may write for one answer, its thoughts included", 100)
    calls_per_answer: int | None = _limit("Calls of tools that a model may make for one answer, 8 at first")
    usd_per_day: float | None = Field(
        None, gt=0, le=100_000, description="US dollars of one user's models in a day (UTC); else what admins choose."
    )
    memory_pipeline: Literal["optimus", "mem0"] = Field(
        "optimus", description="What looks for memories with a model: our own extraction, or `mem0`'s as it is."
    )
    max_memories: int | None = _limit("Memories that one user may have, messages not counted")
    history_tokens: int = Field(
        8_000, ge=200, le=1_000_000, description="Tokens of earlier messages that go along with a message at most."
    )
    request_timeout_s: int = Field(
        120, ge=5, le=3600, description="Seconds that one answer may take, waiting and trying again included."
    )
    first_token_timeout_s: int = Field(
        60, ge=1, le=3600, description="Seconds until an answer must begin; more for a model that is slow to load."
    )
    connect_timeout_s: int = Field(5, ge=1, le=60, description="Seconds to connect to a model's server.")
    request_retries: int = Field(
        2, ge=0, le=10, description="Times that a request is sent again which failed before the answer began."
    )

    @property
    def keys_folder(self) -> Path:
        """The folder of the key files."""
        return self.key_dir or self.data_dir / "keys"

    @field_validator("jwt_secret", "jwt_secret_old", "pepper", "pepper_old", "master_key", "master_key_old")
    @classmethod
    def _refuse_weak_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        return _strong(value, without="Optimus makes one")

    @field_validator("metrics_token")
    @classmethod
    def _refuse_weak_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        if not value.get_secret_value().isascii():
            raise ValueError("holds signs that a header cannot carry: use letters and digits")
        return _strong(value, without="only this machine can read the metrics")

    @field_validator("setup_code")
    @classmethod
    def _refuse_short_code(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < MIN_SETUP_CODE_CHARS:
            raise ValueError("is too short: use 8 characters or more, or remove it and Optimus makes one")
        return value

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        if self.qdrant_api_key and not self.qdrant_url:
            raise ValueError("OPTIMUS_QDRANT_API_KEY is set without OPTIMUS_QDRANT_URL: set the address too")
        if self.qdrant_api_key and not self.qdrant_allow_http and _is_open_to_listeners(self.qdrant_url or ""):
            raise ValueError(
                "OPTIMUS_QDRANT_API_KEY would go to another host over plain http, where anybody on the way can read "
                "it: use an https address, or set OPTIMUS_QDRANT_ALLOW_HTTP=true in a network of your own"
            )
        if (self.qdrant_write_consistency_factor or 1) > (self.qdrant_replication_factor or 1):
            raise ValueError(
                "OPTIMUS_QDRANT_WRITE_CONSISTENCY_FACTOR is above OPTIMUS_QDRANT_REPLICATION_FACTOR: no write could "
                "ever be confirmed"
            )
        self._refuse_misplaced_keys()
        return self

    def _refuse_misplaced_keys(self) -> None:
        """Refuse an old key without its new one, and one that is the new one."""
        for name in ("jwt_secret", "pepper", "master_key"):
            present, old, variable = getattr(self, name), getattr(self, f"{name}_old"), PREFIX + name.upper()
            if old and not present:
                raise ValueError(f"{variable}_OLD is set without {variable}: set the new one too")
            if old and old == present:
                raise ValueError(f"{variable}_OLD is the same as {variable}: make a new one for {variable}")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - no .env file is read
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - replaced by `FileVariables`
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: arguments, environment, files named by the environment, secrets file."""
        return (init_settings, env_settings, FileVariables(settings_cls), SecretsFile(settings_cls))


def _is_open_to_listeners(url: str) -> bool:
    """Tell whether an address leads off this machine without TLS; what is no address is refused elsewhere."""
    parts = urlsplit(url if "//" in url else f"//{url}")
    host = parts.hostname or ""
    try:
        is_here = ip_address(host).is_loopback
    except ValueError:
        is_here = host == "localhost" or host.endswith(".localhost")
    return parts.scheme != "https" and not is_here


def _strong(value: SecretStr, *, without: str) -> SecretStr:
    """Return a secret that is long and varied enough, and nobody's example."""
    secret = value.get_secret_value()
    if len(secret) < MIN_SECRET_CHARS or len(set(secret)) < MIN_SECRET_VARIETY:
        raise ValueError(
            f"is too short or too simple: use {MIN_SECRET_CHARS} random characters or more "
            f"(`openssl rand -base64 48` makes one), or remove it and {without}"
        )
    if any(word in secret.lower() for word in _EXAMPLE_WORDS):
        raise ValueError(f"is the example's value: replace it, or remove it and {without}")
    return value


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; `overrides` win over every source.

    Raises:
        ConfigurationError: a value is missing, weak or contradictory; the text names the setting and the way out,
            never the value.
    """
    try:
        return Settings(**overrides)
    except ValidationError as exc:
        raise ConfigurationError("; ".join(_sentence(error) for error in exc.errors())) from None


def _sentence(error: Any) -> str:
    name = PREFIX + str(error["loc"][0]).upper() + " " if error["loc"] else ""
    return name + str(error["msg"]).removeprefix("Value error, ").removeprefix("Input ")
