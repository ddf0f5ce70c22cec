"""Pages run without a browser: the world's services in this process, and a principal of the test's choice."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from optimus import process
from optimus.models import Principal
from optimus.ui import bridge, guard
from tests.world import World

ROOT = Path(__file__).parent.parent.parent
MAIN = ROOT / "optimus" / "ui" / "main.py"
PAGES = ("chat.py", "memory.py")

SignIn = Callable[[Principal | None], None]


@pytest.fixture(autouse=True)
def _installed(world: World) -> Iterator[None]:
    """Make the world's services those of this process."""
    st.cache_resource.clear()
    process.install(world.services)
    yield
    process.install(None)


@pytest.fixture
def sign_in(monkeypatch) -> SignIn:
    """Decide who the connection's cookie belongs to; without a call, nobody."""

    def become(principal: Principal | None) -> None:
        monkeypatch.setattr(guard, "connection_token", lambda: principal and "a-token")
        monkeypatch.setattr(
            type(process.current().auth), "principal", lambda _self, token, **_kind: token and principal
        )

    become(None)
    return become


@pytest.fixture
def closed(monkeypatch) -> list[str]:
    """Take the place of the browser's cookie exchange; holds what was asked of it."""
    calls: list[str] = []
    monkeypatch.setattr(bridge, "close_session", lambda: calls.append("close"))
    monkeypatch.setattr(bridge, "open_session", lambda _state, ticket, **_: calls.append(f"open {bool(ticket)}"))
    return calls


def run_app() -> AppTest:
    """Run the whole application once, from its main script."""
    return AppTest.from_file(MAIN, default_timeout=20).run()


def run_alone(page: str) -> AppTest:
    """Run one page file by itself, without the navigation before it."""
    return AppTest.from_file(ROOT / "pages" / page, default_timeout=20).run()


def texts(app: AppTest) -> str:
    """Return everything that stands on the page, to look for what must not."""
    drawn = (app.title, app.markdown, app.caption, app.text, app.error, app.warning, app.info)
    found = [str(element.value) for kind in drawn for element in kind]
    found += [table.value.to_string() for table in app.dataframe]
    return "\n".join(found + [button.label for button in app.button])
