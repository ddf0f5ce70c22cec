"""`python -m optimus`, beside the running application and without it; and the other ways to start it."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from qdrant_client import models

from optimus.cli import main
from optimus.keys import load_keys
from optimus.ops_access import read_access
from optimus.settings import load_settings
from optimus.settings_reference import example_toml, markdown_table
from optimus.storage.audit_records import AuditAction
from optimus.storage.store import open_store
from tests.e2e.server import PASSWORD, ROOT, SETUP_CODE, AppServer

CHECKS = {
    "versions",
    "configuration",
    "data folder",
    "keys",
    "store",
    "embedder",
    "providers",
    "disk",
    "backups",
    "search",
    "records",
    "accounts",
    "audit log",
}
FIX = "->"


def run(data_dir: Path, *arguments: str, typed: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one command on a data folder."""
    return subprocess.run(
        [sys.executable, "-m", "optimus", *arguments],
        cwd=ROOT,
        env=AppServer(data_dir).variables() | environment,
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def create_admin(data_dir: Path, username: str, password: str = PASSWORD) -> subprocess.CompletedProcess[str]:
    """Run `create-admin` with the password on standard input."""
    done = run(data_dir, "create-admin", username, "--password-stdin", typed=f"{password}\n")
    assert "Traceback" not in done.stderr
    assert password not in done.stdout + done.stderr
    return done


def report_of(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, str]]:
    """Return the checks of `doctor --json` by name, and see that its verdict and its exit code agree."""
    assert "Traceback" not in done.stderr
    report = json.loads(done.stdout)
    assert report["healthy"] is (done.returncode == 0)
    return {check["name"]: check for check in report["checks"]}


def test_the_doctor_examines_the_running_application(shared_app: AppServer):
    """Beside the app, which alone holds the store, the doctor reports every check and exits with 0."""
    checks = report_of(run(shared_app.data_dir, "doctor", "--json"))
    assert set(checks) == CHECKS
    assert {check["verdict"] for check in checks.values()} <= {"ok", "warning"}
    assert checks["store"]["detail"].startswith("embedded: ")
    assert checks["accounts"]["verdict"] == "ok"


def test_the_doctor_examines_a_stopped_optimus(tmp_path):
    """On a folder that nobody uses yet, the doctor opens the store itself, and says what comes next."""
    done = run(tmp_path / "data", "doctor")
    assert done.returncode == 0, done.stderr
    assert [name for name in CHECKS if f"  {name}: " not in done.stdout] == []
    assert "accounts: no account yet" in done.stdout
    assert "python -m optimus create-admin" in done.stdout
    assert not (tmp_path / "data" / "ops.json").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")
def test_a_data_folder_open_to_others_is_a_problem(shared_app: AppServer):
    """A data folder that others can open, beside the running app, fails the doctor, which names the command to run."""
    shared_app.data_dir.chmod(0o755)
    try:
        done = run(shared_app.data_dir, "doctor")
    finally:
        shared_app.data_dir.chmod(0o700)
    assert done.returncode == 1
    assert "PROBLEM  data folder: " in done.stdout
    assert f"{FIX} Run: chmod 700 {shared_app.data_dir}" in done.stdout


def test_a_broken_model_and_a_wrong_default_have_their_fixes(tmp_path):
    """A broken search model and a default model without a key are problems; each names its fix."""
    model_dir = tmp_path / "model"
    model_dir.mkdir()
    (model_dir / "model.onnx").write_bytes(b"not a model")
    broken = {"OPTIMUS_EMBEDDING_DIR": str(model_dir), "OPTIMUS_DEFAULT_MODEL": "openai:gpt-6-luna"}
    done = run(tmp_path / "data", "doctor", "--json", **broken)
    assert done.returncode == 1
    checks = report_of(done)
    assert checks["embedder"]["verdict"] == "problem"
    assert "OPTIMUS_EMBEDDING_DIR" in checks["embedder"]["fix"]
    assert checks["configuration"]["verdict"] == "problem"
    assert "openai:gpt-6-luna" in checks["configuration"]["detail"]
    assert "Set OPTIMUS_OPENAI_API_KEY" in checks["configuration"]["fix"]


