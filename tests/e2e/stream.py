"""A Streamlit client without a browser: speaks the websocket protocol, with any cookie and any session id."""

from types import TracebackType
from typing import Self

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol


class StreamClient:
    """One connection; `received` is everything that the server sent over it."""

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
        self.session_id = ""

    def __enter__(self) -> Self:
        self.socket = self.opening.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self.opening.__exit__(kind, error, trace)

    def run(self, page: str = "", query: str = "", clicked: str = "") -> bytes:
        """Run the script once, with a button pressed if one is named, and return what came back."""
        message = BackMsg()
        message.rerun_script.query_string = query
        message.rerun_script.page_name = page
        if clicked:
            state = message.rerun_script.widget_states.widgets.add()
            state.id = clicked
            state.trigger_value = True
        self.socket.send(message.SerializeToString())
        return self._read_run()

    def _read_run(self) -> bytes:
        """Read until a run ends for good; one that asks to be run again is followed."""
        start = len(self.received)
        while True:
            data = self.socket.recv(timeout=30)
            assert isinstance(data, bytes)
            self.received += data
            message = ForwardMsg.FromString(data)
            if message.WhichOneof("type") == "new_session" and message.new_session.HasField("initialize"):
                self.session_id = message.new_session.initialize.session_id
            if message.WhichOneof("type") == "script_finished":
                if message.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                    continue
                return self.received[start:]


def button_id(received: bytes, key: str) -> str:
    """Return the widget id of the button with this key, from what the server sent."""
    marker = f"-{key}".encode()
    end = received.index(marker) + len(marker)
    return received[received.rindex(b"$$ID-", 0, end) : end].decode()
