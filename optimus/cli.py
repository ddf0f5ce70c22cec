"""The command line: `python -m optimus doctor`, `create-admin`, `verify-audit` and all the others.

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
from pathlib import Path
from typing import Any

from optimus import ops
from optimus.audit import AuditReport
from optimus.auth.names import check_username
from optimus.auth.passphrase import suggest_passphrase
from optimus.cli_keys import rotate_keys
from optimus.cli_rescue import add_rescue
from optimus.cli_store import add_store_commands
from optimus.doctor import Report, Verdict, examine_closed, unreadable_settings
from optimus.errors import ConfigurationError, InvalidInputError, OptimusError, StoreLockedError
from optimus.keys import load_keys
from optimus.ops_client import ask_running, why_not_asked
from optimus.privacy.receipts import ReceiptSigner
from optimus.services import build_services
from optimus.settings import Settings, load_settings
from optimus.settings_reference import example_toml, markdown_table

_SIGNS = {Verdict.OK: "ok     ", Verdict.WARNING: "warning", Verdict.PROBLEM: "PROBLEM"}

_ASKED_TIMES = 3
_NO_TERMINAL = (
    "There is no terminal to ask for the password at. Pass it on standard input: "
    "python -m optimus create-admin NAME --password-stdin < FILE"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0 if it worked, 1 if something needs repair, 2 for wrong usage."""
    parsed = _parser().parse_args(arguments)
    code: int = parsed.run(parsed)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m optimus", description="Look after an Optimus.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    examine = commands.add_parser("doctor", help="check that everything works and say how to mend what does not")
    examine.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    examine.set_defaults(run=_doctor)
    create = commands.add_parser("create-admin", help="create an account that may administer Optimus")
    create.add_argument("username")
    create.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input instead of asking"
    )
    create.set_defaults(run=_create_admin)
    verify = commands.add_parser("verify-audit", help="check that nothing in the audit log was changed or removed")
    verify.add_argument("--json", action="store_true", help="print one JSON object instead of a sentence")
    verify.set_defaults(run=_verify_audit)
    settings = commands.add_parser("settings", help="list every setting with its default")
    settings.add_argument("--toml", action="store_true", help="print a commented secrets.toml instead of a table")
    settings.set_defaults(run=_settings)
    receipt = commands.add_parser("verify-receipt", help="check the receipt of an account that was deleted")
    receipt.add_argument("file", type=Path)
    receipt.set_defaults(run=_verify_receipt)
    add_rescue(commands)
    add_store_commands(commands)
    rotate = commands.add_parser("rotate-keys", help="wrap everything by a new master key, also while Optimus runs")
    rotate.add_argument(
        "--destroy-retired", action="store_true", help="destroy replaced master keys; older backups need them"
    )
    rotate.set_defaults(run=rotate_keys)
    return parser


def _settings(parsed: argparse.Namespace) -> int:
    print(example_toml() if parsed.toml else markdown_table(), end="")
    return 0


def _verify_receipt(parsed: argparse.Namespace) -> int:
    file: Path = parsed.file
    try:
        settings = load_settings()
        if settings.master_key is None and not (settings.keys_folder / "master.key").is_file():
            raise ConfigurationError(f"There is no master key in {settings.keys_folder}: set OPTIMUS_KEY_DIR to it.")
        keys = load_keys(settings)
        signer = ReceiptSigner(master=keys.master, former=keys.former, folder=settings.keys_folder)
        receipt = signer.verify(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        print(f"{file} cannot be read: {type(error).__name__}.", file=sys.stderr)
        return 1
    except OptimusError as error:
        print(error.user_message, file=sys.stderr)
        return 1
    records = ", ".join(f"{number} {name}" for name, number in receipt.records.items() if number)
    print(f"The receipt {receipt.id} is genuine: on {receipt.erased_at:%Y-%m-%d %H:%M} UTC an account was erased.")
    print(f"Records erased: {records}.")
    return 0


def _doctor(parsed: argparse.Namespace) -> int:
    report = _examined()
    if parsed.json:
        print(json.dumps({"healthy": report.is_healthy, **report.model_dump(mode="json")}, indent=2))
    else:
        for check in report.checks:
            print(f"{_SIGNS[check.verdict]}  {check.name}: {check.detail}")
            if check.fix:
                print(f"         -> {check.fix}")
    return 0 if report.is_healthy else 1


def _examined() -> Report:
    try:
        settings = load_settings()
    except ConfigurationError as error:
        return unreadable_settings(error)
    try:
        return Report.model_validate(_run(settings, "doctor", {}))
    except OptimusError as error:
        return examine_closed(settings, error)


def _create_admin(parsed: argparse.Namespace) -> int:
    try:
        check_username(parsed.username)
        password = _piped_password() if parsed.password_stdin else _ask_password()
        created = _run(load_settings(), "create-admin", {"username": parsed.username, "password": password})
    except OptimusError as error:
        print(error.user_message, file=sys.stderr)
        return 1
    print(f"The account {created['username']} is ready; sign in with it in the browser.")
    return 0


def _piped_password() -> str:
    """Return the first line of standard input.

    Raises:
        InvalidInputError: there is none, or it is not text.
    """
    try:
        password = sys.stdin.readline().rstrip("\r\n") if sys.stdin else ""
    except ValueError as error:
        raise InvalidInputError("stdin", user_message="The password on standard input cannot be read.") from error
    if not password:
        raise InvalidInputError("stdin", user_message="No password came on standard input. No account was made.")
    return password


def _verify_audit(parsed: argparse.Namespace) -> int:
    try:
        report = AuditReport.model_validate(_run(load_settings(), "verify-audit", {}))
    except OptimusError as error:
        print(error.user_message, file=sys.stderr)
        return 1
    if parsed.json:
        print(json.dumps({"whole": report.is_whole, **report.model_dump(mode="json")}, indent=2))
    else:
        print(report.sentence)
    return 0 if report.is_whole else 1


def _ask_password() -> str:
    """Ask for a new password twice, a few times.

    Raises:
        InvalidInputError: there is no terminal to ask at, or nothing usable was typed.
    """
    if not (sys.stdin and sys.stdin.isatty()):
        raise InvalidInputError("no terminal", user_message=_NO_TERMINAL)
    print(f"A passphrase like {suggest_passphrase()} is easy to remember; 15 characters are the least.")
    for _ in range(_ASKED_TIMES):
        try:
            first = getpass.getpass("Password: ")
            is_same = first == getpass.getpass("Again: ")
        except (EOFError, KeyboardInterrupt) as error:
            raise InvalidInputError(
                "no password", user_message="\nNo password was given. No account was made."
            ) from error
        if first and is_same:
            return first
        print("The two were not the same." if first else "That was empty.")
    raise InvalidInputError(
        "no password", user_message="No account was made. Run the command again when you are ready."
    )


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
        raise StoreLockedError(str(error), user_message=why_not_asked(settings.data_dir)) from error
    with closing(opened):
        return ops.run(opened, command, arguments)