def test_a_setting_that_prevents_the_start_is_named(tmp_path):
    """Where Optimus cannot even be opened, the doctor names the setting, never its value, and exits with 1."""
    done = run(tmp_path / "data", "doctor", OPTIMUS_JWT_SECRET="tooshort1")
    assert done.returncode == 1
    assert "OPTIMUS_JWT_SECRET is too short" in done.stdout
    assert FIX in done.stdout
    assert "tooshort1" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_accounts_are_made_beside_the_running_application(shared_app: AppServer):
    """An account made while the app runs is in its store; a taken name and a weak password are refused in words."""
    made = create_admin(shared_app.data_dir, "grace")
    assert made.returncode == 0, made.stderr
    assert "grace is ready" in made.stdout
    taken = create_admin(shared_app.data_dir, "Grace")
    assert taken.returncode == 1
    assert "already taken" in taken.stderr
    weak = create_admin(shared_app.data_dir, "hopper", "too short")
    assert weak.returncode == 1
    assert "at least 15 characters" in weak.stderr.lower()


def test_accounts_are_made_while_nothing_runs(tmp_path):
    """The first account may be made before the first start, and the same rules hold."""
    data_dir = tmp_path / "data"
    made = create_admin(data_dir, "grace")
    assert made.returncode == 0, made.stderr
    again = create_admin(data_dir, "grace")
    assert again.returncode == 1
    assert "already taken" in again.stderr
    assert again.stdout == ""


def test_the_audit_log_is_checked_while_the_application_runs(shared_app: AppServer):
    """`verify-audit` asks the running application; a whole log exits with 0, in words and as JSON."""
    done = run(shared_app.data_dir, "verify-audit")
    assert done.returncode == 0, done.stderr
    assert "The audit log is whole" in done.stdout
    found = json.loads(run(shared_app.data_dir, "verify-audit", "--json").stdout)
    assert (found["whole"], found["broken"], found["is_anchored"]) == (True, None, True)
    assert found["records"] >= 1


def test_a_changed_audit_log_is_named_while_nothing_runs(tmp_path, monkeypatch, capsys):
    """`verify-audit` opens the store itself; it names the first record that was changed, and exits with 1."""
    monkeypatch.setenv("OPTIMUS_DATA_DIR", str(tmp_path / "data"))
    settings = load_settings()
    store = open_store(settings, load_keys(settings))
    for _ in range(3):
        store.audit.record(AuditAction.SETTING_CHANGE, actor=None)
    store.close()
    assert main(["verify-audit"]) == 0
    assert capsys.readouterr().out.startswith("The audit log is whole: 3 in all")
    store = open_store(settings, load_keys(settings))
    where = models.Filter(must=[models.FieldCondition(key="seq", match=models.MatchValue(value=2))])
    store.client.set_payload(store.names.events, payload={"at": "2020-01-01T00:00:00+00:00"}, points=where)
    store.close()
    assert main(["verify-audit"]) == 1
    assert "broken at record 2: it was changed" in capsys.readouterr().out
    done = run(tmp_path / "data", "verify-audit", "--json")
    assert (done.returncode, json.loads(done.stdout)["broken"]) == (1, 2)


def test_the_settings_are_listed(tmp_path):
    """`settings` prints the table of all settings, `--toml` the example file; neither opens anything."""
    table = run(tmp_path / "data", "settings")
    assert (table.returncode, table.stdout) == (0, markdown_table())
    toml = run(tmp_path / "data", "settings", "--toml")
    assert (toml.returncode, toml.stdout) == (0, example_toml())
    assert not (tmp_path / "data").exists()
    assert run(tmp_path / "data", "no-such-command").returncode == 2


