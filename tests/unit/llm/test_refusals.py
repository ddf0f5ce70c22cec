"""What each provider's refusal means, told from the words in its own form: key, rights, credit or country."""

import json

import pytest

from optimus.errors import ProviderKeyError, ProviderRateLimitError, ProviderRejectedError
from optimus.llm_handler.refusals import MAX_CHARS, refusal
from optimus.models import MessageState
from tests.fakes.providers import Fault, FaultKind
from tests.unit.llm.support import Ending, ended, make_request
from tests.unit.llm.test_connections import creds

KEY = (ProviderKeyError, "refused the API key")
RIGHTS = (ProviderKeyError, "does not let it")
CREDIT = (ProviderRateLimitError, "credit is used up")
COUNTRY = (ProviderRejectedError, "country of this server")
BODIES = {
    "openai key": (401, {"error": {"message": "Incorrect API key provided.", "code": "invalid_api_key"}}, KEY),
    "openai country": (403, {"error": {"code": "unsupported_country_region_territory"}}, COUNTRY),
    "openai scope": (403, {"error": {"message": "You have insufficient permissions. Missing scopes: x"}}, RIGHTS),
    "openai credit": (403, {"error": {"code": "insufficient_quota"}}, CREDIT),
    "anthropic key": (401, {"error": {"type": "authentication_error", "message": "invalid x-api-key"}}, KEY),
    "anthropic credit": (400, {"error": {"message": "Your credit balance is too low to access the API."}}, CREDIT),
    "anthropic rights": (403, {"error": {"type": "permission_error"}}, RIGHTS),
    "google key": (400, {"error": {"status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}}, KEY),
    "google country": (400, {"error": {"message": "User location is not supported for the API use."}}, COUNTRY),
    "google off": (403, {"error": {"details": [{"reason": "SERVICE_DISABLED"}]}}, RIGHTS),
    "mistral credit": (402, {"message": "x"}, CREDIT),
    "xai key": (400, {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: x"}, KEY),
    "xai credit": (
        403,
        {"code": "The caller does not have permission", "error": "Without any credits"},
        CREDIT,
    ),
    "together credit": (402, {"error": {"type": "credit_limit"}}, CREDIT),
}


@pytest.mark.parametrize("case", BODIES)
def test_the_words_of_a_refusal_count(case):
    """The error is of its kind, its sentence helps, and it holds nothing that the provider wrote."""
    status, body, (error, sentence) = BODIES[case]
    found = refusal(status, json.dumps(body), "detail")
    assert type(found) is error
    assert sentence in found.user_message
    assert str(found) == "detail"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, "This prompt is too long"),
        (429, "insufficient_quota"),
        (500, "incorrect api key"),
        (404, ""),
        (400, "x" * MAX_CHARS + "incorrect api key"),
    ],
)
def test_other_answers_are_left_to_their_status(status, body):
    """Where the body says nothing of these, or the status speaks for itself, nothing is told."""
    assert refusal(status, body, "detail") is None


def test_a_wrong_key_is_named_whatever_its_status(gateway, fake):
    """A provider that answers a wrong key with 400 is understood by the test of a key, and in the chat."""
    wrong = Fault(kind=FaultKind.STATUS, status=400, message="Incorrect API key provided: xa***ab.")
    fake.faults.extend([wrong, wrong])
    tested = gateway.test("xai", creds(f"{fake.url}/v1"))
    assert not tested.ok
    assert "refused the API key" in tested.message
    result = ended(gateway.start(make_request(f"{fake.url}/v1"), Ending()))
    assert result.state is MessageState.FAILED
    assert "refused the API key" in (result.error or "")
