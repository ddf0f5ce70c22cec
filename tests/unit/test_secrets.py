"""Thirty secrets, in use and in wrong places: none can be read in a log, a file, a number, an export or an error."""

import json
import logging
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from optimus import health
from optimus.doctor import examine
from optimus.errors import OptimusError
from optimus.keys import load_keys
from optimus.models import MessageState, Principal, Role
from optimus.provider_table import PROVIDERS
from optimus.services import Services, wire
from optimus.settings import Settings, load_settings
from optimus.storage.store import open_store
from tests.fakes.embedding import HashEmbedder
from tests.fakes.providers import FakeProvider, Fault, FaultKind, running_provider
from tests.unit.privacy.support import export
from tests.unit.test_canaries import MARK, contents, forms, unpacked
from tests.world import HandClock, World

LEAST = 30
CONFIGURED = ("jwt_secret", "jwt_secret_old", "pepper", "pepper_old", "master_key", "master_key_old")
CODES = ("setup_code", "metrics_token")
SHARED = tuple(sorted({f"{entry.settings_name}_api_key" for entry in PROVIDERS if entry.settings_name}))
ASKED = ("openai", "together", "xai", "compatible")
"""Providers that are really called, all of one library, which takes time to load."""


def secret(name: str) -> str:
    """Return a secret that is strong enough to be taken anywhere, and is found by its beginning."""
    return f"{MARK}.{name}.7Kx2qW9.mossy-kettle-Zt81"


@dataclass
class Life:
    """What was done with the secrets, and what came out of it."""

    made: dict[str, str] = field(default_factory=dict)
    """What the server made itself: codes, tickets, tokens."""
    told: list[str] = field(default_factory=list)
    """Texts of errors and answers."""

    def refused(self, act: Callable[[], object]) -> None:
        """Do what has to fail, and keep all that the failure tells: its text, its sentence and its traceback."""
        with pytest.raises(OptimusError) as caught:
            act()
        error = caught.value
        self.told += [repr(error), error.user_message, "".join(traceback.format_exception(error))]


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    """A model server on loopback."""
    with running_provider() as fake:
        yield fake


@pytest.fixture
def settings(tmp_path, provider) -> Settings:
    """Settings with every secret that they can hold, but that of a Qdrant server; the keys are no files."""
    secrets = {name: secret(name) for name in (*CONFIGURED, *CODES, *SHARED)}
    places = {f"{name}_base_url": f"{provider.url}/v1" for name in ASKED}
    folders = {"data_dir": tmp_path / "data", "key_dir": tmp_path / "keys", "backup_dir": tmp_path / "data" / "backups"}
    return load_settings(**secrets, **places, **folders)


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    """A whole Optimus on the embedded engine with these settings."""
    clock, keys = HandClock(), load_keys(settings)
    store = open_store(settings, keys, clock=clock)
    opened = wire(settings, keys, store, clock=clock, password_cost=4, embedder=HashEmbedder())
    yield opened
    opened.close()


def sign_in(services: Services, life: Life, name: str, password: str) -> Principal:
    """Sign in, keep ticket and token, and use the ticket again."""
    ticket = services.auth.sign_in(
        username=name, password=password, network=secret("network"), captcha=None, user_agent=secret("browser")
    )
    token = services.auth.open_session(ticket).token
    number = len(life.made)
    life.made |= {f"ticket {number}": ticket, f"token {number}": token}
    life.refused(lambda: services.auth.open_session(ticket))
    assert services.auth.principal(f"{token}x") is None
    principal = services.auth.principal(token)
    assert principal
    return principal


def enter(services: Services, life: Life) -> tuple[Principal, Principal]:
    """Set up, add a user by one-time codes, choose and change passwords, and get all of it wrong once."""
    auth, first, chosen, changed = services.auth, secret("first"), secret("chosen"), secret("changed")
    life.refused(lambda: auth.create_admin(code=secret("wrong-code"), username="ada", password=first))
    auth.create_admin(code=secret("setup_code"), username="ada", password=first)
    admin = sign_in(services, life, "ada", first)
    codes = [auth.people.create(admin, username="bob", role=Role.USER)]
    codes.append(auth.people.reset_password(admin, codes[0].user.id))
    life.made |= {f"code {number}": code.code for number, code in enumerate(codes)}
    life.told += [repr(code) for code in codes]
    life.refused(lambda: sign_in(services, life, "bob", codes[0].code))
    bob = sign_in(services, life, "bob", codes[1].code)
    ticket = auth.choose_password(bob, chosen, user_agent="")
    bob = auth.principal(auth.open_session(ticket).token) or bob
    auth.change_password(bob, current=chosen, new=changed, network="n")
    bob = sign_in(services, life, "bob", changed)
    life.refused(lambda: auth.change_password(bob, current=secret("guess"), new=secret("newer"), network="n"))
    life.refused(lambda: auth.proof.give(admin, password=secret("guess"), network="n"))
    life.refused(lambda: sign_in(services, life, secret("as-name"), secret("as-name")))
    life.refused(lambda: auth.choose_password(bob, secret("chosen"), user_agent=""))
    return admin, bob


