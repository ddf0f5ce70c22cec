"""The doctor: what works, what does not, and what to do about it."""

from __future__ import annotations

import os
import platform
import shutil
import stat
import sys
from contextlib import closing
from enum import StrEnum
from importlib import metadata
from pathlib import Path

from optimus.embedding import Embedder, MiniLmEmbedder
from optimus.errors import ConfigurationError, EmbeddingError, OptimusError
from optimus.keys import load_keys, old_keys
from optimus.llm_handler.gateway import ModelGateway
from optimus.llm_handler.requests import OFFLINE_MODEL
from optimus.models import Value, utc_now
from optimus.rescue import unsettled
from optimus.rescue_words import sentence_of
from optimus.services import CHECKED_AT_START, Services
from optimus.settings import Settings

MIN_FREE_BYTES = 500 * 1024**2
"""Below this the store may not be able to write its log, which grows 32 MB at a time."""
MB = 1024**2
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
    around = _around(opened.settings, opened.models, opened.embedder, opened.auth.passwords.under_old_pepper())
    own = (look_at_backups(opened), look_at_search(opened), _accounts(opened), _audit(opened), records(opened.settings))
    return Report(checks=(*around[:4], _store(opened), *around[4:], *own))


def examine_closed(settings: Settings, problem: OptimusError) -> Report:
    """Look at everything that can be looked at where the store could not be opened because of `problem`."""
    detail = "not opened" if str(problem) == problem.user_message else f"not opened: {problem}"
    store = Check(name="store", verdict=Verdict.PROBLEM, detail=detail, fix=problem.user_message)
    with closing(ModelGateway(settings=settings, clock=utc_now)) as models:
        around = _around(settings, models, MiniLmEmbedder(folder=settings.embedding_dir))
    return Report(checks=(*around[:4], store, *around[4:]))


def records(settings: Settings) -> Check:
    """Tell what is missing of the store, or was repaired, until somebody calls it settled."""
    found = [sentence_of(note, settings.collection_prefix) for note in unsettled(settings)]
    if not found:
        return Check(name="records", verdict=Verdict.OK, detail="nothing is known to be missing")
    fix = "Bring back what is missing, or accept it; then run `python -m optimus rescue --settled`."
    return Check(name="records", verdict=Verdict.WARNING, detail=" ".join(found), fix=fix)


def unreadable_settings(problem: OptimusError) -> Report:
    """Return the report where the settings themselves cannot be used; without them nothing else can be looked at."""
    check = Check(name="configuration", verdict=Verdict.PROBLEM, detail="not usable as it is", fix=problem.user_message)
    return Report(checks=(_versions(), check))


def _around(settings: Settings, models: ModelGateway, embedder: Embedder, under_old: int | None = None) -> list[Check]:
    """Return what can be looked at without a store; `under_old` passwords are under an old pepper, if that is known."""
    return [
        _versions(),
        _configuration(models),
        _data_folder(settings.data_dir),
        _keys(settings, under_old),
        _embedder(embedder),
        _providers(models),
        _disk(settings.data_dir),
    ]


def _versions() -> Check:
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        fix = f"In the folder of Optimus, run: {sys.executable} -m pip install -r requirements.txt"
        return Check(name="versions", verdict=Verdict.PROBLEM, detail=f"not installed: {', '.join(missing)}", fix=fix)
    detail = f"Python {platform.python_version()}, {', '.join(found)}"
    return Check(name="versions", verdict=Verdict.OK, detail=detail)


def _configuration(models: ModelGateway) -> Check:
    fault = models.default_fault()
    if fault:
        return Check(name="configuration", verdict=Verdict.PROBLEM, detail=fault.detail, fix=fault.fix)
    return Check(name="configuration", verdict=Verdict.OK, detail="all settings are readable and agree")


def _data_folder(folder: Path) -> Check:
    if not _is_usable(folder):
        return Check(
            name="data folder",
            verdict=Verdict.PROBLEM,
            detail=f"{folder} is no folder that Optimus may read and write",
            fix="Give it to the user that runs Optimus, writable, or set OPTIMUS_DATA_DIR to another folder.",
        )
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & OWN_FILES_ONLY and sys.platform != "win32":
        return Check(
            name="data folder",
            verdict=Verdict.PROBLEM,
            detail=f"{folder} can be opened by other users of this machine (mode {mode:o})",
            fix=f"Run: chmod 700 {folder}",
        )
    return Check(name="data folder", verdict=Verdict.OK, detail=f"{folder}, mode {mode:o}")


