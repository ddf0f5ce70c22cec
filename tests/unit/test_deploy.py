"""What `docker-compose.yml` and `deploy/` promise, as far as it can be told without Docker."""

import ast
import json
import os
import re
import shutil
import subprocess
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml
from streamlit import config

from optimus.settings import Settings
from optimus.settings_sources import PREFIX
from tests.world import World

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
EXAMPLE = (DEPLOY / ".env.example").read_text(encoding="utf-8")
DASHBOARD = json.loads((DEPLOY / "grafana/dashboards/optimus.json").read_text(encoding="utf-8"))
ALERTS = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text(encoding="utf-8"))
PROMETHEUS = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text(encoding="utf-8"))
VARIABLE = re.compile(r"\$\{(\w+)(:[-?])?([^}]*)\}")
METRIC = re.compile(r"\b((?:optimus|process|python)_[a-z0-9_]+)(?:\{([^}]*)\})?")
GROUPING = re.compile(r"\bby \(([^)]*)\)")
OF_THE_SCRAPE = {"le", "job", "instance"}

each_service = pytest.mark.parametrize("name", SERVICES)


def compose_variables() -> list[tuple[str, str, str]]:
    """Return each variable that the compose file reads, with its operator and default or sentence."""
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return VARIABLE.findall("\n".join(lines))


def image_environment() -> dict[str, str]:
    """Return the variables that the image sets."""
    block = re.search(r"^ENV (.*)$", DOCKERFILE, re.MULTILINE)
    assert block
    return {name: value.strip('"') for name, value in re.findall(r'(\w+)=("[^"]*"|\S+)', block[1])}


def image_sources() -> list[str]:
    """Return what the image's last stage copies from the repository."""
    return [line.split()[1] for line in DOCKERFILE.splitlines() if line.startswith("COPY ") and "--from" not in line]


def image_health_check() -> list[str]:
    """Return the command of the image's health check."""
    found = re.search(r"^HEALTHCHECK.*?CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert found
    command: list[str] = ast.literal_eval(found[1])
    return command


def expressions() -> list[str]:
    """Return every PromQL expression of the dashboard and of the alerts."""
    shown = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
    return shown + [rule["expr"] for group in ALERTS["groups"] for rule in group["rules"]]


@each_service
def test_services_may_do_little(name):
    """Each container has a pinned image, runs as a user without rights on a read-only disk, and comes back."""
    service = SERVICES[name]
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+(-\w+)?", service["image"])
    user = int(service["user"].split(":")[0])
    assert user > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert "privileged" not in service
    assert not any("docker.sock" in volume for volume in service["volumes"])


@each_service
def test_services_say_whether_they_are_well(name):
    """Each container has a health check that runs again and gives up at some time."""
    check = SERVICES[name]["healthcheck"]
    assert check["test"][0] == "CMD"
    assert {"interval", "timeout", "retries", "start_period"} <= set(check)


def test_the_app_is_as_well_as_its_image_says():
    """The image's own health check asks for readiness, and compose repeats it."""
    assert SERVICES["app"]["healthcheck"]["test"] == ["CMD", *image_health_check()]
    assert "/readyz" in image_health_check()[-1]


def test_only_the_app_and_grafana_are_published_and_on_this_machine_only():
    """Qdrant and Prometheus are on the network without a way out; published ports are bound to loopback."""
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"app", "grafana"}
    for (port,) in published.values():
        assert re.match(r"\$\{\w+_BIND:-127\.0\.0\.1\}:\$\{\w+_PORT:-\d+\}:\d+$", port)
    assert COMPOSE["networks"]["inside"]["internal"] is True
    assert SERVICES["qdrant"]["networks"] == SERVICES["prometheus"]["networks"] == ["inside"]
    assert not any("network_mode" in service for service in SERVICES.values())


def test_volumes_are_named_and_the_rest_is_read_only():
    """What must last is in a named volume, keys apart from data; what comes from the repository is read-only."""
    used = set()
    for service in SERVICES.values():
        for volume in service["volumes"]:
            source, *_ = volume.split(":")
            if source.startswith("."):
                assert volume.endswith(":ro")
                assert (ROOT / source).exists()
            else:
                used.add(source)
    assert used == set(COMPOSE["volumes"])
    assert {"data:/data", "keys:/keys"} <= set(SERVICES["app"]["volumes"])


def test_qdrant_is_new_enough_and_asks_for_a_key():
    """The server keeps conditions on writes, and both sides take the key from the same variable."""
    version = re.search(r":v(\d+)\.(\d+)", SERVICES["qdrant"]["image"])
    assert version
    assert (int(version[1]), int(version[2])) >= (1, 19)
    key = SERVICES["qdrant"]["environment"]["QDRANT__SERVICE__API_KEY"]
    assert key == SERVICES["app"]["environment"]["OPTIMUS_QDRANT_API_KEY"]
    assert key.startswith("${QDRANT_API_KEY:?")


