"""A Streamlit client without a browser: speaks the websocket protocol, with any cookie and any session id."""

import json
import re
from types import TracebackType
from typing import Self

import httpx
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from tests.e2e.server import PASSWORD


class StreamClient:
    """One connection; `received` is everything that the server sent over it, `messages` what the last run sent."""

    def __init__(self, url: str, *, cookie: str = "", session_id: str = "") -> None:
        headers = {"Cookie": cookie} if cookie else {}
        protocols = ["streamlit", "none"] + ([session_id] if session_id else [])
        self.opening = connect(
            url.replace("http", "ws", 1) + "/_stcore/stream",
            subprotocols=[Subprotocol(name) for name in protocols],
            additional_headers=headers,
            origin=Origin(url),
            compression=None,
            max_size=None,
        )
        self.received = b""
        self.messages: list[ForwardMsg] = []
        self.session_id = ""

    def __enter__(self) -> Self:
        self.socket = self.opening.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self.opening.__exit__(kind, error, trace)

    def run(self, page: str = "", *widgets: WidgetState, query: str = "", fragment: str = "") -> bytes:
        """Run the script once, or one of its fragments, after `widgets` changed; return what came back."""
        message = BackMsg()
        message.rerun_script.query_string = query
        message.rerun_script.page_name = page
        message.rerun_script.fragment_id = fragment
        message.rerun_script.widget_states.widgets.extend(widgets)
        self.socket.send(message.SerializeToString())
        return self._read_run()

    def widget(self, key: str) -> str:
        """Return the id of the first widget that the last run drew whose key begins with `key`."""
        return self._drawn(key)[0]

    def fragment_with(self, key: str) -> str:
        """Return the fragment that drew this widget."""
        return self._drawn(key)[1]

    def timers(self) -> dict[str, float]:
        """Return the fragments that the browser is to run again by itself, each with its seconds."""
        timed = [message.auto_rerun for message in self.messages if message.WhichOneof("type") == "auto_rerun"]
        return {each.fragment_id: each.interval for each in timed}

    def query(self) -> str:
        """Return the query that the last run put into the address."""
        return next(
            (m.page_info_changed.query_string for m in reversed(self.messages) if m.HasField("page_info_changed")), ""
        )

    def _drawn(self, key: str) -> tuple[str, str]:
        for delta in (message.delta for message in self.messages if message.HasField("delta")):
            kind = delta.new_element.WhichOneof("type")
            widget = str(getattr(getattr(delta.new_element, kind), "id", "")) if kind else ""
            if widget.split("-", 2)[-1].startswith(key):
                return widget, delta.fragment_id
        raise AssertionError(key)

    def _read_run(self) -> bytes:
        """Read until a run ends for good; one that asks to be run again is followed."""
        start = len(self.received)
        self.messages = []
        while True:
            data = self.socket.recv(timeout=30)
            assert isinstance(data, bytes)
            self.received += data
            message = ForwardMsg.FromString(data)
            self.messages.append(message)
            if message.WhichOneof("type") == "new_session" and message.new_session.HasField("initialize"):
                self.session_id = message.new_session.initialize.session_id
            if message.WhichOneof("type") == "script_finished":
                if message.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                    continue
                return self.received[start:]


def pressed(widget: str) -> WidgetState:
    """Return a button that was pressed."""
    return WidgetState(id=widget, trigger_value=True)


def said(widget: str, text: str) -> WidgetState:
    """Return the chat's box with the message that was sent."""
    state = WidgetState(id=widget)
    state.chat_input_value.data = text
    return state


def filled(widget: str, text: str) -> WidgetState:
    """Return a field with its text."""
    return WidgetState(id=widget, string_value=text)


def chosen(widget: str, option: str) -> WidgetState:
    """Return a menu with the entry that was chosen."""
    state = WidgetState(id=widget)
    state.string_trigger_value.data = option
    return state


def selected(widget: str, *rows: int) -> WidgetState:
    """Return a table with the rows that were selected."""
    return WidgetState(id=widget, string_value=json.dumps({"selection": {"rows": rows, "columns": []}}))


def sign_in(url: str, username: str, password: str = PASSWORD) -> str:
    """Sign in by the form, as the browser would; return the cookie's header, or nothing where that was refused."""
    with StreamClient(url) as client:
        client.run()
        name, word = client.widget("sign_in_username"), client.widget("sign_in_password")
        answer = client.run("", filled(name, username), filled(word, password), pressed(client.widget("FormSubmitter")))
        ticket = re.search(rb'"ticket": ?"([\w-]+)"', answer)
    if not ticket:
        return ""
    kept = httpx.post(f"{url}/session/open", content=ticket[1], headers={"Origin": url})
    assert kept.status_code == httpx.codes.NO_CONTENT
    return f"optimus={kept.cookies['optimus']}"
