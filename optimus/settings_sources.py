"""Where settings come from besides the environment itself: files that it names, and the secrets file."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

from optimus.errors import ConfigurationError

PREFIX = "OPTIMUS_"
SECRETS_FILE = Path(".streamlit/secrets.toml")


class FileVariables(PydanticBaseSettingsSource):
    """`OPTIMUS_X_FILE` names a file whose text is the value of `OPTIMUS_X` (container secrets)."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        del field
        path = os.environ.get(f"{PREFIX}{field_name.upper()}_FILE")
        if not path:
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").strip(), field_name, False
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigurationError(
                f"{PREFIX}{field_name.upper()}_FILE names {path}, which cannot be read: {type(exc).__name__}"
            ) from exc

    def __call__(self) -> dict[str, Any]:
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value not in (None, "")}


class SecretsFile(FileVariables):
    """The `[optimus]` table of `.streamlit/secrets.toml`."""

    def __call__(self) -> dict[str, Any]:
        if not SECRETS_FILE.is_file():
            return {}
        try:
            table = tomllib.loads(SECRETS_FILE.read_text(encoding="utf-8")).get("optimus", {})
        except (OSError, ValueError) as exc:
            raise ConfigurationError(f"{SECRETS_FILE} cannot be read: {exc}") from exc
        unknown = sorted(set(table) - set(self.settings_cls.model_fields))
        if unknown:
            raise ConfigurationError(f"{SECRETS_FILE}: unknown setting {', '.join(unknown)} in [optimus]")
        return {name: value for name, value in table.items() if value != ""}
