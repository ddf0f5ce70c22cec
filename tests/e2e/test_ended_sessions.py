"""A session that has ended elsewhere: an open page, an open dialog and a running answer give nothing more away."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState

from optimus.models import new_id
from tests.e2e.server import PASSWORD, ROOT, AppServer
from tests.e2e.stream import StreamClient, chosen, filled, pressed, said, selected, sign_in
from tests.fakes.providers import FakeProvider, running_provider

SIGN_IN = b"Sign in to Optimus"
SESSION_CHECK_S = 30
"""An idle page shows at the latest after this time that its session has ended."""


@dataclass(frozen=True, kw_only=True)
class Dialog:
    """An open dialog: what its button sends, and whether it had its effect."""

    page: str = ""
    query: str = ""
    press: list[WidgetState]
    fragment: str
    happened: Callable[[bytes], bool]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What stands around a page: the application, who looks at it, a living session, a model server to connect."""

    app: AppServer
    username: str
    cookie: str
    provider: FakeProvider


@pytest.fixture(scope="module")
def admin(shared_app: AppServer) -> tuple[str, str]:
    """An account and the cookie of a session of it that lives on."""
    username = new_username()
    shared_app.add_user(username)
    return username, sign_in(shared_app.url, username)


@pytest.fixture
def stage(shared_app: AppServer, admin: tuple[str, str]) -> Iterator[Stage]:
    """The application, an account and a model server."""
    with running_provider() as provider:
        yield Stage(app=shared_app, username=admin[0], cookie=admin[1], provider=provider)


def new_username() -> str:
    """Return a name that nobody has."""
    return f"user-{new_id()[:8]}"


def end_session(app: AppServer, cookie: str) -> None:
    """Sign out in another tab of the same browser."""
    with StreamClient(app.url, cookie=cookie) as other:
        other.run()
        assert SIGN_IN not in other.run("", pressed(other.widget("sign_out")))
        assert SIGN_IN in other.run()


def begin_chat(tab: StreamClient, text: str) -> str:
    """Send a message and return the query of its chat."""
    tab.run()
    tab.run("", said(tab.widget("draft"), text))
    return tab.query()


def rename(tab: StreamClient, stage: Stage) -> Dialog:
    """Open the dialog that renames a chat."""
    title, query = new_id()[:8], begin_chat(tab, "Good morning")
    tab.run("", chosen(tab.widget("menu_"), ":material/edit: Rename"), query=query)
    return Dialog(
        query=query,
        press=[filled(tab.widget("None"), title), pressed(tab.widget("FormSubmitter:rename"))],
        fragment=tab.fragment_with("FormSubmitter:rename"),
        happened=lambda page: title.encode() in page,
    )


def delete(tab: StreamClient, stage: Stage) -> Dialog:
    """Open the dialog that deletes a chat."""
    title = new_id()[:8]
    query = begin_chat(tab, title)
    tab.run("", chosen(tab.widget("menu_"), ":material/delete: Delete"), query=query)
    return Dialog(
        query=query,
        press=[pressed(tab.widget("delete_chat_confirm"))],
        fragment=tab.fragment_with("delete_chat_confirm"),
        happened=lambda page: title.encode() not in page,
    )


def edit_message(tab: StreamClient, stage: Stage) -> Dialog:
    """Open the dialog that says a message otherwise."""
    text, query = new_id()[:8], begin_chat(tab, "Good morning")
    tab.run("", chosen(tab.widget("more_"), ":material/edit: Edit"), query=query)
    return Dialog(
        query=query,
        press=[filled(tab.widget("edit_text_"), text), pressed(tab.widget("FormSubmitter:edit_message"))],
        fragment=tab.fragment_with("FormSubmitter:edit_message"),
        happened=lambda _page: text.encode() in seen(stage, query),
    )


