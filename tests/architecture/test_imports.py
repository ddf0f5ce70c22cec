"""The import rules of the design, checked on every file."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
BASE = {"provider_table", "pdf_text", "settings_sources", "errors", "models", "values", "settings", "keys"}
BASE |= {"metrics", "model_metrics"}
ENGINES = {"auth", "memory_manager", "llm_handler"}
ALLOWED = {
    **dict.fromkeys(BASE, BASE),
    "embedding": BASE,
    "breaker": set(),
    "background": set(),
    "storage": BASE | {"breaker", "storage"},
    "drafts": BASE,
    "attachments": BASE | {"drafts"},
    "endings": BASE,
    "downloads": BASE,
    "prompt": BASE | {"llm_handler"},
    **{name: BASE | {"storage", "embedding", name} for name in ENGINES},
    "llm_handler": BASE | {"storage", "embedding", "breaker", "llm_handler"},
    "preferences": BASE | {"storage"},
    "withholding": BASE | {"llm_handler", "memory_manager", "preferences"},
    "memory_tools": BASE | {"llm_handler", "memory_manager", "prompt", "storage"},
    "upkeep": BASE | {"background", "memory_manager", "storage", "preferences"},
    "chat_memory": BASE
    | {"memory_manager", "memory_tools", "llm_handler", "preferences", "prompt", "storage", "withholding"},
    "connections": BASE | {"storage", "auth", "llm_handler", "preferences"},
    "system_settings": BASE | {"storage", "auth", "llm_handler"},
    "haste": {"storage"},
    "shared_keys": BASE | {"auth", "llm_handler"},
    "costs": BASE | {"llm_handler", "prompt"},
    "allowance": BASE | {"costs", "haste", "storage", "llm_handler", "system_settings"},
    "usage": BASE | {"costs", "storage", "llm_handler", "prompt"},
    "analytics": BASE | {"storage", "auth", "usage", "analytics"},
    "overview": BASE | {"storage", "auth"},
    "spreadsheets": BASE,
    "audit": BASE | {"storage", "auth"},
    "backups": BASE | {"background", "storage", "auth"},
    "reembedding": BASE | {"storage", "auth", "branches", "embedding", "memory_manager"},
    "restoring": BASE | {"rescue", "rescue_words", "services", "storage", "embedding"},
    "cli_store": BASE | {"services", "restoring", "storage", "ops_client"},
    "privacy": BASE
    | {"attachments", "background", "storage", "auth", "memory_manager", "preferences", "spreadsheets", "privacy"},
    "branches": BASE,
    "conversations": BASE | {"storage", "branches", "chat_memory", "drafts", "llm_handler"},
    "summaries": BASE | {"allowance", "branches", "chat_memory", "connections", "llm_handler", "storage", "usage"},
    "answering": BASE
    | {"summaries"}
    | {
        "allowance",
        "branches",
        "chat_memory",
        "connections",
        "costs",
        "endings",
        "llm_handler",
        "memory_tools",
        "prompt",
        "storage",
        "usage",
    },
    "routing": BASE | {"costs", "llm_handler", "connections", "preferences", "prompt"},
    "chat": BASE
    | {
        "routing",
        "attachments",
        "allowance",
        "answering",
        "branches",
        "costs",
        "storage",
        "chat_memory",
        "conversations",
        "llm_handler",
        "drafts",
        "prompt",
    },
    "extraction_batch": BASE | {"llm_handler", "memory_manager", "storage", "withholding"},
    "extraction_calls": BASE | {"allowance", "connections", "llm_handler", "storage", "usage"},
    "extraction_settling": BASE | {"extraction_calls", "llm_handler", "memory_manager", "storage", "withholding"},
    "extraction_reader": BASE
    | {
        "storage",
        "memory_manager",
        "branches",
        "extraction_batch",
        "extraction_calls",
        "extraction_settling",
        "llm_handler",
        "preferences",
        "withholding",
    },
    "extraction": BASE | {"storage", "llm_handler", "connections", "preferences", "extraction_reader"},
    "assembly": BASE
    | ENGINES
    | {
        "allowance",
        "answering",
        "chat",
        "summaries",
        "chat_memory",
        "routing",
        "analytics",
        "connections",
        "extraction",
        "extraction_calls",
        "extraction_reader",
        "extraction_settling",
        "preferences",
        "privacy",
        "storage",
        "embedding",
        "system_settings",
        "upkeep",
        "withholding",
    },
    "key_rotation": BASE | {"storage", "privacy"},
    "services": BASE
    | ENGINES
    | {
        "assembly",
        "routing",
        "withholding",
        "extraction",
        "analytics",
        "audit",
        "backups",
        "overview",
        "reembedding",
        "storage",
        "embedding",
        "chat",
        "chat_memory",
        "shared_keys",
        "connections",
        "downloads",
        "preferences",
        "allowance",
        "system_settings",
        "privacy",
        "rescue",
        "key_rotation",
        "upkeep",
    },
    "rescue_words": BASE | {"storage"},
    "rescue": BASE | {"storage", "auth", "audit", "rescue_words"},
    "ops_rescue": BASE | {"storage", "rescue"},
    "cli_rescue": BASE | {"restoring", "storage", "rescue_words", "rescue", "ops_rescue", "ops_client"},
    "doctor": BASE | {"rescue", "rescue_words", "services", "llm_handler", "embedding"},
    "health": BASE | {"services", "doctor", "storage", "auth", "llm_handler", "usage"},
    "process": BASE | {"services", "rescue", "storage"},
    "ops_access": set(),
    "ops": BASE | {"backups", "key_rotation", "services", "doctor", "ops_rescue", "storage"},
    "ops_client": BASE | {"ops_access"},
    "ui": BASE
    | ENGINES
    | {
        "analytics",
        "audit",
        "overview",
        "doctor",
        "downloads",
        "privacy",
        "spreadsheets",
        "ui",
        "services",
        "process",
        "connections",
        "system_settings",
        "health",
        "extraction",
        "rescue",
        "rescue_words",
        "costs",
        "conversations",
        "upkeep",
        "withholding",
        "attachments",
        "routing",
    },
    "web": BASE
    | {"web", "ui", "services", "process", "ops", "ops_access", "ops_rescue", "rescue", "restoring", "storage"},
    "settings_reference": BASE,
    "cli_keys": BASE | {"services", "ops", "ops_client"},
    "cli": BASE
    | {
        "cli_rescue",
        "cli_keys",
        "cli_store",
        "audit",
        "auth",
        "privacy",
        "services",
        "doctor",
        "ops",
        "ops_client",
        "settings_reference",
    },
    "__main__": {"cli", "process"},
    "__init__": set(),
}
"""What each part of the package may import from the package; siblings are absent from each other's rows."""
LIBRARIES = {
    "streamlit": ("app.py", "pages/", "optimus/ui/", "optimus/web/"),
    "starlette": ("optimus/web/",),
    "qdrant_client": ("optimus/storage/", "optimus/memory_manager/mem0.py"),
    "qdrant_edge": ("optimus/storage/",),
    "mem0": ("optimus/memory_manager/mem0.py",),
    "pydantic_ai": ("optimus/llm_handler/", "optimus/embedding.py"),
    "onnxruntime": ("optimus/embedding.py",),
    "tokenizers": ("optimus/embedding.py",),
    "plotly": ("optimus/ui/analytics_charts.py",),
    "genai_prices": ("optimus/llm_handler/prices.py",),
    "bcrypt": ("optimus/auth/hashing.py",),
    "PIL": ("optimus/attachments.py",),
    "pypdf": ("optimus/pdf_text.py",),
    "jwt": ("optimus/auth/tokens.py",),
    "prometheus_client": ("optimus/metrics.py", "optimus/model_metrics.py"),
    "cryptography": ("optimus/storage/", "optimus/keys.py", "optimus/privacy/receipts.py"),
    "zxcvbn": ("optimus/auth/",),
    "tenacity": ("optimus/storage/link.py", "optimus/llm_handler/"),
    "grpc": ("optimus/storage/",),
}
STORAGE_BENCHMARKS = ("scale.py", "scale_parts.py", "versus.py", "durability.py", "durable_writer.py")
BELOW_MEMORY = ("optimus.storage", "optimus.memory_manager")
MEMORY_FACE = "optimus.memory_manager.manager"
ENVIRONMENT = ("optimus/settings.py", "optimus/settings_sources.py", "optimus/memory_manager/mem0.py")
CLOCK_CALLS = {"datetime.now", "datetime.utcnow", "time.time", "date.today"}
CLOCK_OWNERS = ("optimus/values.py",)


