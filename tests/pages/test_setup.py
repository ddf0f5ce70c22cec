"""The set-up page, without a browser."""

from contextlib import closing

import pytest

from optimus import process
from optimus.services import wire
from optimus.settings import Settings
from optimus.storage.store import open_memory_store
from tests.fakes.embedding import HashEmbedder
from tests.pages.conftest import run_app
from tests.world import KEYS, PASSWORD, HandClock


@pytest.mark.usefixtures("sign_in", "closed")
def test_after_too_many_wrong_codes_what_was_typed_stays(tmp_path):
    """The sixth try is told to wait and the ways out of it, and code, name and password are still in their fields."""
    clock = HandClock()
    settings = Settings.model_validate({"data_dir": tmp_path, "setup_code": "right-code", "default_model": None})
    store = open_memory_store(KEYS, clock=clock)
    with closing(wire(settings, KEYS, store, clock=clock, password_cost=4, embedder=HashEmbedder())) as services:
        process.install(services)
        page = run_app()
        page.text_input[0].input("wrong-code")
        page.text_input[1].input("grace")
        page.text_input[2].input(PASSWORD)
        create = next(button for button in page.button if button.label == "Create account")
        for _ in range(5):
            create.click().run()
            assert "not right" in page.error[0].value
        create.click().run()
        assert "wait 15 minutes" in page.error[0].value
        assert "python -m optimus create-admin NAME" in page.error[0].value
        assert [field.value for field in page.text_input[:3]] == ["wrong-code", "grace", PASSWORD]
        assert services.auth.needs_setup()