def test_the_ops_route_looks_like_a_missing_page(shared_app: AppServer):
    """Without the token, with a wrong one, through a proxy or by another method, the route answers as if not there."""
    access = read_access(shared_app.data_dir)
    assert access
    right = {"Authorization": f"Bearer {access.token}"}
    refused = [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Bearer {access.token}x"},
        right | {"X-Forwarded-For": "203.0.113.7"},
        right | {"X-Forwarded-For": "127.0.0.1"},
        right | {"X-Real-IP": "203.0.113.7"},
        right | {"Forwarded": "for=203.0.113.7"},
    ]
    with httpx.Client(base_url=shared_app.url, timeout=30) as client:
        missing = client.post("/nothing/here")
        for headers in refused:
            answer = client.post("/ops/doctor", headers=headers, json={})
            assert (answer.status_code, answer.content) == (missing.status_code, missing.content), headers
        got, missing_page = client.get("/ops/doctor", headers=right), client.get("/nothing/here")
        assert (got.status_code, got.content) == (missing_page.status_code, missing_page.content)
        for body in ("[]", '"text"', "{", '{"username": 7, "password": []}'):
            assert client.post("/ops/create-admin", headers=right, content=body).status_code in {400, 409}, body
        assert client.post("/ops/no-such-command", headers=right, json={}).status_code == 409
        assert client.post("/ops/doctor", headers=right, content=b" " * 20_000).status_code == 413


STARTS = {
    "streamlit": ["-m", "streamlit", "run", "app.py", "--server.port", "{port}"],
    "uvicorn": ["-m", "uvicorn", "app:app", "--port", "{port}"],
    "python": ["app.py"],
}


def started(server: AppServer, home: Path, start: list[str]) -> AppServer:
    """Start the application in another way, with its port in the user's own Streamlit configuration."""
    (home / ".streamlit").mkdir(exist_ok=True)
    (home / ".streamlit" / "config.toml").write_text(f"[server]\nport = {server.port}\n")
    server.environment["HOME"] = str(home)
    return server.launch([sys.executable, *(part.format(port=server.port) for part in start)])


@pytest.mark.parametrize("start", [STARTS["uvicorn"], STARTS["python"]], ids=["uvicorn", "python"])
def test_other_ways_to_start_and_stop(tmp_path, start):
    """Under `uvicorn app:app` and `python app.py` it names its address, takes commands at once, and closes in order.

    Nobody has sent a request when the first command comes.
    """
    server = started(AppServer(tmp_path / "data", OPTIMUS_DEFAULT_MODEL="openai:gpt-6-luna"), tmp_path, start)
    try:
        assert server.said(r"Stop with Ctrl\+C", 60), server.output
        assert f"{server.url}/?setup={SETUP_CODE}" in server.output
        server.add_user("ada")
        assert server.said("Set OPTIMUS_OPENAI_API_KEY", 10), server.output
        with httpx.Client(timeout=60) as client:
            assert client.get(f"{server.url}/session/check").status_code == 401
            assert client.get(f"{server.url}/readyz").json() == {"status": "ready"}
            assert client.get(f"{server.url}/_stcore/metrics").status_code == 404
    finally:
        server.stop()
    assert "Traceback" not in server.output
    accounts = report_of(run(server.data_dir, "doctor", "--json", OPTIMUS_DEFAULT_MODEL=""))["accounts"]
    assert accounts["detail"] == "set up"


@pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets are POSIX")
def test_a_unix_socket_takes_no_commands(tmp_path):
    """At a Unix socket the start says how to open the set-up, and a command says why it is not taken."""
    path = tmp_path / "s"
    server = started(AppServer(tmp_path / "data"), tmp_path, ["-m", "uvicorn", "app:app", "--uds", str(path)])
    try:
        assert server.said(r"Stop with Ctrl\+C", 60), server.output
        assert f"at the Unix socket {path}" in server.output
        assert f"/?setup={SETUP_CODE} after its address" in server.output
        refused = create_admin(server.data_dir, "ada")
    finally:
        server.stop()
    assert refused.returncode == 1
    assert "not at a Unix socket" in refused.stderr


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_a_start_that_fails_ends_with_one(tmp_path, start):
    """Where the data folder is a file, one sentence names it, and the process ends with 1, however it was started."""
    (tmp_path / "data").write_text("no folder")
    server = started(AppServer(tmp_path / "data"), tmp_path, start)
    assert server.process
    assert server.process.wait(60) == 1
    assert server.said(r"Optimus cannot start\. The data folder .*OPTIMUS_DATA_DIR", 10), server.output
    assert "Traceback" not in server.output
    assert "key" not in server.output
