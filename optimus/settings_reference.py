"""Every setting in words: the README's table and the commented example file, both made from the code."""

from __future__ import annotations

from pathlib import Path

from pydantic.fields import FieldInfo

from optimus.settings import Settings
from optimus.settings_sources import PREFIX, SECRETS_FILE

_INTRODUCTION = f"""\
# Every setting of Optimus. Copy this file to {SECRETS_FILE} and remove the # before what you set.
# The environment wins over this file: {PREFIX}<NAME>, or {PREFIX}<NAME>_FILE with the path of a file that holds it.
# This file is made from the code: python -m optimus settings --toml

[optimus]
"""


def markdown_table() -> str:
    """Return the settings as a Markdown table."""
    rows = [
        f"| `{PREFIX}{name.upper()}` | {_default(name, field)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| setting | default | what it does |", "| --- | --- | --- |", *rows]) + "\n"


def example_toml() -> str:
    """Return the settings as a commented TOML file."""
    lines = [f"# {field.description}\n# {name} = {_example(field)}" for name, field in Settings.model_fields.items()]
    return _INTRODUCTION + "\n\n".join(lines) + "\n"


def _default(name: str, field: FieldInfo) -> str:
    if field.default is None:
        return "none" if not name.endswith(("_secret", "_key", "pepper")) or "api" in name else "made on first start"
    return f"`{_literal(field.default)}`"


def _example(field: FieldInfo) -> str:
    if field.default is not None:
        return _literal(field.default) if isinstance(field.default, bool | int) else f'"{_literal(field.default)}"'
    return _literal(field.examples[0]) if field.examples else '""'


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value.as_posix() if isinstance(value, Path) else str(value)
