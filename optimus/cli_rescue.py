"""The command `rescue`: list what is damaged, repair it, call past repairs settled."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from optimus.errors import ConfigurationError, OptimusError, StoreLockedError
from optimus.ops_client import ask_running, why_not_asked
from optimus.ops_rescue import COMMAND, run_damaged, run_whole
from optimus.rescue_words import DamagedPart, sentence_of
from optimus.restoring import open_desk
from optimus.settings import Settings, load_settings
from optimus.storage.rescue import Repair, RepairNote

_FLAGS = {
    "set_log_aside": Repair.LOG_ASIDE,
    "accept": Repair.ACCEPT,
    "quarantine": Repair.QUARANTINE,
    "restore_newest": Repair.RESTORE,
}
_OPTIONS = {
    Repair.LOG_ASIDE: "--set-wal-aside",
    Repair.ACCEPT: "--accept",
    Repair.QUARANTINE: "--quarantine",
    Repair.RESTORE: "--restore-newest",
}


def add_rescue(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    rescue = commands.add_parser("rescue", help="show what of the store is damaged, and repair it")
    one = rescue.add_mutually_exclusive_group()
    one.add_argument(
        "--set-wal-aside", dest="set_log_aside", metavar="COLLECTION", help="open it without its latest changes"
    )
    one.add_argument("--accept", metavar="COLLECTION", help="go on with what can be read of it")
    one.add_argument("--quarantine", metavar="COLLECTION", help="move it away, and begin it empty")
    one.add_argument("--restore-newest", metavar="COLLECTION", help="put the newest backup in the whole store's place")
    one.add_argument("--settled", action="store_true", help="stop reporting past repairs")
    rescue.set_defaults(run=_rescue)


def _rescue(parsed: argparse.Namespace) -> int:
    arguments: dict[str, Any] = {"settle": parsed.settled}
    for flag, repair in _FLAGS.items():
        if getattr(parsed, flag):
            arguments |= {"repair": repair.value, "collection": getattr(parsed, flag)}
    try:
        settings = load_settings()
        answer = _run(settings, arguments)
    except OptimusError as error:
        print(error.user_message, file=sys.stderr)
        return 1
    return _show(settings, answer)


def _run(settings: Settings, arguments: dict[str, Any]) -> dict[str, Any]:
    """Ask the running Optimus; where none runs, look at the folder here.

    Raises:
        OptimusError: it cannot be looked at or repaired.
    """
    if settings.qdrant_url:
        raise ConfigurationError("The store is on a Qdrant server, which repairs its own files.")
    answer = ask_running(settings.data_dir, COMMAND, arguments)
    if answer is not None:
        return answer
    desk = open_desk(settings)
    try:
        damaged = desk.look()
    except StoreLockedError as error:
        raise StoreLockedError(str(error), user_message=why_not_asked(settings.data_dir)) from error
    return run_damaged(desk, COMMAND, arguments) if damaged else run_whole(settings, arguments)


def _show(settings: Settings, answer: dict[str, Any]) -> int:
    if answer["done"]:
        print(f"Done: {sentence_of(RepairNote.model_validate(answer['done']), settings.collection_prefix)}")
    parts = [DamagedPart.model_validate(part) for part in answer["damaged"]]
    for part in parts:
        print(f"DAMAGED  {part.collection} ({part.holds}): {part.state}")
        print(f"         {part.detail}")
        for offer in part.offers:
            print(f"         {_OPTIONS[offer.repair]} {part.collection}")
            print(f"             keeps: {offer.keeps}")
            print(f"             loses: {offer.loses}")
    if not parts:
        print("Nothing is damaged.")
    notes = [RepairNote.model_validate(note) for note in answer["notes"]]
    if notes:
        print("Not settled yet (`rescue --settled` stops reporting it):")
    for note in notes:
        print(f"  {sentence_of(note, settings.collection_prefix)}")
    return 1 if parts else 0