def _is_usable(folder: Path) -> bool:
    return os.access(folder, os.R_OK | os.W_OK | os.X_OK) and folder.is_dir()


def _keys(settings: Settings, under_old: int | None) -> Check:
    folder, data_dir = settings.keys_folder.resolve(), settings.data_dir.resolve()
    if folder.is_relative_to(data_dir) and not _is_usable(data_dir):
        return Check(name="keys", verdict=Verdict.WARNING, detail="not looked at: they belong in the data folder")
    loose = [path.name for path in folder.glob("*.key") if stat.S_IMODE(path.stat().st_mode) & OWN_FILES_ONLY]
    if loose and sys.platform != "win32":
        return Check(
            name="keys",
            verdict=Verdict.PROBLEM,
            detail=f"other users of this machine can read {', '.join(sorted(loose))}",
            fix=f"Run: chmod 600 {folder}/*.key",
        )
    try:
        load_keys(settings)
    except ConfigurationError as error:
        detail = f"the keys in {folder} cannot be used"
        return Check(name="keys", verdict=Verdict.PROBLEM, detail=detail, fix=error.user_message)
    if old := old_keys(settings):
        return _old_keys(old, under_old)
    if folder.is_relative_to(data_dir) and any(folder.glob("*.key")):
        return Check(
            name="keys",
            verdict=Verdict.WARNING,
            detail="the key files are in the data folder, so a copy of the folder can be read by whoever has it",
            fix="Move the folder elsewhere and set OPTIMUS_KEY_DIR to it.",
        )
    return Check(name="keys", verdict=Verdict.OK, detail="three keys, readable by Optimus only")


def _old_keys(old: dict[str, str], under_old: int | None) -> Check:
    """Tell which old keys still count, what hangs on them, and when each may go."""
    words = "password is" if under_old == 1 else "passwords are"
    hanging = "" if under_old is None else f", under which {under_old} {words}"
    fixes = {
        "master": "Run `python -m optimus rotate-keys`, which goes on where it stopped; take {} away if it is set.",
        "jwt": "Take {} away 30 days after the change: no session lives longer.",
        "pepper": "Take {} away when no password is under it; then whoever has one needs a new sign-in code.",
    }
    named = {"master": "master key", "jwt": "session key", "pepper": f"pepper{hanging}"}
    detail = f"a change has not ended: the old {' and the old '.join(named[name] for name in old)}"
    fix = " ".join(fixes[name].format(place) for name, place in old.items())
    return Check(name="keys", verdict=Verdict.WARNING, detail=detail, fix=fix)


def _store(opened: Services) -> Check:
    try:
        health = opened.store.check()
    except OptimusError as error:
        return Check(name="store", verdict=Verdict.PROBLEM, detail=str(error), fix=error.user_message)
    points = sum(health.collections.values())
    detail = f"{opened.store.engine}: {len(health.collections)} collections, {points:,} records; "
    return Check(name="store", verdict=Verdict.OK, detail=detail + "opened, written, read, synced and deleted a record")


def _embedder(embedder: Embedder) -> Check:
    try:
        vectors = embedder.embed(["a cat sleeps", "a kitten naps", "tax law of 1978"])
    except (EmbeddingError, ImportError) as error:
        return Check(
            name="embedder",
            verdict=Verdict.PROBLEM,
            detail=str(error),
            fix="Install the requirements again, or set OPTIMUS_EMBEDDING_DIR to a whole copy of the model.",
        )
    near, far = _dot(vectors[0], vectors[1]), _dot(vectors[0], vectors[2])
    verdict = Verdict.OK if near > far else Verdict.PROBLEM
    detail = f"{embedder.name}, {embedder.dimensions} numbers a text"
    fix = None if near > far else "The model gives wrong vectors; install it again."
    return Check(name="embedder", verdict=verdict, detail=detail, fix=fix)


