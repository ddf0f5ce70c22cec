"""Where settings come from, and what is refused."""

from pathlib import Path

import pytest

from optimus.errors import ConfigurationError
from optimus.settings import Settings, load_settings
from optimus.settings_reference import example_toml, markdown_table

ROOT = Path(__file__).parent.parent.parent
STRONG = "k3Jd9-sdf7Q2-lmW8x-Zp0aV-tt5Rb-93hsq"


@pytest.fixture(autouse=True)
def clean(tmp_path, monkeypatch):
    """Run each test in an empty folder, without the machine's own settings."""
    monkeypatch.chdir(tmp_path)
    for name in ("DATA_DIR", "KEY_DIR", "PEPPER", "SETUP_CODE", "QDRANT_URL", "QDRANT_API_KEY"):
        monkeypatch.delenv(f"OPTIMUS_{name}", raising=False)
        monkeypatch.delenv(f"OPTIMUS_{name}_FILE", raising=False)


def write_secrets(text: str) -> None:
    """Write the secrets file of the present folder."""
    Path(".streamlit").mkdir()
    Path(".streamlit/secrets.toml").write_text(text)


def test_defaults_need_nothing():
    """Without any setting the data folder is `data` and the keys are in it."""
    settings = load_settings()
    assert settings.data_dir == Path("data")
    assert settings.keys_folder == Path("data/keys")
    assert settings.qdrant_url is None


def test_environment_wins_over_its_files_and_the_secrets_file(monkeypatch, tmp_path):
    """The order is: environment, file named by the environment, secrets.toml."""
    write_secrets('[optimus]\ndata_dir = "from-toml"\ncollection_prefix = "toml_"\n')
    (tmp_path / "named").write_text("from-file\n")
    monkeypatch.setenv("OPTIMUS_DATA_DIR_FILE", str(tmp_path / "named"))
    assert load_settings().data_dir == Path("from-file")
    assert load_settings().collection_prefix == "toml_"
    monkeypatch.setenv("OPTIMUS_DATA_DIR", "from-environment")
    assert load_settings().data_dir == Path("from-environment")


@pytest.mark.parametrize("value", ["tiny-one", "a" * 40, "your-secret-key-goes-here-0123456789", "example-" + STRONG])
def test_weak_secrets_are_refused_with_a_way_out(monkeypatch, value):
    """A short, simple or example secret stops the start; the sentence names the setting and never the value."""
    monkeypatch.setenv("OPTIMUS_PEPPER", value)
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert "OPTIMUS_PEPPER" in caught.value.user_message
    assert "Optimus makes one" in caught.value.user_message
    assert value not in str(caught.value)


@pytest.mark.parametrize("value", ["tiny-one", "a" * 40, "example-" + STRONG, STRONG + "ä"])
def test_a_weak_metrics_token_is_refused(monkeypatch, tmp_path, value):
    """The token that opens the metrics to others is as strong as a key, also when a file holds it."""
    (tmp_path / "token").write_text(value)
    monkeypatch.setenv("OPTIMUS_METRICS_TOKEN_FILE", str(tmp_path / "token"))
    with pytest.raises(ConfigurationError, match="OPTIMUS_METRICS_TOKEN") as caught:
        load_settings()
    assert value not in str(caught.value)
    (tmp_path / "token").write_text(STRONG + "\n")
    token = load_settings().metrics_token
    assert token
    assert token.get_secret_value() == STRONG


def test_strong_secrets_are_taken_and_never_shown(monkeypatch):
    """A long random secret is accepted, and its text is not in the settings' representation."""
    monkeypatch.setenv("OPTIMUS_PEPPER", STRONG)
    settings = load_settings()
    assert settings.pepper
    assert settings.pepper.get_secret_value() == STRONG
    assert STRONG not in repr(settings)


def test_contradictions_are_refused(monkeypatch):
    """A server's key without a server's address is a mistake, and is called one."""
    monkeypatch.setenv("OPTIMUS_QDRANT_API_KEY", STRONG)
    with pytest.raises(ConfigurationError, match="OPTIMUS_QDRANT_URL"):
        load_settings()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[optimus\n", "secrets.toml"),
        ('[optimus]\ncolour = "blue"\n', "colour"),
        ("[optimus]\nmax_sessions = 0\n", "MAX"),
    ],
)
def test_broken_secrets_files_are_named(text, named):
    """A secrets file that cannot be read, has an unknown name or a wrong value is refused by name."""
    write_secrets(text)
    with pytest.raises(ConfigurationError, match=named):
        load_settings()


