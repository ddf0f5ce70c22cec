"""The cookie's names, and what a connection may resume."""

import pytest
from starlette.types import Message, Scope

from optimus.errors import ConfigurationError
from optimus.ui.browser_sessions import BROWSER_SESSIONS, BrowserSessions
from optimus.ui.cookie import cookie_policy, is_loopback, read_token
from optimus.web.middleware import SecurityHeaders, SessionBinding


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.1", "[::1]", "optimus.localhost"])
def test_plain_http_is_for_this_machine(host):
    """Over http on loopback the cookie is plain; over https it is the secure one everywhere."""
    assert cookie_policy(scheme="http", host=host, allow_http=False).name == "optimus"
    secure = cookie_policy(scheme="https", host="example.com", allow_http=False)
    assert (secure.name, secure.secure) == ("__Host-optimus", True)


@pytest.mark.parametrize("host", ["example.com", "192.168.1.5", "127.0.0.1.example.com", "localhost.example.com", ""])
def test_plain_http_from_elsewhere_is_refused_with_a_sentence(host):
    """Another host over http is refused, unless it is allowed on purpose."""
    assert not is_loopback(host)
    with pytest.raises(ConfigurationError) as caught:
        cookie_policy(scheme="http", host=host, allow_http=False)
    assert "OPTIMUS_ALLOW_HTTP" in caught.value.user_message
    assert cookie_policy(scheme="http", host=host, allow_http=True).name == "optimus"


def test_the_secure_cookie_is_read_first():
    """A plain cookie cannot shadow the secure one."""
    assert read_token({"optimus": "plain", "__Host-optimus": "secure"}) == "secure"
    assert read_token({"optimus": "plain"}) == "plain"
    assert read_token({"optimus": ""}) is None


def test_a_session_is_resumed_only_with_its_own_cookie():
    """The id alone, another cookie, and the id of a session without a cookie resume nothing."""
    sessions = BrowserSessions(limit=2)
    sessions.bind("one", "cookie-a")
    assert sessions.may_resume("one", "cookie-a")
    assert not sessions.may_resume("one", "cookie-b")
    assert not sessions.may_resume("one", None)
    sessions.bind("anonymous", None)
    assert not sessions.may_resume("anonymous", None)
    sessions.bind("one", None)
    assert not sessions.may_resume("one", "cookie-a")


def test_the_registry_is_bounded():
    """The oldest session is dropped when there are too many, and can then not be resumed."""
    sessions = BrowserSessions(limit=2)
    for name in ("one", "two", "three"):
        sessions.bind(name, "cookie")
    assert not sessions.may_resume("one", "cookie")
    assert sessions.may_resume("three", "cookie")


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


def handshake(cookie: str, session_id: str) -> Scope:
    """Return the scope of a websocket that asks to resume a session."""
    protocols = ["streamlit", "xsrf", session_id]
    headers = [
        (b"sec-websocket-protocol", ", ".join(protocols).encode()),
        (b"cookie", cookie.encode()),
        (b"host", b"localhost:8501"),
        (b"origin", b"http://localhost:8501"),
    ]
    return {"type": "websocket", "path": "/_stcore/stream", "headers": headers, "subprotocols": protocols}


@pytest.mark.parametrize(
    ("cookie", "is_kept"),
    [
        ("optimus=mine", True),
        ("optimus=theirs", False),
        ("", False),
        ("other=mine", False),
        ("optimus=mine; a=b", True),
    ],
)
def test_the_handshake_loses_a_foreign_session_id(cookie, is_kept):
    """The web layer hands on the session id only with the cookie that the session ran with."""
    BROWSER_SESSIONS.bind("session-1", "mine")
    seen: list[Scope] = []

    async def app(scope, receive, send):
        seen.append(scope)

    run(SessionBinding(app)(handshake(cookie, "session-1"), _nothing, _discard))
    offered = dict(seen[0]["headers"])[b"sec-websocket-protocol"].decode()
    assert ("session-1" in offered) is is_kept
    assert ("session-1" in seen[0]["subprotocols"]) is is_kept


def run(coroutine) -> None:
    """Run a coroutine that never waits."""
    with pytest.raises(StopIteration):
        coroutine.send(None)


async def _discard(message: Message) -> None:
    del message


def test_every_response_has_the_walls():
    """Policy, sniffing, framing, referrer: on each response; strict transport only over https."""
    sent: list[Message] = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Message) -> None:
        sent.append(message)

    for scheme in ("http", "https"):
        run(SecurityHeaders(app)({"type": "http", "scheme": scheme, "headers": []}, _nothing, send))
    plain, secure = ({name.decode(): value.decode() for name, value in message["headers"]} for message in sent)
    assert "frame-ancestors 'none'" in plain["content-security-policy"]
    assert plain["x-content-type-options"] == "nosniff"
    assert plain["cache-control"] == "no-store"
    assert "strict-transport-security" not in plain
    assert secure["strict-transport-security"].startswith("max-age=31536000")


@pytest.mark.parametrize("origin", [b"http://localhost:1", b"https://evil.example", b"null", b""])
def test_another_page_does_not_connect_with_our_cookie(origin):
    """Cookies ignore ports, so a page at another address is refused when the browser sends ours along."""
    scope = handshake("optimus=mine", "")
    headers = [(name, origin if name == b"origin" else value) for name, value in scope["headers"]]
    sent: list[Message] = []

    async def app(scope, receive, send):
        raise AssertionError(scope)

    async def send(message: Message) -> None:
        sent.append(message)

    run(SessionBinding(app)({**scope, "headers": headers}, _nothing, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]