def test_secrets_come_from_the_environment_file_only():
    """No secret has a default; the required ones stop the start with a sentence, and the example names them empty."""
    variables = compose_variables()
    secrets = {v for v in variables if re.search(r"KEY|TOKEN|PASSWORD|SECRET|CODE", v[0])}
    required = {name for name, operator, _ in secrets if operator == ":?"}
    assert required == {"QDRANT_API_KEY", "OPTIMUS_METRICS_TOKEN", "GRAFANA_ADMIN_PASSWORD"}
    for name, operator, words in secrets:
        assert (operator, bool(words)) in {(":?", True), (":-", False)}, name
        assert operator != ":?" or ".env" in words
        assert re.search(rf"^(# )?{name}=$", EXAMPLE, re.MULTILINE), name
    given = [variable for service in SERVICES.values() for variable in service["environment"].items()]
    secret = [value for name, value in given if re.search(r"(KEY|TOKEN|PASSWORD|SECRET)$", name)]
    assert secret
    assert all(value.startswith("${") for value in secret)


def test_the_example_and_the_compose_file_name_the_same_variables():
    """Whatever the example offers is read, and whatever is read is offered."""
    offered = set(re.findall(r"^(?:# )?([A-Z][A-Z_]+)=", EXAMPLE, re.MULTILINE))
    assert offered == {name for name, _, _ in compose_variables()}


def test_every_variable_of_the_app_exists():
    """`OPTIMUS_*` are settings, `STREAMLIT_*` are Streamlit's options, and no provider is left out."""
    options = {option.env_var for option in config._config_options_template.values()}
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    for name in {**image_environment(), **SERVICES["app"]["environment"]}:
        if name.startswith(PREFIX):
            assert name in known
        elif name.startswith("STREAMLIT_"):
            assert name in options
    keys = {name for name in known if name.endswith("_API_KEY")}
    assert keys <= set(SERVICES["app"]["environment"])


def test_the_app_listens_inside_and_answers_to_its_names():
    """All addresses inside the container; on loopback's names and the public one, by default localhost."""
    for environment in (image_environment(), SERVICES["app"]["environment"]):
        assert environment["STREAMLIT_SERVER_ADDRESS"] == "0.0.0.0"
    environment = SERVICES["app"]["environment"]
    assert environment["STREAMLIT_BROWSER_SERVER_ADDRESS"] == "${PUBLIC_HOST:-localhost}"
    assert environment["STREAMLIT_SERVER_ALLOWED_HOSTS"].split() == [
        "localhost",
        "127.0.0.1",
        "${PUBLIC_HOST:-localhost}",
    ]


def test_the_image_is_small_and_checked():
    """Hash-checked wheels, a last stage without pip or compilers, another user than root, code compiled before."""
    last = DOCKERFILE.split("FROM ")[-1]
    assert "--require-hashes" in DOCKERFILE
    assert "--only-binary :all:" in DOCKERFILE
    assert "pip uninstall" in last
    assert "apt-get" not in DOCKERFILE
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    assert SERVICES["app"]["user"] == "10001:10001"
    assert "compileall" in last
    assert re.search(r"^ARG PYTHON=python:3\.1[123]\.\d+-slim-\w+$", DOCKERFILE, re.MULTILINE)
    assert "--hash=sha256:" in (ROOT / "requirements.txt").read_text(encoding="utf-8")


