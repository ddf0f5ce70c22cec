"""The command that changes the master key."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from optimus import ops
from optimus.errors import OptimusError, StoreLockedError
from optimus.ops_client import ask_running, why_not_asked
from optimus.services import build_services
from optimus.settings import Settings, load_settings

Ask = Callable[[str, dict[str, Any]], dict[str, Any]]


def rotate_keys(parsed: argparse.Namespace) -> int:
    """Change the master key in batches, telling how far it is; a second call goes on where the first one stopped."""
    try:
        with _asking(load_settings()) as ask:
            print(_destroy(ask) if parsed.destroy_retired else _rotate(ask))
    except OptimusError as error:
        print(error.user_message, file=sys.stderr)
        return 1
    return 0


def _rotate(ask: Ask) -> str:
    total, seen, after = int(ask("rotate-keys", {})["keys"]), 0, None
    while True:
        batch = ask("rotate-keys-batch", {"after": after})
        seen, after = seen + int(batch["seen"]), batch["after"]
        print(f"{min(seen, total)} of {total} keys are under the new master key.", flush=True)
        if after is None:
            break
    retired = int(ask("rotate-keys-end", {})["retired"])
    if not retired:
        return "The master key is changed. OPTIMUS_MASTER_KEY_OLD is needed for older backups only: keep it apart."
    return (
        "The master key is changed. The old one is kept beside it as `master.*.retired`: backups made before now need "
        "it. When they are gone, run `python -m optimus rotate-keys --destroy-retired`. Copy the new key folder."
    )


def _destroy(ask: Ask) -> str:
    count = int(ask("destroy-retired-keys", {})["destroyed"])
    noun = "key is" if count == 1 else "keys are"
    return f"{count} retired master {noun} destroyed. Backups made under them cannot be read any more."


@contextmanager
def _asking(settings: Settings) -> Iterator[Ask]:
    """Let commands be run by the running Optimus; where none runs, by one that is opened for all of them.

    Raises:
        OptimusError: why neither can be.
    """
    first = ask_running(settings.data_dir, "key-state", {})
    if first is not None:
        yield lambda command, arguments: _asked(settings, command, arguments)
        return
    try:
        opened = build_services(settings)
    except StoreLockedError as error:
        raise StoreLockedError(str(error), user_message=why_not_asked(settings.data_dir)) from error
    with closing(opened):
        yield lambda command, arguments: ops.run(opened, command, arguments)


def _asked(settings: Settings, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
    answer = ask_running(settings.data_dir, command, arguments)
    if answer is None:
        raise StoreLockedError(
            "the running process went away",
            user_message="Optimus stopped meanwhile. Run the command again: it goes on where it was.",
        )
    return answer