def test_an_unreadable_secret_file_is_named(monkeypatch):
    """`OPTIMUS_X_FILE` that names a missing file is refused."""
    monkeypatch.setenv("OPTIMUS_PEPPER_FILE", "missing")
    with pytest.raises(ConfigurationError, match="OPTIMUS_PEPPER_FILE"):
        load_settings()


def test_the_example_and_the_readme_follow_the_code():
    """The commented example and the README's table are what the code makes."""
    assert (ROOT / ".streamlit/secrets.toml.example").read_text(encoding="utf-8") == example_toml()
    assert markdown_table() in (ROOT / "README.md").read_text(encoding="utf-8")


EXAMPLES = [line.removeprefix("# ") for line in example_toml().splitlines() if " = " in line]


@pytest.mark.parametrize("lines", [*([line] for line in EXAMPLES), EXAMPLES], ids=[*EXAMPLES, "all"])
def test_the_commented_example_is_valid_once_uncommented(lines):
    """Each line of the example, and all together, can be uncommented as they stand."""
    write_secrets("\n".join(["[optimus]", *lines]))
    assert load_settings().qdrant_timeout_s == 10


def test_every_setting_is_in_the_example():
    """The example file leaves no setting out."""
    assert [line.partition(" = ")[0] for line in EXAMPLES] == list(Settings.model_fields)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("SETUP_CODE", "short", "OPTIMUS_SETUP_CODE is too short: use 8 characters or more"),
        ("QDRANT_GRPC_PORT", "0", "OPTIMUS_QDRANT_GRPC_PORT should be greater than or equal to 1"),
        ("QDRANT_GRPC_PORT", "x", "OPTIMUS_QDRANT_GRPC_PORT should be a valid integer"),
        ("ALLOW_HTTP", "perhaps", "OPTIMUS_ALLOW_HTTP should be a valid boolean"),
    ],
)
def test_unusable_values_are_refused_with_a_sentence(monkeypatch, name, value, sentence):
    """A value that cannot be used is refused by the setting's name and what it should be, without the value."""
    monkeypatch.setenv(f"OPTIMUS_{name}", value)
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert caught.value.user_message.startswith(sentence)


def test_an_empty_value_is_no_value(monkeypatch):
    """An empty variable or line leaves the default: an empty path would be the present folder."""
    write_secrets('[optimus]\nkey_dir = ""\n')
    monkeypatch.setenv("OPTIMUS_DATA_DIR", "")
    settings = load_settings()
    assert settings.data_dir == Path("data")
    assert settings.key_dir is None


@pytest.mark.parametrize(
    ("url", "is_taken"),
    [
        ("http://localhost:6333", True),
        ("localhost:6333", True),
        ("http://127.0.0.5:6333", True),
        ("http://[::1]:6333", True),
        ("https://qdrant.example.com:6333", True),
        ("http://qdrant:6333", False),
        ("qdrant.example.com:6333", False),
        ("http://10.0.0.7:6333", False),
        ("http://localhost.example.com", False),
    ],
)
def test_the_servers_key_never_leaves_this_machine_in_the_clear(url, is_taken):
    """Over plain http it goes to loopback only, unless somebody says that the network is their own."""
    if is_taken:
        assert load_settings(qdrant_url=url, qdrant_api_key="k").qdrant_url == url
        return
    with pytest.raises(ConfigurationError, match="OPTIMUS_QDRANT_ALLOW_HTTP"):
        load_settings(qdrant_url=url, qdrant_api_key="k")
    assert load_settings(qdrant_url=url, qdrant_api_key="k", qdrant_allow_http=True).qdrant_allow_http
    assert load_settings(qdrant_url=url).qdrant_api_key is None


def test_a_write_is_not_to_be_confirmed_by_more_copies_than_there_are():
    """No write could ever succeed."""
    with pytest.raises(ConfigurationError, match="OPTIMUS_QDRANT_REPLICATION_FACTOR"):
        load_settings(qdrant_write_consistency_factor=2)
    load_settings(qdrant_write_consistency_factor=2, qdrant_replication_factor=3)
