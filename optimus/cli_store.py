"""Commands that look after the store as a whole: `backup`, `restore`, `verify`, `reembed`, `optimize`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from optimus.errors import BackupError, OptimusError, StoreLockedError, StoreUnavailableError
from optimus.ops_client import ask_running, why_not_asked
from optimus.restoring import restore
from optimus.services import Services, build_services
from optimus.settings import Settings, load_settings
from optimus.storage.backup_file import BackupReader
from optimus.storage.optimizing import SERVER_OPTIMIZES, Step, optimize_in_child, order_for

ASK_EVERY_S = 0.3
_AT_NEXT_START = (
    "Optimus is running: the search indexes are built before the store opens the next time. Restart it when it suits."
)
_PREPARED = "All memories are prepared for the search model in use."
_STEPS = {"copying": "copying", "building": "building the index", "saving": "saving", "done": "done"}
_STOP_FIRST = "Optimus runs on this data folder: stop it first. A backup is put back while it does not run."


def add_store_commands(commands: Any) -> None:
    """Add the commands to the parser's."""
    for name, run, words, argument in (
        ("backup", _backup, "write a backup of the whole store, also while Optimus runs", "the new file"),
        ("restore", _restore, "put a backup back into an empty store, while Optimus does not run", "the backup"),
        ("verify", _verify, "check that a backup is whole; needs neither store nor keys", "the backup"),
    ):
        parser = commands.add_parser(name, help=words)
        parser.add_argument("file", type=Path, help=argument)
        parser.set_defaults(run=_told(_on_file(run)))
    parser = commands.add_parser("reembed", help="prepare all memories for the search model in use, where it changed")
    parser.add_argument("--cancel", action="store_true", help="stop it, and throw away what was made")
    parser.set_defaults(run=_told(lambda parsed: _cancel_reembedding() if parsed.cancel else _reembed()))
    parser = commands.add_parser("optimize", help="build the search indexes as the settings choose, or at next start")
    parser.set_defaults(run=_told(lambda _: _optimize()))


def _on_file(run: Callable[[Path], str]) -> Callable[[argparse.Namespace], str]:
    return lambda parsed: run(parsed.file.absolute())


def _told(run: Callable[[argparse.Namespace], str]) -> Callable[[argparse.Namespace], int]:
    """Return a command that prints what `run` returns, or why it failed."""

    def command(parsed: argparse.Namespace) -> int:
        try:
            sentence = run(parsed)
        except OptimusError as error:
            _end_line()
            print(error.user_message, file=sys.stderr)
            return 1
        _end_line()
        print(sentence)
        return 0

    return command


def _backup(path: Path) -> str:
    settings = load_settings()
    if ask_running(settings.data_dir, "backup", {"path": str(path)}) is None:
        _back_up_here(settings, path)
    else:
        _follow(settings)
    return f"{path} is written and checked, {path.stat().st_size:,} bytes. The keys are not in it: keep them elsewhere."


def _back_up_here(settings: Settings, path: Path) -> None:
    with closing(_opened(settings)) as opened:
        opened.backups.make(path, _show)


def _follow(settings: Settings) -> None:
    """Show how far the running Optimus is until it has ended.

    Raises:
        OptimusError: it failed there, or Optimus ended meanwhile.
    """
    while True:
        answer = ask_running(settings.data_dir, "backup-progress", {})
        if answer is None:
            raise StoreUnavailableError("stopped", user_message="Optimus stopped meanwhile; there is no backup.")
        _show(int(answer["done"]), int(answer["total"]))
        if answer["is_over"]:
            if answer["error"]:
                raise BackupError(str(answer["error"]))
            return
        time.sleep(ASK_EVERY_S)


def _restore(path: Path) -> str:
    try:
        manifest = restore(load_settings(), path, progress=_show)
    except StoreLockedError as error:
        raise StoreLockedError(str(error), user_message=_STOP_FIRST) from error
    return (
        f"The backup of {manifest.made_at:%Y-%m-%d %H:%M} UTC is put back: {manifest.records:,} records. Everybody has "
        "to sign in again; who was erased since is erased again. You can start Optimus now."
    )


def _verify(path: Path) -> str:
    with BackupReader(path) as reader:
        reader.verify(_show)
        manifest = reader.manifest
    counts = ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in manifest.counts.items())
    return (
        f"The backup is whole: made {manifest.made_at:%Y-%m-%d %H:%M} UTC, {manifest.records:,} records ({counts}). "
        "Whether the master key fits is checked when it is put back."
    )


def _optimize() -> str:
    settings = load_settings()
    if settings.qdrant_url:
        return SERVER_OPTIMIZES
    if ask_running(settings.data_dir, "optimize", {}) is not None:
        return _AT_NEXT_START
    try:
        optimize_in_child(order_for(settings), _show_step)
    except StoreLockedError as error:
        raise StoreLockedError(str(error), user_message=why_not_asked(settings.data_dir)) from error
    return "The search indexes are built."


def _reembed() -> str:
    settings = load_settings()
    state = ask_running(settings.data_dir, "reembed", {})
    if state is None:
        with closing(_opened(settings)) as opened:
            opened.reembedding.run_for_terminal(_show)
        return _PREPARED
    if not state["is_running"]:
        if state["is_whole"]:
            return _PREPARED
        ask_running(settings.data_dir, "reembed", {"act": "begin"})
    while (state := ask_running(settings.data_dir, "reembed", {})) is not None and state["is_running"]:
        _show(int(state["done"]), int(state["total"]))
        time.sleep(ASK_EVERY_S)
    if state is None or not state["is_whole"]:
        why = str(state["error"]) if state else "Optimus stopped meanwhile."
        raise StoreUnavailableError("not prepared", user_message=f"{why} Run the command again: it goes on.")
    return _PREPARED


def _cancel_reembedding() -> str:
    settings = load_settings()
    if ask_running(settings.data_dir, "reembed", {"act": "cancel"}) is None:
        with closing(_opened(settings)) as opened:
            opened.reembedding.cancel_for(None)
    return "Cancelled. The memories are as they were; searches go by words alone until `python -m optimus reembed`."


def _opened(settings: Settings) -> Services:
    try:
        return build_services(settings)
    except StoreLockedError as error:
        raise StoreLockedError(str(error), user_message=why_not_asked(settings.data_dir)) from error


def _show_step(step: Step) -> None:
    points = f" of {step.points:,} records" if step.points else ""
    name = step.collection.replace("_", " ")
    print(f"{step.share:4.0%}  {name} ({step.number} of {step.of}): {_STEPS[step.step]}{points}", file=sys.stderr)


def _show(done: int, total: int) -> None:
    share = done / total if total else 1.0
    print(f"\r{share:4.0%}  {done:,} of {total:,} records", end="", file=sys.stderr, flush=True)


def _end_line() -> None:
    print(file=sys.stderr, flush=True)
