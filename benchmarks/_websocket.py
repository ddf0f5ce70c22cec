"""A browser's side of Streamlit's websocket: open a page, run it again, see how each run ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect
from websockets.sync.connection import Connection
from websockets.typing import Origin, Subprotocol

LIMIT_S = 120.0


class PageSession:
    """One open page. Runs follow each other; it is not for use from several threads."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._page_hash = ""
        self._query = ""
        self._message_box = ""

    @property
    def takes_messages(self) -> bool:
        """Whether a page with a box for messages was drawn."""
        return bool(self._message_box)

    def open(self, page: str) -> str:
        """Go to a page by the name in its address ("" is the first one); return the title that it drew.

        Raises:
            RuntimeError: the run ended with an error, or drew one.
        """
        message = BackMsg()
        message.rerun_script.page_name = page
        self._query = ""
        return self._run(message)

    def rerun(self) -> str:
        """Run the open page again, as a click does; return the title that it drew.

        Raises:
            RuntimeError: the run ended with an error, or drew one.
        """
        message = BackMsg()
        message.rerun_script.page_script_hash = self._page_hash
        return self._run(message)

    def say(self, text: str) -> str:
        """Send a message on the open chat page; return the title of the page that follows.

        Raises:
            RuntimeError: the page has no box for messages, the run ended with an error, or drew one.
        """
        if not self._message_box:
            raise RuntimeError("the page has no box for messages")
        message = BackMsg()
        message.rerun_script.page_script_hash = self._page_hash
        state = message.rerun_script.widget_states.widgets.add()
        state.id, state.chat_input_value.data = self._message_box, text
        return self._run(message)

    def _run(self, message: BackMsg) -> str:
        message.rerun_script.query_string = self._query
        self._connection.send(message.SerializeToString())
        title, error = "", ""
        while True:
            data = self._connection.recv(timeout=LIMIT_S)
            if not isinstance(data, bytes):
                continue
            answer = ForwardMsg.FromString(data)
            kind = answer.WhichOneof("type")
            if kind == "navigation":
                self._page_hash = answer.navigation.page_script_hash
            elif kind == "page_info_changed":
                self._query = answer.page_info_changed.query_string
            elif kind == "delta":
                element = answer.delta.new_element
                self._message_box = element.chat_input.id or self._message_box
                title = title or element.heading.body
                error = error or _error(element)
            elif kind == "script_finished":
                if not error and answer.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                    continue
                if error or answer.script_finished != ForwardMsg.FINISHED_SUCCESSFULLY:
                    raise RuntimeError(error or "the run did not end well")
                return title


def _error(element: Element) -> str:
    kind = element.WhichOneof("type")
    if kind == "exception":
        return f"{element.exception.type}: {element.exception.message}"
    return element.alert.body if kind == "alert" and element.alert.format == Alert.ERROR else ""


@contextmanager
def page_session(url: str, *, cookie: str = "") -> Iterator[PageSession]:
    """Connect to a running application at `url` (`http://host:port`) with a cookie header, and disconnect."""
    address = url.replace("http", "ws", 1) + "/_stcore/stream"
    headers = {"Cookie": cookie} if cookie else {}
    with connect(
        address,
        subprotocols=[Subprotocol("streamlit")],
        origin=Origin(url),
        additional_headers=headers,
        max_size=None,
    ) as connection:
        yield PageSession(connection)