def delete_message(tab: StreamClient, stage: Stage) -> Dialog:
    """Open the dialog that deletes a message."""
    query = begin_chat(tab, "Good morning")
    tab.run("", chosen(tab.widget("more_"), ":material/delete: Delete"), query=query)
    return Dialog(
        query=query,
        press=[pressed(tab.widget("delete_message_confirm"))],
        fragment=tab.fragment_with("delete_message_confirm"),
        happened=lambda _page: b"more_" not in seen(stage, query),
    )


def seen(stage: Stage, query: str) -> bytes:
    """Return what a chat shows in the session that lives on."""
    with StreamClient(stage.app.url, cookie=stage.cookie) as tab:
        return tab.run("", query=query)


def connect(tab: StreamClient, stage: Stage) -> Dialog:
    """Open the dialog that connects a model."""
    tab.run()
    tab.run("", pressed(tab.widget("connect_open")))
    fragment = tab.fragment_with("test_dialog")
    kind = filled(tab.widget("provider_dialog"), "OpenAI-compatible server")
    tab.run("", kind, fragment=fragment)
    address = filled(tab.widget("address_dialog"), f"{stage.provider.url}/v1")
    return Dialog(
        press=[kind, address, pressed(tab.widget("test_dialog"))],
        fragment=fragment,
        happened=lambda _page: bool(stage.provider.requests),
    )


def add(tab: StreamClient, stage: Stage) -> Dialog:
    """Open the dialog that adds a user."""
    username = new_username()
    tab.run("admin")
    tab.run("admin", pressed(tab.widget("user_add")))
    return Dialog(
        page="admin",
        press=[filled(tab.widget("None"), username), pressed(tab.widget("user_add_confirm"))],
        fragment=tab.fragment_with("user_add_confirm"),
        happened=lambda page: username.encode() in page,
    )


def lock(tab: StreamClient, stage: Stage) -> Dialog:
    """Open the dialog that locks somebody's account."""
    return _change(tab, stage, "lock_", "confirm")


def reset(tab: StreamClient, stage: Stage) -> Dialog:
    """Open the dialog that replaces somebody's password by a one-time code."""
    return _change(tab, stage, "reset_", "confirm_reset")


def erase(tab: StreamClient, stage: Stage) -> Dialog:
    """Open the dialog that erases somebody's account."""
    return _change(tab, stage, "erase_", "confirm_erase", typed="erase_name")


def select_newest(tab: StreamClient) -> WidgetState:
    """Open the admin page and return its table with the newest account selected: the last one."""
    count = re.search(rb"(\d+) users", tab.run("admin"))
    assert count
    return selected(tab.widget("users_table"), int(count[1]) - 1)


def _change(tab: StreamClient, stage: Stage, action: str, button: str, *, typed: str = "") -> Dialog:
    other = new_username()
    stage.app.add_user(other)
    row = select_newest(tab)
    tab.run("admin", row)
    asks_again = b"Your own password" in tab.run("admin", row, pressed(tab.widget(action)))
    proof = [filled(tab.widget("proof"), PASSWORD)] if asks_again else []
    proof += [filled(tab.widget(typed), other)] if typed else []
    return Dialog(
        page="admin",
        press=[row, *proof, pressed(tab.widget(button))],
        fragment=tab.fragment_with(button),
        happened=lambda _page: not sign_in(stage.app.url, other),
    )


def forget(tab: StreamClient, stage: Stage) -> Dialog:
    """Open the dialog that asks before many memories are deleted."""
    for half in ("red", "blue"):
        begin_chat(tab, " ".join(f"Remember that box {number} is {half}." for number in range(11)))
    tab.run("memory")
    rows = selected(tab.widget("memories_"), *range(22))
    tab.run("memory", rows)
    tab.run("memory", rows, pressed(tab.widget("delete_chosen")))
    return Dialog(
        page="memory",
        press=[rows, pressed(tab.widget("delete_confirmed"))],
        fragment=tab.fragment_with("delete_confirmed"),
        happened=lambda page: b"memories deleted." in page,
    )


