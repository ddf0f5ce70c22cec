"""The command line: `python -m optimus doctor`, `create-admin`, `settings`.

While Optimus runs, it alone holds the embedded store; the command is then sent to it over loopback. Otherwise the
command opens the store itself.
"""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from optimus import ops
from optimus.auth.passphrase import suggest_passphrase
from optimus.doctor import Report, Verdict, failed_start
from optimus.errors import OptimusError, StoreLockedError
from optimus.ops_client import ask_running
from optimus.services import build_services
from optimus.settings import Settings, load_settings
from optimus.settings_reference import example_toml, markdown_table

_SIGNS = {Verdict.OK: "ok     ", Verdict.WARNING: "warning", Verdict.PROBLEM: "PROBLEM"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0 if it worked, 1 if something needs repair, 2 for wrong usage."""
    parsed = _parser().parse_args(arguments)
    if parsed.command == "doctor":
        return _doctor(as_json=parsed.json)
    if parsed.command == "settings":
        print(example_toml() if parsed.toml else markdown_table(), end="")
        return 0
    return _create_admin(parsed.username, from_stdin=parsed.password_stdin)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m optimus", description="Look after an Optimus.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    examine = commands.add_parser("doctor", help="check that everything works and say how to mend what does not")
    examine.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    create = commands.add_parser("create-admin", help="create an account that may administer Optimus")
    create.add_argument("username")
    create.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input instead of asking"
    )
    settings = commands.add_parser("settings", help="list every setting with its default")
    settings.add_argument("--toml", action="store_true", help="print a commented secrets.toml instead of a table")
    return parser


def _doctor(*, as_json: bool) -> int:
    try:
        report = Report.model_validate(_run(load_settings(), "doctor", {}))
    except OptimusError as error:
        report = failed_start(error)
    if as_json:
        print(json.dumps({"healthy": report.is_healthy, **report.model_dump(mode="json")}, indent=2))
    else:
        for check in report.checks:
            print(f"{_SIGNS[check.verdict]}  {check.name}: {check.detail}")
            if check.fix:
                print(f"         -> {check.fix}")
    return 0 if report.is_healthy else 1


def _create_admin(username: str, *, from_stdin: bool) -> int:
    password = sys.stdin.readline().rstrip("\n") if from_stdin else _ask_password()
    try:
        created = _run(load_settings(), "create-admin", {"username": username, "password": password})
    except OptimusError as error:
        print(error.user_message, file=sys.stderr)
        return 1
    print(f"The account {created['username']} is ready; sign in with it in the browser.")
    return 0


def _ask_password() -> str:
    print(f"A passphrase like {suggest_passphrase()} is easy to remember; 15 characters are the least.")
    while True:
        try:
            first = getpass.getpass("Password: ")
            is_same = first == getpass.getpass("Again: ")
        except (EOFError, KeyboardInterrupt):
            sys.exit("No password was given. In a script, use --password-stdin.")
        if is_same:
            return first
        print("The two were not the same. Once more.")


def _run(settings: Settings, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Ask the running Optimus; where none runs, open the store and do it here.

    Raises:
        OptimusError: what the command raised, or why it could not be run.
    """
    answer = ask_running(settings.data_dir, command, arguments)
    if answer is not None:
        return answer
    try:
        opened = build_services(settings)
    except StoreLockedError as error:
        raise StoreLockedError(
            str(error),
            user_message="Optimus runs but does not answer here yet. Open it once in the browser, then try again.",
        ) from error
    with closing(opened):
        return ops.run(opened, command, arguments)