def _dot(left: list[float], right: list[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


def _providers(models: ModelGateway) -> Check:
    providers = sorted({c.provider_title for c in models.choices() if c.ref != OFFLINE_MODEL})
    if not providers:
        detail = "no key is set; the offline assistant answers until somebody connects a model"
        return Check(name="providers", verdict=Verdict.OK, detail=detail)
    return Check(name="providers", verdict=Verdict.OK, detail=f"keys present: {', '.join(providers)}")


def _disk(folder: Path) -> Check:
    place = next(path for path in (folder.absolute(), *folder.absolute().parents) if os.access(path, os.F_OK))
    free = shutil.disk_usage(place).free
    detail = f"{free / 1024**3:.1f} GB free"
    if free < MIN_FREE_BYTES:
        return Check(name="disk", verdict=Verdict.PROBLEM, detail=detail, fix="Make room, or move the data folder.")
    return Check(name="disk", verdict=Verdict.OK, detail=detail)


def look_at_backups(opened: Services) -> Check:
    """Return how the last backup went, and when the next is due."""
    try:
        state = opened.backups.state()
    except OptimusError as error:
        return Check(name="backups", verdict=Verdict.PROBLEM, detail=str(error), fix=error.user_message)
    last = (
        f"last {state.made_at:%Y-%m-%d %H:%M} UTC, {state.size / MB:,.1f} MB, checked" if state.made_at else "none yet"
    )
    if state.error:
        detail = f"the newest try failed at {state.failed_at:%Y-%m-%d %H:%M} UTC; {last}"
        return Check(name="backups", verdict=Verdict.PROBLEM, detail=detail, fix=state.error)
    if state.next_at is None:
        fix = "Set OPTIMUS_BACKUP_DIR to a folder on another disk, or run `python -m optimus backup FILE` now and then."
        return Check(name="backups", verdict=Verdict.OK, detail=f"not made by themselves; {last}", fix=fix)
    detail = f"{last}; next {state.next_at:%Y-%m-%d %H:%M} UTC"
    return Check(name="backups", verdict=Verdict.OK, detail=detail)


def look_at_search(opened: Services) -> Check:
    """Return whether the search model in use made the vectors of all memories."""
    try:
        state = opened.reembedding.state()
    except OptimusError as error:
        return Check(name="search", verdict=Verdict.PROBLEM, detail=str(error), fix=error.user_message)
    if state.is_whole:
        return Check(name="search", verdict=Verdict.OK, detail=f"all memories are prepared for {state.model}")
    detail = f"memories were prepared for {state.made_by}, and {state.model} is in use: searches go by words alone"
    fix = "Prepare them anew on the admin page, or run `python -m optimus reembed`; it begins by itself at a start."
    if state.is_running:
        detail, fix = f"{detail}; being prepared anew, {state.share:.0%}", "Nothing has to be done."
    return Check(name="search", verdict=Verdict.WARNING, detail=detail, fix=fix)


def _accounts(opened: Services) -> Check:
    if opened.auth.needs_setup():
        detail = "no account yet"
        fix = "Open the link that the start prints, or run `python -m optimus create-admin NAME`."
        return Check(name="accounts", verdict=Verdict.WARNING, detail=detail, fix=fix)
    if broken := opened.store.keyring.faults(opened.store.accounts.owners()):
        shown = ", ".join(broken[:3]) + (" and others" if len(broken) > 3 else "")  # noqa: PLR2004
        detail = f"{len(broken)} cannot be opened: keys are missing or damaged ({shown})"
        fix = "Put the key folder back as it was, or restore a backup."
        return Check(name="accounts", verdict=Verdict.PROBLEM, detail=detail, fix=fix)
    return Check(name="accounts", verdict=Verdict.OK, detail="set up")


def _audit(opened: Services) -> Check:
    try:
        report = opened.store.audit.verify(CHECKED_AT_START)
    except OptimusError as error:
        return Check(name="audit log", verdict=Verdict.PROBLEM, detail=str(error), fix=error.user_message)
    if report.is_whole:
        return Check(name="audit log", verdict=Verdict.OK, detail=f"the newest records are whole, {report.records:,}")
    fix = (
        "Somebody changed the store past Optimus, or an older copy of it was put back. Find out which; "
        "`python -m optimus verify-audit` checks all records."
    )
    return Check(name="audit log", verdict=Verdict.PROBLEM, detail=report.sentence, fix=fix)