DIALOGS = {
    "memory_table._confirm": forget,
    "chat_sidebar._rename": rename,
    "chat_sidebar._delete": delete,
    "chat_versions._edit": edit_message,
    "chat_versions._delete": delete_message,
    "connect.connect_dialog": connect,
    "admin_users._add": add,
    "admin_account._confirm": lock,
    "admin_account._reset": reset,
    "admin_account._erase": erase,
}


def test_every_dialog_is_tried():
    """The table above names every dialog of the product."""
    found = {
        f"{path.stem}.{node.name}"
        for folder in ("optimus", "pages")
        for path in Path(ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and any("dialog" in ast.unparse(each) for each in node.decorator_list)
    }
    assert found == set(DIALOGS)


@pytest.mark.parametrize("name", DIALOGS)
def test_a_dialog_of_an_ended_session_does_nothing(stage: Stage, name: str):
    """Its button changes nothing and leads to the sign-in form; while the session lives the same press does it."""
    url = stage.app.url
    for has_ended in (True, False):
        cookie = sign_in(url, stage.username) if has_ended else stage.cookie
        with StreamClient(url, cookie=cookie) as tab:
            dialog = DIALOGS[name](tab, stage)
            if has_ended:
                end_session(stage.app, cookie)
            shown = tab.run(dialog.page, *dialog.press, query=dialog.query, fragment=dialog.fragment)
        assert (SIGN_IN in shown) is has_ended
        with StreamClient(url, cookie=stage.cookie) as later:
            assert dialog.happened(later.run(dialog.page)) is not has_ended


@pytest.mark.parametrize("page", ["", "memory", "analytics", "settings", "admin"])
def test_an_idle_page_notices_that_its_session_has_ended(stage: Stage, page: str):
    """Each page looks by itself, draws nothing while the session lives, and then shows the sign-in form alone."""
    cookie = sign_in(stage.app.url, stage.username)
    with StreamClient(stage.app.url, cookie=cookie) as tab:
        assert b"Sign out" in tab.run(page)
        [(watch, seconds)] = tab.timers().items()
        assert seconds <= SESSION_CHECK_S
        assert SIGN_IN not in tab.run(page, fragment=watch)
        assert not [m for m in tab.messages if m.HasField("delta") and m.delta.HasField("new_element")]
        end_session(stage.app, cookie)
        shown = tab.run(page, fragment=watch)
        assert SIGN_IN in shown
        assert b"Sign out" not in shown


@pytest.mark.parametrize("way", ["sign-out", "admin"])
def test_an_answer_stops_coming_when_the_session_ends(stage: Stage, way: str):
    """Signed out in another tab or by an admin, a page that follows an answer shows the form and no further word."""
    username, url = new_username(), stage.app.url
    stage.app.add_user(username)
    stage.provider.answer = lambda _request: "One two three four five six."
    stage.provider.hold_after = 3
    cookie = sign_in(url, username)
    with StreamClient(url, cookie=cookie) as tab:
        dialog = connect(tab, stage)
        tab.run(dialog.page, *dialog.press, fragment=dialog.fragment)
        shown = tab.run("", said(tab.widget("draft"), "Count"))
        [follow] = [fragment for fragment, seconds in tab.timers().items() if seconds < 1]
        while b"One two" not in shown:
            shown = tab.run("", fragment=follow, query=tab.query())
        if way == "admin":
            _end_by_admin(stage, username)
        else:
            end_session(stage.app, cookie)
        stage.provider.release()
        shown = tab.run("", fragment=follow)
    assert SIGN_IN in shown
    assert b"One two" not in shown
    assert b"three" not in tab.received


def _end_by_admin(stage: Stage, username: str) -> None:
    with StreamClient(stage.app.url, cookie=stage.cookie) as admin:
        row = select_newest(admin)
        assert username.encode() in admin.run("admin", row)
        admin.run("admin", row, pressed(admin.widget("end_sessions_")))
        fragment, button = admin.fragment_with("confirm"), admin.widget("confirm")
        assert b"Done" in admin.run("admin", row, pressed(button), fragment=fragment)
