"""The doctor: what works, what does not, and what to do about it."""

from __future__ import annotations

import platform
import shutil
import stat
import sys
from collections.abc import Callable
from enum import StrEnum
from importlib import metadata
from pathlib import Path

from optimus.errors import EmbeddingError, OptimusError
from optimus.llm_handler.requests import OFFLINE_MODEL
from optimus.models import Value
from optimus.services import Services
from optimus.settings import Settings

MIN_FREE_BYTES = 500 * 1024**2
"""Below this the store may not be able to write its log, which grows 32 MB at a time."""
PACKAGES = ("streamlit", "qdrant-client", "qdrant-edge-py", "mem0ai", "pydantic-ai-slim", "onnxruntime")
OWN_FILES_ONLY = stat.S_IRWXG | stat.S_IRWXO


class Verdict(StrEnum):
    """How a check came out; only a problem makes the doctor fail."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class Check(Value):
    """One thing that was looked at."""

    name: str
    verdict: Verdict
    detail: str
    fix: str | None = None


class Report(Value):
    """All checks of one examination."""

    checks: tuple[Check, ...]

    @property
    def is_healthy(self) -> bool:
        """Whether nothing needs repair."""
        return all(check.verdict is not Verdict.PROBLEM for check in self.checks)


def examine(opened: Services) -> Report:
    """Look at everything that Optimus needs in order to work."""
    settings = opened.settings
    examinations: list[Callable[[], Check]] = [
        _versions,
        lambda: _configuration(opened),
        lambda: _data_folder(settings.data_dir),
        lambda: _keys(settings),
        lambda: _store(opened),
        lambda: _embedder(opened),
        lambda: _providers(opened),
        lambda: _disk(settings.data_dir),
        lambda: _accounts(opened),
    ]
    return Report(checks=tuple(examination() for examination in examinations))


def failed_start(error: OptimusError) -> Report:
    """Return the report of an Optimus that could not even be opened."""
    check = Check(name="start", verdict=Verdict.PROBLEM, detail=str(error), fix=error.user_message)
    return Report(checks=(_versions(), check))


def _versions() -> Check:
    found = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
    return Check(name="versions", verdict=Verdict.OK, detail=f"Python {platform.python_version()}, {found}")


def _configuration(opened: Services) -> Check:
    settings = opened.settings
    wanted = settings.default_model
    offered = {str(choice.ref) for choice in opened.models.choices(())}
    if wanted and wanted not in offered:
        return Check(
            name="configuration",
            verdict=Verdict.WARNING,
            detail=f"OPTIMUS_DEFAULT_MODEL is {wanted}, which no configured provider offers",
            fix="Set the key of its provider, or choose another default model.",
        )
    return Check(name="configuration", verdict=Verdict.OK, detail="all settings are readable and agree")


def _data_folder(folder: Path) -> Check:
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & OWN_FILES_ONLY and sys.platform != "win32":
        return Check(
            name="data folder",
            verdict=Verdict.PROBLEM,
            detail=f"{folder} can be opened by other users of this machine (mode {mode:o})",
            fix=f"Run: chmod 700 {folder}",
        )
    return Check(name="data folder", verdict=Verdict.OK, detail=f"{folder}, mode {mode:o}")


def _keys(settings: Settings) -> Check:
    folder = settings.keys_folder.resolve()
    loose = [path.name for path in folder.glob("*.key") if stat.S_IMODE(path.stat().st_mode) & OWN_FILES_ONLY]
    if loose and sys.platform != "win32":
        return Check(
            name="keys",
            verdict=Verdict.PROBLEM,
            detail=f"other users of this machine can read {', '.join(sorted(loose))}",
            fix=f"Run: chmod 600 {folder}/*.key",
        )
    if folder.is_relative_to(settings.data_dir.resolve()) and any(folder.glob("*.key")):
        return Check(
            name="keys",
            verdict=Verdict.WARNING,
            detail="the key files are in the data folder, so a copy of the folder can be read by whoever has it",
            fix="Move the folder elsewhere and set OPTIMUS_KEY_DIR to it.",
        )
    return Check(name="keys", verdict=Verdict.OK, detail="three keys, readable by Optimus only")


def _store(opened: Services) -> Check:
    try:
        health = opened.store.check()
    except OptimusError as error:
        return Check(name="store", verdict=Verdict.PROBLEM, detail=str(error), fix=error.user_message)
    points = sum(health.collections.values())
    detail = f"{opened.store.engine}: {len(health.collections)} collections, {points:,} records; "
    return Check(name="store", verdict=Verdict.OK, detail=detail + "opened, written, read, synced and deleted a record")


def _embedder(opened: Services) -> Check:
    try:
        vectors = opened.embedder.embed(["a cat sleeps", "a kitten naps", "tax law of 1978"])
    except EmbeddingError as error:
        return Check(
            name="embedder",
            verdict=Verdict.PROBLEM,
            detail=str(error),
            fix="Install the requirements again, or set OPTIMUS_EMBEDDING_DIR to a whole copy of the model.",
        )
    near, far = _dot(vectors[0], vectors[1]), _dot(vectors[0], vectors[2])
    verdict = Verdict.OK if near > far else Verdict.PROBLEM
    detail = f"{opened.embedder.name}, {opened.embedder.dimensions} numbers a text"
    fix = None if near > far else "The model gives wrong vectors; install it again."
    return Check(name="embedder", verdict=verdict, detail=detail, fix=fix)


def _dot(left: list[float], right: list[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


def _providers(opened: Services) -> Check:
    providers = sorted({c.provider_title for c in opened.models.choices(()) if c.ref != OFFLINE_MODEL})
    if not providers:
        detail = "no key is set; the offline assistant answers until somebody connects a model"
        return Check(name="providers", verdict=Verdict.OK, detail=detail)
    return Check(name="providers", verdict=Verdict.OK, detail=f"keys present: {', '.join(providers)}")


def _disk(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1024**3:.1f} GB free"
    if free < MIN_FREE_BYTES:
        return Check(name="disk", verdict=Verdict.PROBLEM, detail=detail, fix="Make room, or move the data folder.")
    return Check(name="disk", verdict=Verdict.OK, detail=detail)


def _accounts(opened: Services) -> Check:
    if opened.auth.needs_setup():
        detail = "no account yet"
        fix = "Open the link that the start prints, or run `python -m optimus create-admin`."
        return Check(name="accounts", verdict=Verdict.WARNING, detail=detail, fix=fix)
    return Check(name="accounts", verdict=Verdict.OK, detail="set up")