def converse(services: Services, life: Life, provider: FakeProvider, admin: Principal, bob: Principal) -> None:
    """Ask models by shared and own keys; they answer, and they refuse with the key in their words."""
    own = {name: secret(f"own-{name}") for name in ("together", "xai", "openai")}
    for name, key in own.items():
        provider.faults.append(Fault(kind=FaultKind.STATUS, status=401, message=f"no such key {key}"))
        found = services.connections.connect(admin, provider=name, base_url=f"{provider.url}/v1", key=key)
        assert not found.ok
        life.told.append(found.model_dump_json())
        found = services.connections.connect(admin, provider=name, base_url=f"{provider.url}/v1", key=key)
        assert found.ok, found.message
    life.told.append(repr(services.connections.own(admin.user_id)))
    for person, names in ((admin, own), (bob, ASKED)):
        picked = {choice.ref.provider: choice for choice in services.connections.choices(person.user_id)}
        world = World(services=services, clock=HandClock(), owner=person.user_id, principal=person)
        for name in names:
            said = f"the key {secret(f'{name}_api_key')}, {own.get(name)} is wrong"
            for fault in (None, Fault(kind=FaultKind.STATUS, status=401, message=said)):
                provider.faults.extend([fault] if fault else [])
                _, message, reply = world.say("Where is the kettle?", choice=picked[name])
                assert reply.state is (MessageState.FAILED if fault else MessageState.COMPLETE), name
                life.told += [message.model_dump_json(), reply.model_dump_json()]


def misconfigure(life: Life) -> None:
    """Start with settings that cannot be used."""
    wrong: list[dict[str, str]] = [
        {"pepper": MARK},
        {"pepper": secret("a"), "pepper_old": secret("a")},
        {"jwt_secret_old": secret("a")},
        {"metrics_token": f"{secret('a')}ä"},
        {"setup_code": MARK[:7]},
        {"qdrant_api_key": secret("a")},
        {"qdrant_api_key": secret("a"), "qdrant_url": "http://192.0.2.1:6333"},
    ]
    for values in wrong:
        life.refused(lambda values=values: load_settings(**values))  # type: ignore[misc]


def outputs(services: Services, admin: Principal, bob: Principal) -> dict[str, bytes]:
    """Return everything that Optimus tells of itself."""
    job = services.backups.back_up_now(admin)
    assert job.wait(60)
    assert job.error == ""
    entries = services.audit.export(admin)
    checks = [check.model_dump_json() for check in (*examine(services).checks, *health.look(services, admin))]
    told = {
        "metrics": services.store.metrics.text()[0],
        "audit log": json.dumps([entry.model_dump(mode="json") for entry in entries]).encode(),
        "doctor": "\n".join(checks).encode(),
        "settings": f"{services.settings!r} {services.settings.model_dump_json()}".encode(),
        "keys": repr(load_keys(services.settings)).encode(),
        "services": repr(services).encode(),
    }
    for name, person in (("admin's export", admin), ("user's export", bob)):
        told |= {f"{name}: {inner}": content for inner, content in unpacked(name, export(services, person))}
    return told


def test_no_secret_can_be_read_anywhere(services, settings, provider, caplog, capfd):
    """Keys, codes, passwords, tickets and tokens: 0 in logs, data folder, backups, metrics, exports, errors."""
    caplog.set_level(logging.DEBUG)
    life = Life()
    admin, bob = enter(services, life)
    converse(services, life, provider, admin, bob)
    misconfigure(life)
    told = outputs(services, admin, bob)
    asked = json.dumps([request.headers for request in provider.requests])
    typed = {"first", "chosen", "changed", "guess", "newer", "as-name", "wrong-code"}
    seeded = {*CONFIGURED, *CODES, *SHARED, *typed, "own-together", "own-xai", "own-openai", *life.made}
    assert len(seeded) >= LEAST
    assert all(secret(f"own-{name}") in asked for name in ("together", "xai", "openai")), "the keys were used"
    assert all(secret(f"{name}_api_key") in asked for name in ASKED)

    told |= {
        "errors": "\n".join(life.told).encode(),
        "log": caplog.text.encode(),
        "terminal": "".join(capfd.readouterr()).encode(),
    }
    exact = {each.encode() for made in life.made.values() for each in (made, made.replace("-", ""))}
    exact |= set(load_keys(settings).masters())
    wanted = forms(MARK) | exact
    assert [(name, form) for name, content in told.items() for form in wanted if form in content] == []
    for _ in ("open", "closed"):
        files = [*contents(settings.data_dir), *contents(settings.keys_folder)]
        assert any(admin.user_id.encode() in content for _, content in files), "the search finds what is there"
        assert [(name, form) for name, content in files for form in wanted if form in content] == []
        services.close()
