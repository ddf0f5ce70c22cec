"""Files for the browser: once, for a minute, for the session that asked, and for nobody else."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from optimus import process
from optimus.downloads import LIFETIME, MOST_OFFERED, Download, Downloads
from optimus.errors import NotFoundError, StoreUnavailableError
from optimus.models import Principal
from optimus.web.routes import session_routes
from tests.world import PASSWORD, World, stranger


def file(name: str = "memories.csv", *chunks: bytes) -> Download:
    """Return a file of some chunks."""
    return Download(filename=name, media_type="text/csv", chunks=lambda: iter(chunks or (b"one,", b"two")))


@pytest.fixture
def downloads(world: World) -> Downloads:
    """The world's registry."""
    return world.services.downloads


def test_a_file_is_taken_once(world: World, downloads: Downloads):
    """The second fetch of an address finds nothing."""
    ticket = downloads.offer(world.principal, file()).removeprefix("/download/")
    assert b"".join(downloads.take(world.principal, ticket).chunks()) == b"one,two"
    with pytest.raises(NotFoundError):
        downloads.take(world.principal, ticket)


def test_a_file_is_for_the_session_that_asked(world: World, downloads: Downloads):
    """Another account and another session of the same account find nothing, and do not use it up."""
    ticket = downloads.offer(world.principal, file()).removeprefix("/download/")
    elsewhere = world.principal.model_copy(update={"session_id": "another"})
    for other in (stranger(), elsewhere):
        with pytest.raises(NotFoundError):
            downloads.take(other, ticket)
    assert downloads.take(world.principal, ticket).filename == "memories.csv"


def test_a_file_waits_for_a_minute(world: World, downloads: Downloads):
    """After its time the address leads nowhere."""
    ticket = downloads.offer(world.principal, file()).removeprefix("/download/")
    world.clock.now += LIFETIME + timedelta(seconds=1)
    with pytest.raises(NotFoundError):
        downloads.take(world.principal, ticket)


def test_offers_are_bounded(world: World, downloads: Downloads):
    """A session that asks again and again loses its oldest offer, and nobody else's."""
    other = stranger()
    kept = downloads.offer(other, file()).removeprefix("/download/")
    tickets = [downloads.offer(world.principal, file()).removeprefix("/download/") for _ in range(MOST_OFFERED + 1)]
    with pytest.raises(NotFoundError):
        downloads.take(world.principal, tickets[0])
    assert downloads.take(world.principal, tickets[1])
    assert downloads.take(other, kept)


@pytest.mark.parametrize("name", ["", "../x", 'a"b', "a\r\nb", ".hidden", "ü.csv", "a" * 101])
def test_a_file_name_cannot_leave_its_header(world: World, downloads: Downloads, name: str):
    """Names that would break the header or a folder are refused."""
    with pytest.raises(ValueError, match="file name"):
        downloads.offer(world.principal, file(name))


@pytest.fixture
def client(world: World) -> Iterator[TestClient]:
    """A client of the routes over the world's services, without a cookie."""
    process.install(world.services)
    with TestClient(Starlette(routes=session_routes()), base_url="http://localhost") as opened:
        yield opened
    process.install(None)


def signed_in(world: World, client: TestClient) -> Principal:
    """Sign in once more and give the client the cookie."""
    auth = world.services.auth
    ticket = auth.sign_in(username="ada", password=PASSWORD, network="test", captcha=None, user_agent="test")
    token = auth.open_session(ticket).token
    client.cookies.set("optimus", token)
    principal = auth.principal(token)
    assert principal
    return principal


def test_the_route_gives_the_file_with_its_name(world: World, client: TestClient, downloads: Downloads):
    """The answer is an attachment that no cache keeps, whole, and only once."""
    path = downloads.offer(signed_in(world, client), file())
    answer = client.get(path)
    assert (answer.status_code, answer.content) == (200, b"one,two")
    assert answer.headers["content-disposition"] == 'attachment; filename="memories.csv"'
    assert answer.headers["cache-control"] == "no-store"
    assert client.get(path).status_code == 404


def test_the_route_checks_the_cookie(world: World, client: TestClient, downloads: Downloads):
    """Without a cookie, with a forged one and with another session's, the address leads nowhere and stays good."""
    path = downloads.offer(world.principal, file())
    assert client.get(path).status_code == 404
    client.cookies.set("optimus", "forged")
    assert client.get(path).status_code == 404
    client.cookies.clear()
    principal = signed_in(world, client)
    assert client.get(path).status_code == 404
    own = downloads.offer(principal, file())
    world.services.auth.sign_out(principal.session_id)
    assert client.get(own).status_code == 404
    assert downloads.take(world.principal, path.removeprefix("/download/"))


def test_a_file_that_cannot_be_made_is_said(world: World, client: TestClient, downloads: Downloads):
    """A failure before the first byte is a sentence with an error's status, not half a file."""

    def broken() -> list[bytes]:
        raise StoreUnavailableError("down")

    download = Download(filename="a.csv", media_type="text/csv", chunks=broken)
    answer = client.get(downloads.offer(signed_in(world, client), download))
    assert (answer.status_code, answer.text) == (503, StoreUnavailableError.user_message)
