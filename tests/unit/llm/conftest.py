import pytest

from optimus.llm_handler import GenerationRequest, GenerationResult
from optimus.llm_handler.gateway import ModelGateway
from tests.fakes.providers import running_provider
from tests.unit.llm.support import NOW, Ending, bare_settings, ended


@pytest.fixture
def fake():
    """Run a model server of our own."""
    with running_provider() as server:
        yield server


@pytest.fixture(scope="session")
def gateway():
    """One gateway for all tests: building the provider libraries takes seconds."""
    shared = ModelGateway(settings=bare_settings(), clock=lambda: NOW)
    yield shared
    shared.close()


@pytest.fixture
def answer(gateway):
    """Write one answer to its end and return its result."""

    def run(request: GenerationRequest) -> GenerationResult:
        return ended(gateway.start(request, Ending()))

    return run
