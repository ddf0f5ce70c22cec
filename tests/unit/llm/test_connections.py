import gzip
import json
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from optimus.errors import ProviderKeyError
from optimus.llm_handler import ConnectionInfo, Credentials
from optimus.llm_handler.catalogue import CATALOGUE, Catalogue, is_chat_name
from optimus.llm_handler.gateway import ModelGateway
from optimus.llm_handler.requests import OFFLINE_MODEL, ModelRef
from tests.fakes.providers import Fault, FaultKind, refused_url, running_provider
from tests.unit.llm.support import KEY, NOW, bare_settings
from tests.unit.llm.test_faults import ENDPOINTS, status


def creds(base_url: str | None, key: str | None = KEY) -> Credentials:
    """Return an endpoint with a key."""
    return Credentials(base_url=base_url, api_key=SecretStr(key) if key is not None else None)


def connection(provider: str, base_url: str | None = None, **values) -> ConnectionInfo:
    """Return a user's own connection."""
    fields: dict[str, Any] = {"id": f"{provider}-1", "label": "Mine", "credentials": creds(base_url)}
    return ConnectionInfo(**(fields | {"provider": provider} | values))


def make_gateway(**settings) -> ModelGateway:
    """Return a gateway with settings of its own."""
    ports = settings.pop("local_ports", {})
    return ModelGateway(settings=bare_settings(**settings), clock=lambda: NOW, local_ports=ports)


@pytest.mark.parametrize("provider", ENDPOINTS)
def test_a_right_key_lists_the_chat_models(provider, gateway, fake):
    """Every provider's test calls it, sends the key its way, and leaves out models that cannot chat."""
    fake.key = KEY
    tested = gateway.test(provider, creds(fake.url + ENDPOINTS[provider][1]))
    assert tested.ok
    assert tested.models == ("gpt-6-luna", "gpt-6.1-terra")
    assert "2 models" in tested.message
    assert KEY not in "".join(request.path for request in fake.requests)


@pytest.mark.parametrize("provider", ENDPOINTS)
def test_a_wrong_key_is_named(provider, gateway, fake):
    """A wrong key is called a wrong key, at every provider."""
    fake.key = "another"
    tested = gateway.test(provider, creds(fake.url + ENDPOINTS[provider][1]))
    assert not tested.ok
    assert "refused the API key" in tested.message


@pytest.mark.parametrize("provider", [name for name in ENDPOINTS if name != "compatible"])
def test_a_key_that_lists_but_may_not_ask_is_refused(provider, gateway, fake):
    """A key without credit lists models like any other: one of them is asked, and what it says counts."""
    fake.faults_for_chats.append(Fault(kind=FaultKind.STATUS, status=402, message="payment required"))
    tested = gateway.test(provider, creds(fake.url + ENDPOINTS[provider][1]))
    assert not tested.ok
    assert "credit is used up" in tested.message
    assert len(fake.bodies()) == 1


def test_a_listed_model_that_cannot_be_asked_says_nothing_of_the_key(gateway, fake):
    """The key is kept; the sentence only claims what was seen."""
    fake.unknown_models = fake.models
    tested = gateway.test("xai", creds(f"{fake.url}/v1"))
    assert tested.ok
    assert "answers" not in tested.message


def test_no_model_of_a_local_server_is_loaded_by_a_test(gateway, fake):
    """A server on this machine would take minutes for a large one."""
    assert gateway.test("compatible", creds(f"{fake.url}/v1", None)).ok
    assert fake.bodies() == []


def test_a_provider_that_lists_nothing_is_not_told_to_be_at_a_wrong_path(fake):
    """At a provider's own address only the key can be wrong; a quota that is used up is said, too."""
    entry = replace(CATALOGUE.get("together"), base_url=f"{fake.url}/v1")
    own = ModelGateway(
        settings=bare_settings(), clock=lambda: NOW, catalogue=Catalogue((entry,)), rules=None, local_ports={}
    )
    try:
        fake.faults.extend([status(422), Fault(kind=FaultKind.STATUS, status=429, message="insufficient_quota")])
        assert "does not say why" in own.test("together", creds(None)).message
        assert "credit is used up" in own.test("together", creds(None)).message
    finally:
        own.close()


def test_a_missing_key_says_where_to_get_one(gateway):
    """Without a key nothing is called, and the sentence names the page that gives one."""
    tested = gateway.test("anthropic", creds(None, None))
    assert not tested.ok
    assert "https://console.anthropic.com" in tested.message


@pytest.mark.parametrize("key", ["sk-\u2026truncated", "two keys", "line\nbreak"])
def test_a_mangled_key_is_refused_before_it_is_sent(key, gateway, fake):
    """A key with signs that no key has is not sent."""
    assert "Copy it again" in gateway.test("compatible", creds(fake.url + "/v1", key)).message
    assert fake.requests == []