def product_files() -> list[Path]:
    """Return every file of the product."""
    return [ROOT / "app.py", *sorted((ROOT / "pages").glob("*.py")), *sorted((ROOT / "optimus").rglob("*.py"))]


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield the dotted names that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part_of(name: str) -> str | None:
    """Return the part of the package that a dotted import reaches."""
    parts = name.split(".")
    return parts[1] if parts[0] == "optimus" and len(parts) > 1 else None


@pytest.mark.parametrize("path", product_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path: Path):
    """A module imports only from the layers below it, and a library only where it belongs."""
    relative = path.relative_to(ROOT).as_posix()
    names = set(imports(ast.parse(path.read_text(encoding="utf-8"))))
    if relative.startswith("optimus/"):
        own = path.relative_to(ROOT / "optimus").parts[0].removesuffix(".py")
        reached = {part for part in map(part_of, names) if part}
        assert reached <= ALLOWED[own], f"{relative} reaches {sorted(reached - ALLOWED[own])}"
    for library, places in LIBRARIES.items():
        if any(name.split(".")[0] == library for name in names):
            assert relative.startswith(places), f"{relative} imports {library}"


@pytest.mark.parametrize("path", product_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_environment_and_clock_are_passed_in(path: Path):
    """Only the settings read the environment, and nothing but the default clock reads the time of day."""
    relative = path.relative_to(ROOT).as_posix()
    calls = {
        ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)
    }
    text = path.read_text(encoding="utf-8")
    if relative not in ENVIRONMENT:
        assert "os.environ" not in text
        assert "getenv" not in text
    if relative not in CLOCK_OWNERS:
        assert not calls & CLOCK_CALLS, f"{relative} reads the clock"


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda path: path.name)
def test_benchmarks_go_through_the_public_face_of_memory(path: Path):
    """What measures memory uses it as a chat does; only what measures the store itself may reach below."""
    names = set(imports(ast.parse(path.read_text(encoding="utf-8"))))
    below = {name for name in names if name.startswith(BELOW_MEMORY) and not name.startswith(MEMORY_FACE)}
    assert path.name.removeprefix("_") in STORAGE_BENCHMARKS or not below


def test_files_are_short():
    """A file stays within what can be read in one go: 300 lines, a page 150."""
    too_long = {
        str(path.relative_to(ROOT)): lines
        for path in product_files()
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > (150 if path.parent.name == "pages" else 300)
    }
    assert not too_long


def test_every_button_has_a_name():
    """A button with nothing but an icon is read out as the icon's name, so each has words, however few."""
    for path in product_files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("button") and node.args:
                assert ast.unparse(node.args[0]) != "''", f"{path.name}:{node.lineno}"


def test_html_is_never_made_from_text():
    """No page turns off Markdown's escaping, so nothing that was typed or generated becomes HTML."""
    for path in product_files():
        text = path.read_text(encoding="utf-8")
        for word in ("unsafe_allow_html", "st.html(", "components.v1"):
            assert word not in text, f"{path.name}: {word}"
