"""`python -m optimus` at a terminal, without one, and where something is wrong."""

import errno
import getpass
import io
import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from optimus import process
from optimus.cli import main
from optimus.doctor import Verdict, examine_closed
from optimus.errors import ConfigurationError
from optimus.keys import begin_new_master, load_keys
from optimus.ops_access import new_access, write_access
from optimus.services import build_services
from optimus.settings import load_settings
from tests.world import PASSWORD

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def data_dir(tmp_path, monkeypatch) -> Path:
    """A data folder that is not there yet, and no other setting."""
    monkeypatch.chdir(tmp_path)
    for name in ("DEFAULT_MODEL", "OPENAI_API_KEY", "QDRANT_URL", "EMBEDDING_DIR"):
        monkeypatch.delenv(f"OPTIMUS_{name}", raising=False)
    folder = Path(tmp_path) / "data"
    monkeypatch.setenv("OPTIMUS_DATA_DIR", str(folder))
    return folder


@pytest.fixture
def doctor(capsys):
    """Run `doctor --json`; return its checks by name, having seen that each problem has a fix and fails the command."""

    def run() -> dict[str, dict[str, str]]:
        code = main(["doctor", "--json"])
        report = json.loads(capsys.readouterr().out)
        problems = [check for check in report["checks"] if check["verdict"] == "problem"]
        assert all(check["fix"] for check in problems)
        assert (report["healthy"], code) == (not problems, 1 if problems else 0)
        return {check["name"]: check for check in report["checks"]}

    return run


def piped(monkeypatch, data: bytes | None) -> None:
    """Give the command this standard input; None closes it."""
    stream = None if data is None else io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", errors="strict")
    monkeypatch.setattr(sys, "stdin", stream)


def typed(monkeypatch, *answers: str) -> None:
    """Give the command a terminal at which somebody types these passwords, and then ends the input."""
    left = iter(answers)

    def ask(_prompt: str) -> str:
        try:
            return next(left)
        except StopIteration:
            raise EOFError from None

    piped(monkeypatch, b"")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(getpass, "getpass", ask)


@pytest.mark.parametrize(
    ("arguments", "data", "sentence"),
    [
        (["grace"], None, "There is no terminal to ask for the password at."),
        (["grace"], b"one\none\n", "There is no terminal to ask for the password at."),
        (["grace", "--password-stdin"], None, "No password came on standard input."),
        (["grace", "--password-stdin"], b"", "No password came on standard input."),
        (["grace", "--password-stdin"], b"\r\n", "No password came on standard input."),
        (["grace", "--password-stdin"], b"\xff\xfe\n", "The password on standard input cannot be read."),
        (["a b", "--password-stdin"], PASSWORD.encode(), "A username has only letters"),
        (["", "--password-stdin"], PASSWORD.encode(), "Please enter a username."),
        (["gr\udce9ce", "--password-stdin"], PASSWORD.encode(), "A username has only letters"),
    ],
)
def test_without_usable_input_no_account_is_made(data_dir, monkeypatch, capsys, arguments, data, sentence):
    """Without a terminal, a password or a usable name, a sentence says so, and not even the folder is made."""
    piped(monkeypatch, data)
    assert main(["create-admin", *arguments]) == 1
    said = capsys.readouterr()
    assert said.err.startswith(sentence)
    assert said.out == ""
    assert not data_dir.exists()


@pytest.mark.parametrize(
    ("answers", "shown"),
    [
        ([], "No password was given."),
        ([PASSWORD], "No password was given."),
        ([PASSWORD, "another"] * 3, "The two were not the same."),
        (["", ""] * 3, "That was empty."),
    ],
)
def test_a_terminal_without_two_equal_passwords_makes_no_account(data_dir, monkeypatch, capsys, answers, shown):
    """Nothing typed, two that differ and empty ones end after three times, with the reason."""
    typed(monkeypatch, *answers)
    assert main(["create-admin", "grace"]) == 1
    said = capsys.readouterr()
    assert shown in said.out + said.err
    assert "No account was made" in said.err
    assert PASSWORD not in said.out + said.err
    assert not data_dir.exists()


def test_accounts_are_made_by_the_rules(monkeypatch, capsys):
    """After a slip at the terminal the account is made; a taken name and weak passwords make none."""
    typed(monkeypatch, PASSWORD, "a slip", PASSWORD, PASSWORD)
    assert main(["create-admin", "grace"]) == 0
    assert "grace is ready" in capsys.readouterr().out
    for name, password, sentence in (
        ("GRACE", PASSWORD, "already taken"),
        ("hopper", "short", "at least 15 characters"),
        ("hopper", "p" * 100_000, "at most"),
    ):
        piped(monkeypatch, f"{password}\n".encode())
        assert main(["create-admin", name, "--password-stdin"]) == 1
        assert sentence in capsys.readouterr().err
    with closing(build_services(load_settings())) as opened:
        assert opened.store.accounts.count_users() == 1


def test_the_doctor_looks_at_the_rest_where_the_store_cannot_be_opened(data_dir, doctor, monkeypatch):
    """With a file as data folder and a default model without a key, both are problems; all else is looked at."""
    data_dir.write_text("no folder")
    monkeypatch.setenv("OPTIMUS_DEFAULT_MODEL", "openai:gpt-6-luna")
    checks = doctor()
    assert {name for name, check in checks.items() if check["verdict"] == "problem"} == {
        "configuration",
        "data folder",
        "store",
    }
    assert str(data_dir) in checks["store"]["fix"]
    assert "OPTIMUS_DATA_DIR" in checks["data folder"]["fix"]
    assert [checks[name]["verdict"] for name in ("versions", "embedder", "providers", "disk")] == ["ok"] * 4


