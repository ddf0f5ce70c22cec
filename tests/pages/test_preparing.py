"""The page that stands while the search index is built, without a browser."""

from time import monotonic

from optimus import process
from optimus.process import Building
from tests.pages.conftest import run_app, texts


def test_the_page_tells_how_far_the_index_is(monkeypatch):
    """Nobody can do anything there; it says what is being built, how far it is, and that nothing is lost."""
    begun = Building(share=0.4, started=monotonic() - 75)
    monkeypatch.setattr(process, "building", lambda _timeout_s=0.0: begun)
    page = run_app()
    assert not page.exception
    assert [each.value for each in page.header] == ["Optimus is getting ready"]
    assert not [*page.button, *page.text_input]
    assert "Everything you have saved is kept" in texts(page)
    assert "Running for 1 min 15 s" in texts(page)
