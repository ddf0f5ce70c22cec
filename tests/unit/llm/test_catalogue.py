import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from genai_prices import Usage, calc_price
from pydantic import SecretStr

from optimus import provider_table
from optimus.errors import ModelNotFoundError
from optimus.llm_handler import Credentials, prices, providers
from optimus.llm_handler.catalogue import CATALOGUE, Catalogue, Listing
from optimus.llm_handler.choices import Endpoints
from optimus.llm_handler.gateway import ModelGateway
from optimus.llm_handler.requests import OFFLINE_MODEL, ModelRef
from optimus.models import MessageState
from optimus.models import Usage as UsedTokens
from optimus.provider_table import PROVIDERS, markdown_table
from optimus.settings import Settings, with_providers
from tests.unit.llm.support import KEY, NOW, Ending, bare_settings, make_request
from tests.unit.llm.test_faults import ENDPOINTS

ENTRIES = CATALOGUE.all()
PRICE_NAMES = {"xai": "x-ai"}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.key)
def test_an_entry_is_whole(entry):
    """Each entry has what pickers, settings and tests need of it."""
    assert entry.title
    assert entry.build is not None or entry.key == OFFLINE_MODEL.provider
    if entry.needs_key:
        assert entry.key_url.startswith("https://")
        assert entry.base_url.startswith("https://")
    if entry.settings_name is not None:
        assert f"{entry.settings_name}_api_key" in Settings.model_fields
        assert f"{entry.settings_name}_base_url" in Settings.model_fields
    assert entry.build is None or callable(getattr(providers, entry.build))
    assert (entry.listing is Listing.NONE) == (entry.build is None)


def test_every_callable_entry_has_its_wire_test():
    """A provider without a test on the wire cannot be added."""
    assert set(ENDPOINTS) == {entry.key for entry in ENTRIES if entry.build is not None}


@pytest.mark.parametrize(
    ("provider", "model"),
    [(entry.key, name) for entry in ENTRIES if entry.needs_key for name in entry.models],
)
def test_default_models_have_a_price(provider, model):
    """The names to start with are real ones, so that their cost is known."""
    price = calc_price(
        Usage(input_tokens=1000, output_tokens=1000), model_ref=model, provider_id=PRICE_NAMES.get(provider, provider)
    )
    assert price.total_price > 0


def test_an_unknown_provider_is_an_error_of_ours():
    """A stored model whose provider is gone gives a sentence, not a KeyError."""
    with pytest.raises(ModelNotFoundError):
        CATALOGUE.get("nobody")


def test_a_provider_is_added_by_one_entry(fake):
    """An entry alone makes a provider that can be picked, listed, tested and talked to."""
    entry = replace(CATALOGUE.get("compatible"), key="eighth", title="Eighth", settings_name=None, models=("eighth-1",))
    own = ModelGateway(settings=bare_settings(), clock=lambda: NOW, catalogue=Catalogue((*CATALOGUE.all(), entry)))
    credentials = Credentials(base_url=fake.url + "/v1", api_key=SecretStr(KEY))
    assert own.test("eighth", credentials, None).ok
    generation = own.start(
        make_request(model=ModelRef(provider="eighth", name="eighth-1"), credentials=credentials), Ending()
    )
    assert generation.wait(20)
    assert generation.state is MessageState.COMPLETE
    own.close()


def test_picker_settings_prices_and_documents_come_from_the_entry(monkeypatch):
    """What is written down once about a provider is all that they need to know of it."""
    groq = CATALOGUE.get("groq")
    eighth = replace(groq, key="eighth", title="Eighth", settings_name="eighth", key_url="https://eighth.example/keys")
    catalogue, entries = Catalogue((*ENTRIES, eighth)), (*PROVIDERS, eighth)
    monkeypatch.setenv("OPTIMUS_EIGHTH_API_KEY", KEY)
    monkeypatch.setattr(prices, "CATALOGUE", catalogue)

    class Extended(with_providers(entries), Settings):  # type: ignore[misc]
        """The settings with one provider more."""

    settings = Extended()
    assert Extended.model_fields["eighth_base_url"].description == "Another address of Eighth."
    picked = Endpoints(settings=settings, catalogue=catalogue).choices((), ())
    mine = [choice for choice in picked if choice.ref.provider == "eighth"]
    assert [choice.ref.name for choice in mine] == list(groq.models)
    assert {(choice.provider_title, choice.free) for choice in mine} == {("Eighth", True)}
    assert prices.cost_usd(mine[0].ref, UsedTokens(input_tokens=1000, output_tokens=10), is_local=False)
    assert prices.context_tokens(mine[0].ref) == prices.context_tokens(ModelRef(provider="groq", name=groq.models[0]))
    assert "| Eighth | `OPTIMUS_EIGHTH_API_KEY` | yes |" in markdown_table(entries)


def test_the_list_of_providers_in_the_documents_is_made_from_the_entries():
    """Whoever adds a provider is told to bring the document up to date."""
    assert markdown_table() in (Path(__file__).parents[3] / "docs" / "admins.md").read_text(encoding="utf-8")


def test_importing_the_package_loads_no_library_of_a_provider():
    """The first page must not wait seconds for libraries that only the first answer needs."""
    code = (
        "import sys, optimus.llm_handler, optimus.llm_handler.gateway\n"
        "heavy = {'pydantic_ai', 'openai', 'anthropic', 'google.genai', 'groq', 'mistralai', 'httpx2', 'mem0'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_key_can_be_tested_while_the_libraries_are_being_loaded(fake):
    """Right after a start two threads import parts of one library; neither meets a half of it."""
    code = (
        "from tests.unit.llm.support import bare_settings, KEY, NOW\n"
        "from optimus.llm_handler import Credentials\n"
        "from optimus.llm_handler.gateway import ModelGateway\n"
        f"settings = bare_settings(openai_api_key=KEY, openai_base_url='{fake.url}/v1')\n"
        "from pydantic import SecretStr\n"
        "gateway = ModelGateway(settings=settings, clock=lambda: NOW)\n"
        "warming = gateway.warm()\n"
        f"print(gateway.test('openai', Credentials(base_url='{fake.url}/v1', api_key=SecretStr(KEY))).message)\n"
        "warming.result(60)\n"
        "gateway.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "Connected. OpenAI offers 2 models. gpt-6-luna answers.", done.stderr


def test_a_provider_whose_library_is_missing_is_left_out(monkeypatch):
    """It stands in no list and is named as not installed; its models say why; the others go on."""
    monkeypatch.setattr(provider_table, "find_spec", lambda name: None if name == "groq" else object())
    provider_table.is_installed.cache_clear()
    gateway = ModelGateway(
        settings=bare_settings(groq_api_key=SecretStr(KEY), openai_api_key=SecretStr(KEY)), clock=lambda: NOW
    )
    try:
        assert {choice.ref.provider for choice in gateway.choices()} == {"openai", "offline"}
        assert [entry.key for entry in CATALOGUE.not_installed()] == ["groq"]
        assert not gateway.is_allowed("groq")
        tested = gateway.test("groq", Credentials(base_url=None, api_key=SecretStr(KEY)))
        assert not tested.ok
        assert "library of Groq is not installed" in tested.message
    finally:
        gateway.close()
        provider_table.is_installed.cache_clear()