def test_a_refused_address_is_named(gateway):
    """A server that is not running is called unreachable."""
    assert "cannot be reached" in gateway.test("compatible", creds(refused_url())).message


def test_an_address_that_may_not_be_used_is_not_called(gateway):
    """A forbidden address gives its sentence."""
    assert "cannot be used" in gateway.test("compatible", creds("http://169.254.169.254/v1")).message


def test_a_wrong_path_names_the_right_one(gateway, fake):
    """An address without its /v1 is told which one works."""
    fake.prefix = "/v1/"
    tested = gateway.test("compatible", creds(fake.url))
    assert not tested.ok
    assert f"Use {fake.url}/v1" in tested.message


@pytest.mark.parametrize("fault", [FaultKind.HTML, FaultKind.BAD_JSON])
def test_a_web_site_is_no_model_server(fault, gateway, fake):
    """A server that answers with something else is told apart from a wrong key."""
    fake.faults.extend([Fault(kind=fault), status(404)])
    tested = gateway.test("compatible", creds(fake.url + "/v1"))
    assert not tested.ok
    assert "not with a model interface" in tested.message


@pytest.mark.parametrize(
    ("code", "sentence"), [(429, "too many requests"), (500, "on its side"), (302, "another address")]
)
def test_other_refusals_are_named(code, sentence, gateway, fake):
    """Limits, failures and redirects each have their sentence, and a redirect is not followed."""
    fake.faults.append(status(code, Location=fake.url + "/elsewhere"))
    tested = gateway.test("compatible", creds(fake.url + "/v1"))
    assert not tested.ok
    assert sentence in tested.message
    assert len(fake.requests) == 1


def test_a_server_without_models_says_so(gateway, fake):
    """A fresh Ollama answers, but has nothing to talk to yet."""
    fake.models = ()
    tested = gateway.test("compatible", creds(fake.url + "/v1", None))
    assert not tested.ok
    assert "no model yet" in tested.message


def test_a_model_that_is_not_there_is_named_with_others(gateway, fake):
    """A wrong model name is told apart, and some right ones are shown."""
    fake.unknown_models = ("gpt-0",)
    tested = gateway.test("compatible", creds(fake.url + "/v1"), "gpt-0")
    assert not tested.ok
    assert "gpt-0" in tested.message
    assert "gpt-6-luna" in tested.message


def test_a_model_by_another_name_is_asked_itself(gateway, fake):
    """A name that the list leaves out still counts if the model answers."""
    tested = gateway.test("compatible", creds(fake.url + "/v1"), "gpt-6-luna-latest")
    assert tested.ok
    assert tested.models[0] == "gpt-6-luna-latest"


def test_the_offline_assistant_needs_no_test(gateway):
    """It is always there."""
    assert gateway.test("offline", creds(None, None)).ok


def test_an_unknown_provider_is_a_sentence(gateway):
    """A test never raises."""
    assert not gateway.test("nobody", creds(None)).ok


def test_local_servers_are_found_with_their_models():
    """What answers on this machine is found by name, in order; what does not is left out."""
    with running_provider() as ollama, running_provider() as studio:
        dead = int(refused_url().rpartition(":")[2])
        own = make_gateway(local_ports={ollama.port: "Ollama", dead: "llama.cpp", studio.port: "LM Studio"})
        found = own.discover_local()
        own.close()
    assert [(server.name, server.models[0]) for server in found] == [
        ("Ollama", "gpt-6-luna"),
        ("LM Studio", "gpt-6-luna"),
    ]
    assert found[0].base_url == f"http://127.0.0.1:{ollama.port}/v1"


def test_a_silent_or_odd_local_server_is_passed_over():
    """Something else on the port, or something that hangs, is not a model server and costs little time."""
    with running_provider() as odd, running_provider() as silent:
        odd.faults.append(Fault(kind=FaultKind.HTML))
        silent.faults.append(Fault(kind=FaultKind.HANG))
        own = make_gateway(local_ports={odd.port: "llama.cpp", silent.port: "Ollama"})
        assert own.discover_local() == []
        own.close()


def test_without_anything_there_is_the_offline_assistant(gateway):
    """Nothing configured still leaves one model, free and local."""
    (only,) = gateway.choices()
    assert only.ref == OFFLINE_MODEL
    assert only.free
    assert only.is_local
    assert gateway.default_choice() == only
    assert gateway.credentials(OFFLINE_MODEL) is None