def test_an_unusable_key_is_a_problem_of_its_own(data_dir, doctor):
    """A key file that is too short is named by the check of the keys and by that of the store."""
    (data_dir / "keys").mkdir(parents=True, mode=0o700)
    (data_dir / "keys" / "jwt.key").write_text("short")
    (data_dir / "keys" / "jwt.key").chmod(0o600)
    data_dir.chmod(0o700)
    checks = doctor()
    assert checks["keys"]["verdict"] == checks["store"]["verdict"] == "problem"
    assert "jwt.key is too short" in checks["keys"]["fix"]


def test_a_change_of_the_master_key_that_has_not_ended_is_said(data_dir):
    """While two master keys are needed the doctor warns, and names the command that goes on."""
    settings = load_settings()
    load_keys(settings)
    begin_new_master(settings)
    report = examine_closed(settings, ConfigurationError("not opened"))
    check = next(each for each in report.checks if each.name == "keys")
    assert check.verdict is Verdict.WARNING
    assert "rotate-keys" in (check.fix or "")


def test_old_keys_that_still_count_are_said(data_dir, doctor):
    """The doctor warns until they are gone, names where they stand, and counts the passwords under the old pepper."""
    with closing(build_services(load_settings())) as opened:
        opened.auth.create_admin(code=None, username="grace", password=PASSWORD)
    keys = data_dir / "keys"
    for name in ("jwt", "pepper"):
        (keys / f"{name}.key").rename(keys / f"{name}.old.key")
    check = doctor()["keys"]
    assert check["verdict"] == "warning"
    assert check["detail"].endswith("the old session key and the old pepper, under which 1 password is")
    assert f"Take {Path('data/keys/pepper.old.key')}" in check["fix"].replace(str(data_dir.parent) + "/", "")
    with closing(build_services(load_settings())) as opened:
        opened.auth.sign_in(username="grace", password=PASSWORD, network="n", captcha=None, user_agent="")
    assert "0 passwords" in doctor()["keys"]["detail"]


def test_settings_that_cannot_be_used_are_one_problem(doctor, monkeypatch):
    """Where the settings are wrong, the report names each of them."""
    monkeypatch.setenv("OPTIMUS_MAX_SESSIONS", "0")
    monkeypatch.setenv("OPTIMUS_PEPPER", "short")
    fix = doctor()["configuration"]["fix"]
    assert "OPTIMUS_MAX_SESSIONS" in fix
    assert "OPTIMUS_PEPPER" in fix


@pytest.mark.parametrize(
    ("model", "detail", "fix"),
    [
        ("gpt", "names no provider", "provider:model"),
        ("nobody:gpt", "names no provider", "one of openai"),
        ("openai:gpt-6-luna", "OpenAI is not set up", "Set OPTIMUS_OPENAI_API_KEY"),
        ("compatible:llama", "is not set up", "Set OPTIMUS_COMPATIBLE_BASE_URL"),
        ("offline:other", "does not offer", "Choose one of offline:assistant"),
    ],
)
def test_a_default_model_that_cannot_be_used_is_a_problem(world, model, detail, fix):
    """A default model of no provider, of one without a key, or that is not on offer, is named with its way out."""
    settings = world.services.settings.model_copy(update={"default_model": model})
    models = type(world.services.models)(settings=settings, clock=world.clock)
    with closing(models):
        fault = models.default_fault()
    assert fault is not None
    assert model in fault.detail
    assert detail in fault.detail
    assert fix in fault.fix


def test_a_default_model_that_is_on_offer_is_no_problem(world):
    """No default model, and one that can be picked, are in order."""
    for model in (None, "offline:assistant"):
        settings = world.services.settings.model_copy(update={"default_model": model})
        with closing(type(world.services.models)(settings=settings, clock=world.clock)) as models:
            assert models.default_fault() is None


@pytest.mark.parametrize(
    ("is_known", "sentence"),
    [(True, "takes commands only where it listens at a port"), (False, "may still be starting")],
)
def test_a_process_that_takes_no_commands_is_explained(data_dir, monkeypatch, capsys, is_known, sentence):
    """Where another process holds the folder and cannot be asked, the reason and the way out are named."""
    with closing(build_services(load_settings())):
        if is_known:
            write_access(data_dir, new_access(None))
        piped(monkeypatch, f"{PASSWORD}\n".encode())
        assert main(["create-admin", "grace", "--password-stdin"]) == 1
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("command", [["-m", "optimus", "doctor"], ["app.py"]], ids=["command line", "app"])
def test_missing_packages_get_a_sentence(command):
    """Where the requirements are not installed, the one line says what to run."""
    done = subprocess.run([sys.executable, "-S", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "-m pip install -r requirements.txt" in done.stderr


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (ConfigurationError("Change this."), "Change this."),
        (ModuleNotFoundError(name="qdrant_edge.shard"), "The package qdrant_edge is missing"),
        (ImportError(name="typing"), "Python 3.11, 3.12 or 3.13"),
        (OSError(errno.ENOSPC, "No space left on device", "/data/x"), "No space left on device: /data/x."),
        (ImportError(name="optimus.chat"), None),
        (ValueError("a defect"), None),
    ],
)
def test_a_failed_start_has_a_sentence(error, part):
    """What somebody can mend is said in a sentence; a defect of ours keeps its traceback."""
    sentence = process.failure_sentence(error)
    assert sentence == part if part is None else part in str(sentence)
