"""The set-up page, without a browser."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from optimus import process
from optimus.services import Services, wire
from optimus.settings import Settings
from optimus.storage.store import open_memory_store
from optimus.ui import bridge
from tests.fakes.embedding import HashEmbedder
from tests.pages.conftest import run_app
from tests.world import KEYS, PASSWORD, HandClock


@pytest.fixture
def services(tmp_path) -> Iterator[Services]:
    """Serve an empty store that waits for its first admin."""
    clock = HandClock()
    settings = Settings.model_validate({"data_dir": tmp_path, "setup_code": "right-code", "default_model": None})
    store = open_memory_store(KEYS, clock=clock)
    with closing(wire(settings, KEYS, store, clock=clock, password_cost=4, embedder=HashEmbedder())) as opened:
        process.install(opened)
        yield opened


def fill(page: AppTest, code: str) -> Button:
    """Fill the form, and return its button."""
    page.text_input[0].input(code)
    page.text_input[1].input("grace")
    page.text_input[2].input(PASSWORD)
    return next(button for button in page.button if button.label == "Create account")


@pytest.mark.usefixtures("sign_in", "closed")
def test_after_too_many_wrong_codes_what_was_typed_stays(services):
    """The sixth try is told to wait and the ways out of it, and code, name and password are still in their fields."""
    page = run_app()
    create = fill(page, "wrong-code")
    for _ in range(5):
        create.click().run()
        assert "not right" in page.error[0].value
    create.click().run()
    assert "wait 15 minutes" in page.error[0].value
    assert "python -m optimus create-admin NAME" in page.error[0].value
    assert [field.value for field in page.text_input[:3]] == ["wrong-code", "grace", PASSWORD]
    assert services.auth.needs_setup()


@pytest.mark.usefixtures("sign_in", "services")
def test_a_second_press_goes_on_with_the_first_ones_ticket(monkeypatch):
    """Where it ended the run of the first press, nothing is tried again and the browser gets the same ticket once."""
    asked: list[dict[str, str]] = []
    monkeypatch.setattr(bridge, "_component", lambda *, data, **_: asked.append(data))
    page = run_app()
    create = fill(page, "right-code")
    create.click().run()
    create.click().run()
    assert not page.error
    assert [data["path"] for data in asked] == ["/session/open"] * 2
    assert asked[0] == asked[1]
    assert asked[0]["ticket"]


@pytest.mark.usefixtures("sign_in", "services")
def test_an_exchange_that_never_ends_gives_the_page_back(monkeypatch):
    """After the life of a ticket the sign-in form is there again."""
    now = [0.0]
    monkeypatch.setattr(bridge, "_component", lambda **_: None)
    monkeypatch.setattr("optimus.ui.bridge.time.monotonic", lambda: now[0])
    page = run_app()
    fill(page, "right-code").click().run()
    now[0] = 29.0
    page.run()
    assert not page.title
    now[0] = 31.0
    page.run()
    assert [title.value for title in page.title] == ["Sign in to Optimus"]