def test_settings_and_own_connections_make_the_choices(fake):
    """Own connections come first, then shared providers, then the shared server's models, offline last."""
    own = make_gateway(google_api_key=SecretStr(KEY), compatible_base_url=fake.url + "/v1")
    mine = connection("compatible", "http://127.0.0.1:11434/v1", label="Ollama", models=("llama3.2:3b",))
    choices = own.choices([mine])
    own.close()
    assert [choice.provider_title for choice in choices] == [
        "Ollama",
        *["Google Gemini"] * 3,
        *["OpenAI-compatible server"] * 2,
        "Offline assistant",
    ]
    assert choices[0].connection_id == mine.id
    assert choices[0].is_local
    assert choices[0].free
    assert choices[1].free
    assert not choices[1].is_local
    assert str(choices[-2].ref) == "compatible:gpt-6.1-terra"


def test_a_connection_of_a_provider_that_is_gone_is_left_out(gateway):
    """A stored connection to a provider that Optimus no longer knows does not break the picker."""
    assert [choice.ref for choice in gateway.choices([connection("gone", models=("x",))])] == [OFFLINE_MODEL]


def test_a_shared_server_that_is_off_leaves_the_other_choices():
    """A switched-off server takes neither the page nor the other models with it."""
    own = make_gateway(openai_api_key=SecretStr(KEY), compatible_base_url=refused_url())
    assert {choice.ref.provider for choice in own.choices()} == {"openai", "offline"}
    own.close()


def test_the_setting_names_the_default_model():
    """New chats take the configured model where it is on offer, else the first."""
    own = make_gateway(openai_api_key=SecretStr(KEY), default_model="openai:gpt-6-luna")
    assert str(own.default_choice().ref) == "openai:gpt-6-luna"
    own.close()
    other = make_gateway(openai_api_key=SecretStr(KEY), default_model="groq:gone")
    assert other.default_choice() == other.choices()[0]
    other.close()


def test_a_key_stays_with_its_address():
    """A user's own address never gets the shared key, and the shared address never the user's."""
    own = make_gateway(openai_api_key=SecretStr("shared-key"), openai_base_url="https://proxy.example/v1")
    ref = ModelRef(provider="openai", name="gpt-6-luna")
    shared = own.credentials(ref)
    assert shared == creds("https://proxy.example/v1", "shared-key")
    mine = connection("openai", "https://mine.example/v1", credentials=creds("https://mine.example/v1", None))
    assert own.credentials(ref, [mine], mine.id) == mine.credentials
    assert own.credentials(ref, [mine]) == shared
    own.close()


def test_the_connection_that_has_the_model_is_used(gateway):
    """Of two own servers, the one that offers the model is called."""
    first = connection("compatible", "http://127.0.0.1:1/v1", id="a", models=("one",))
    second = connection("compatible", "http://127.0.0.1:2/v1", id="b", models=("two",))
    ref = ModelRef(provider="compatible", name="two")
    assert gateway.credentials(ref, [first, second]) == second.credentials
    assert gateway.credentials(ref, [first, second], "a") == first.credentials


@pytest.mark.parametrize("connection_id", [None, "removed"])
def test_a_model_whose_connection_is_gone_says_so(connection_id, gateway):
    """A stored choice outlives its connection: the error names the provider."""
    with pytest.raises(ProviderKeyError) as refused:
        gateway.credentials(ModelRef(provider="mistral", name="mistral-large-latest"), [], connection_id)
    assert "Mistral is not connected" in refused.value.user_message


def test_no_value_shows_a_key(gateway):
    """Neither a connection's nor a request's text form holds the key."""
    mine = connection("openai")
    assert KEY not in repr(mine) + str(mine) + mine.model_dump_json()


@pytest.mark.parametrize(
    ("name", "can_chat"),
    [
        *((name, False) for name in ("gpt-image-1", "sora-2", "gpt-audio", "babbage-002", "davinci-002")),
        *((name, False) for name in ("grok-imagine-1", "meta-llama/llama-guard-4-12b", "veo-3", "mistral-ocr-latest")),
        *((name, False) for name in ("gpt-3.5-turbo-instruct", "canopylabs/orpheus-v1", "text-embedding-3-small")),
        *((name, True) for name in ("meta-llama/Llama-3.3-70B-Instruct-Turbo", "gpt-6-luna", "gemini-4-argon")),
        *((model, True) for entry in CATALOGUE.all() for model in entry.models),
    ],
)
def test_names_tell_who_can_chat(name, can_chat):
    """Providers list models that draw, speak, judge or search beside those that chat."""
    assert is_chat_name(name) is can_chat


def test_a_listing_is_never_unpacked(gateway, fake):
    """A server that packs its listing, though asked not to, is unreadable: little may unpack to more than there is."""
    packed = gzip.compress(json.dumps({"data": [{"id": "gpt-6-luna"}]}).encode())
    fake.faults.append(Fault(kind=FaultKind.PACKED, event=packed))
    tested = gateway.test("compatible", creds(f"{fake.url}/v1"))
    assert not tested.ok
    assert fake.requests[0].headers["accept-encoding"] == "identity"
