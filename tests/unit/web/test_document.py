"""What the middleware makes of the interface's document."""

import asyncio

import pytest
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Message, Scope

from optimus.web.middleware import Document

INDEX = "<html><head><title>Streamlit</title></head><body>é</body></html>"


def fetch(
    response: Response, *, method: str = "GET", accept: str = "text/html", extra: tuple[tuple[bytes, bytes], ...] = ()
):
    """Send a request through the middleware; return the headers that the application saw, and the answer."""
    sent: list[Message] = []
    seen: list[tuple[bytes, bytes]] = []

    async def app(scope, receive, send):
        seen.extend(scope["headers"])
        await response(scope, receive, send)

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"accept", accept.encode()), *extra]
    scope: Scope = {"type": "http", "method": method, "path": "/memory", "headers": headers}
    asyncio.run(Document(app)(scope, receive, send))
    answered = Response(sent[0].get("body"), status_code=sent[0]["status"])
    answered.raw_headers = list(sent[0]["headers"])
    return dict(seen), answered.headers, b"".join(message.get("body", b"") for message in sent)


def test_the_document_has_our_name_and_knows_its_server():
    """The title is ours from the first moment, the server's address is given, and the length is right."""
    _, headers, body = fetch(HTMLResponse(INDEX, headers={"etag": "x", "last-modified": "y"}))
    assert b"<title>Optimus</title>" in body
    assert b'BACKEND_BASE_URL:location.origin+"/"' in body
    assert headers["content-length"] == str(len(body))
    assert "etag" not in headers
    assert "last-modified" not in headers


def test_what_could_not_be_rewritten_is_not_asked_for():
    """A compressed, partial or unchanged answer is never asked for where the document is."""
    seen, _, _ = fetch(HTMLResponse(INDEX), extra=((b"accept-encoding", b"gzip"), (b"if-none-match", b"x")))
    assert seen == {b"accept": b"text/html"}


@pytest.mark.parametrize(
    ("response", "method", "accept"),
    [
        (JSONResponse({"a": "<title>Streamlit</title>"}), "GET", "text/html"),
        (HTMLResponse(INDEX, status_code=404), "GET", "text/html"),
        (HTMLResponse(INDEX), "GET", "*/*"),
        (HTMLResponse(INDEX), "POST", "text/html"),
    ],
)
def test_everything_else_passes_as_it_is(response, method, accept):
    """Only a found document is touched."""
    _, headers, body = fetch(response, method=method, accept=accept)
    assert body == response.body
    assert headers["content-length"] == str(len(body))