def is_sent_to_the_build(path: str) -> bool:
    """Tell whether `.dockerignore` lets a path through; its last matching line decides."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.removeprefix("!")
        parents = ["/".join(path.split("/")[: count + 1]) for count in range(path.count("/") + 1)]
        flat = pattern.removeprefix("**/")
        names = path.split("/") if pattern.startswith("**/") else parents
        if line and not line.startswith("#") and any(fnmatch(name, flat) for name in names):
            sent = line.startswith("!")
    return sent


def test_what_is_copied_is_there_and_nothing_private_is():
    """Each source of the image is in the repository and sent to the build; secrets, data and tests are not."""
    for source in image_sources():
        assert (ROOT / source).exists(), source
        assert is_sent_to_the_build(source), source
    for private in (".env", ".streamlit/secrets.toml", "data/keys/master.key", ".git/config", "tests/world.py", "x.md"):
        assert not is_sent_to_the_build(private), private
    assert not is_sent_to_the_build("optimus/__pycache__/chat.cpython-311.pyc")


def test_every_metric_on_the_dashboard_and_in_the_alerts_exists(world: World):
    """A name or label that no running Optimus has would leave a panel empty, or an alert silent, for ever."""
    world.services.scrape()
    labels: dict[str, set[str]] = {}
    for family in world.services.store.metrics.registry.collect():
        own = {label for sample in family.samples for label in sample.labels}
        endings = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}.get(family.type, [""])
        labels |= {family.name + ending: own for ending in endings}
    declared = {
        name: set(collector._labelnames)
        for collector, names in world.services.store.metrics.registry._collector_to_names.items()
        for name in names
        if hasattr(collector, "_labelnames")
    }
    for expression in expressions():
        used = METRIC.findall(expression)
        assert used or "up{" in expression, expression
        for name, matchers in used:
            assert name in labels, name
            known = labels[name] | declared.get(name, set()) | OF_THE_SCRAPE
            assert set(re.findall(r"(\w+)\s*[=!]", matchers)) <= known, expression
            for group in GROUPING.findall(expression):
                assert {label.strip() for label in group.split(",")} <= known, expression


def test_every_metric_is_looked_at(world: World):
    """What Optimus measures has a place on the dashboard."""
    shown = {name for expression in expressions() for name, _ in METRIC.findall(expression)}
    for family in world.services.store.metrics.registry.collect():
        if family.name.startswith("optimus_"):
            assert any(name.startswith(family.name) for name in shown), family.name


def test_the_dashboard_is_whole():
    """Panels do not overlap, have one id each, and read from the data source that is provisioned."""
    source = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text("utf-8"))
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        mine = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not mine & cells, panel["title"]
        assert max(x for x, _ in mine) < 24
        cells |= mine
        for target in panel.get("targets", []):
            assert target["datasource"]["uid"] == source["datasources"][0]["uid"]
    provider = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/optimus.yml").read_text("utf-8"))
    mounted = {volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"]}
    assert provider["providers"][0]["options"]["path"] in mounted
    assert source["datasources"][0]["url"] == "http://prometheus:9090"


def test_prometheus_scrapes_the_app_with_the_token():
    """The job asks the app's own port, and its token is the file that the container writes at its start."""
    job = next(job for job in PROMETHEUS["scrape_configs"] if job["job_name"] == "optimus")
    assert job["static_configs"] == [{"targets": ["app:8501"]}]
    place = f"/etc/prometheus/{job['authorization']['credentials_file']}"
    assert f"> {place} " in SERVICES["prometheus"]["command"][0]
    assert SERVICES["prometheus"]["tmpfs"][0].startswith(f"{Path(place).parent}:")


@pytest.fixture(scope="session")
def promtool() -> str:
    """Debian's promtool; without it the tests skip, except under CI."""
    path = shutil.which("promtool")
    if path is None:
        reason = "promtool is not installed; `apt-get install prometheus` lets the tests of its files run"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def test_promtool_accepts_the_configuration(promtool):
    """Prometheus' own checker reads the configuration and the rules that it names."""
    for arguments in (["config", "prometheus.yml"], ["rules", "alerts.yml"]):
        done = subprocess.run(
            [promtool, "check", *arguments], cwd=DEPLOY / "prometheus", capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "SUCCESS" in done.stdout


def test_promtool_understands_the_dashboard(promtool, tmp_path):
    """Each expression of a panel is PromQL: it would do as a recording rule."""
    rules = [
        {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, expression in enumerate(expressions())
    ]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = subprocess.run(
        [promtool, "check", "rules", "rules.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_fire(promtool, tmp_path):
    """A store that is away, an isolation refusal and failing providers raise their alerts; a quiet hour raises none."""
    series = {
        "store down": ([("optimus_store_up", "0x20")], "OptimusStoreDown"),
        "refused": ([('optimus_store_errors_total{kind="isolation"}', "1x20")], "OptimusIsolationRefused"),
        "failing": (
            [
                ('optimus_provider_errors_total{provider="openai",kind="key"}', "0+2x20"),
                ('optimus_answers_total{provider="openai",model="other",state="failed"}', "0+2x20"),
            ],
            "OptimusProviderErrors",
        ),
        "quiet": ([("optimus_store_up", "1x20"), ('up{job="optimus"}', "1x20")], None),
    }
    names = [rule["alert"] for group in ALERTS["groups"] for rule in group["rules"]]
    tests = []
    for values, expected in series.values():
        inputs = [{"series": name, "values": numbers} for name, numbers in values]
        checks = [
            {"expr": f'count(ALERTS{{alertname="{name}",alertstate="firing"}})', "eval_time": "19m"}
            | {"exp_samples": [{"labels": "{}", "value": 1}] if name == expected else []}
            for name in names
        ]
        tests.append({"interval": "1m", "input_series": inputs, "promql_expr_test": checks})
    case = {"rule_files": [str(DEPLOY / "prometheus/alerts.yml")], "evaluation_interval": "1m", "tests": tests}
    (tmp_path / "case.yml").write_text(yaml.safe_dump(case))
    done = subprocess.run(
        [promtool, "test", "rules", "case.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
