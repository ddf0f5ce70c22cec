import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from optimus.auth.tokens import AUDIENCE, ISSUER, LEEWAY, TYPE, TokenSigner
from optimus.errors import ConfigurationError
from optimus.models import SessionId, UserId, new_id, stable_id

Changes = dict[str, Any]
"""What differs from a good header or payload; an ellipsis leaves the entry out."""

KEY = b"k" * 32
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
USER, SESSION = UserId(stable_id("user")), SessionId(stable_id("session"))
HEADER: Changes = {"alg": "HS256", "typ": TYPE}
CLAIMS: Changes = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": USER,
    "jti": SESSION,
    "iat": SECONDS,
    "nbf": SECONDS,
    "exp": SECONDS + 3600,
}
SIGNER = TokenSigner(key=KEY, clock=lambda: NOW)


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _plain(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _signed(header: bytes, payload: bytes, key: bytes = KEY, digest: str = "sha256") -> str:
    """Sign any bytes, also ones that no library would make."""
    text = f"{_base64(header)}.{_base64(payload)}"
    return f"{text}.{_base64(hmac.digest(key, text.encode(), digest))}"


def _token(header: Changes | None = None, claims: Changes | None = None, **rest: Any) -> str:
    merged_header = {name: value for name, value in (HEADER | (header or {})).items() if value is not ...}
    merged_claims = {name: value for name, value in (CLAIMS | (claims or {})).items() if value is not ...}
    return _signed(_plain(merged_header), _plain(merged_claims), **rest)


def _rsa_tokens() -> dict[str, str]:
    private = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return {
        "signed with a private key": jwt.encode(CLAIMS, private, "RS256", headers={"typ": TYPE}),
        "signed with the public key as a secret": _token(key=public),
    }


HEADER_CHANGES: tuple[Changes, ...] = (
    {"alg": "HS384"},
    {"alg": "HS512"},
    {"typ": "JWT"},
    {"typ": "at+jwt"},
    {"typ": ...},
    {"typ": 7},
    {"crit": ["exp"], "exp": 1},
    {"crit": []},
    {"b64": False, "crit": ["b64"]},
    {"kid": "../../dev/null"},
    {"jku": "https://evil.example/keys"},
    {"jwk": {"kty": "oct", "k": _base64(KEY)}},
    {"x5u": "https://evil.example/cert"},
    {"cty": "JWT"},
    {"zip": "DEF"},
)
CLAIM_CHANGES: tuple[Changes, ...] = (
    *({name: ...} for name in CLAIMS),
    *({name: None} for name in CLAIMS),
    {"exp": True},
    {"exp": float(SECONDS + 3600)},
    {"exp": str(SECONDS + 3600)},
    {"exp": [SECONDS + 3600]},
    {"exp": 1 << 80},
    {"exp": -1},
    {"exp": SECONDS - 31},
    {"exp": 0},
    {"iat": str(SECONDS)},
    {"iat": SECONDS + 31, "nbf": SECONDS + 31},
    {"nbf": SECONDS + 3_000},
    {"nbf": SECONDS - 1},
    {"nbf": True},
    {"iss": "another"},
    {"iss": [ISSUER]},
    {"aud": "another"},
    {"aud": [AUDIENCE]},
    {"aud": [AUDIENCE, "another"]},
    {"sub": "*"},
    {"sub": ""},
    {"sub": 7},
    {"sub": USER.upper()},
    {"jti": "x"},
    {"jti": {"$ne": ""}},
    {"role": "admin"},
)


def _unsigned(good: str) -> dict[str, str]:
    _, body, signature = good.split(".")
    return {
        f"algorithm {name!r}, {label} signature": f"{_base64(_plain(HEADER | {'alg': name}))}.{body}.{kept}"
        for name in ("none", "None", "nOnE", "NONE", "", None, "HS256 ", "hs256")
        for label, kept in (("no", ""), ("the old", signature))
    }


def _wrongly_signed(good: str) -> dict[str, str]:
    head, body, signature = good.split(".")
    return {
        "signature of another key": _token(key=b"x" * 32),
        "signature of an empty key": _token(key=b""),
        "signature cut off": good[:-4],
        "signature empty": f"{head}.{body}.",
        "signature missing": f"{head}.{body}",
        "signature padded": good + "=",
        "signature of another digest": _token(digest="sha512"),
        "hash instead of HMAC": f"{head}.{body}.{_base64(hashlib.sha256(KEY + body.encode()).digest())}",
        "payload swapped": f"{head}.{_base64(_plain(CLAIMS | {'sub': new_id()}))}.{signature}",
    }


def _oddly_written(good: str) -> dict[str, str]:
    return {
        "doubled claim": _signed(_plain(HEADER), _plain(CLAIMS)[:-1] + f',"sub":"{new_id()}"}}'.encode()),
        "doubled header": _signed(_plain(HEADER)[:-1] + b',"alg":"HS256"}', _plain(CLAIMS)),
        "spaces in the payload": _signed(_plain(HEADER), json.dumps(CLAIMS).encode()),
        "another order of claims": _signed(_plain(HEADER), json.dumps(CLAIMS, sort_keys=True).encode()),
        "payload a list": _signed(_plain(HEADER), b"[]"),
        "payload no JSON": _signed(_plain(HEADER), b"\xff\xfe"),
        "payload nested deep": _signed(_plain(HEADER), b"[" * 100_000),
        "header a list": _signed(b"[]", _plain(CLAIMS)),
        "header nested deep": _signed(b"[" * 500 + b"]" * 500, _plain(CLAIMS)),
        "token in a token": _signed(_plain(HEADER | {"cty": "JWT"}), good.encode()),
    }


def _oddly_shaped(good: str) -> dict[str, str]:
    return {
        "a fourth part": good + ".e30",
        "five parts": ".".join(["e30"] * 5),
        "outer space": f" {good} ",
        "line break": good + "\n",
        "NUL": good + "\x00",
        "other letters": good.replace("e", "\u0435"),
        "lone surrogate": good + "\ud800",
        "only dots": "..",
        "nothing": "",
        "a megabyte": "e" * 1_000_000,
        "standard alphabet": good.replace("-", "+").replace("_", "/") + "==",
    }


def _corpus() -> dict[str, str]:
    good = _token()
    headers = {f"header {changes}": _token(changes) for changes in HEADER_CHANGES}
    claims = {f"claims {changes}": _token(None, changes) for changes in CLAIM_CHANGES}
    forged = _unsigned(good) | _wrongly_signed(good) | _oddly_written(good) | _oddly_shaped(good)
    return headers | claims | forged | _rsa_tokens()


CORPUS = _corpus()


def test_the_corpus_is_large_and_its_pattern_is_good():
    """The forgeries differ from a token that is accepted, so each is refused for its own fault."""
    assert len(CORPUS) >= 60
    assert SIGNER.read(_token()) is not None
    assert _token() not in CORPUS.values()


@pytest.mark.parametrize("name", CORPUS)
def test_no_forged_token_is_accepted(name):
    """Each forgery is refused without an exception."""
    assert SIGNER.read(CORPUS[name]) is None


def test_a_signed_token_reads_back():
    """The token names the session and the user, and carries a type of its own."""
    token = SIGNER.sign(session_id=SESSION, user_id=USER, expires_at=NOW + timedelta(hours=1))
    claims = SIGNER.read(token)
    assert claims is not None
    assert (claims.session_id, claims.user_id) == (SESSION, USER)
    assert (claims.issued_at, claims.expires_at) == (SECONDS, SECONDS + 3600)
    assert jwt.get_unverified_header(token) == HEADER
    assert token == _token()
    assert len(token) < 1_024


@pytest.mark.parametrize(
    ("passed", "accepted"),
    [
        (timedelta(), True),
        (timedelta(hours=1) + LEEWAY - timedelta(seconds=1), True),
        (timedelta(hours=1) + LEEWAY, False),
        (-LEEWAY, True),
        (-LEEWAY - timedelta(seconds=1), False),
    ],
)
def test_times_follow_the_given_clock(passed, accepted):
    """Validity is judged by the injected clock, with at most 30 seconds of leeway on either side."""
    token = _token()
    assert (TokenSigner(key=KEY, clock=lambda: NOW + passed).read(token) is not None) is accepted
    assert timedelta(seconds=30) >= LEEWAY


@pytest.mark.parametrize("size", [0, 5, 31])
def test_short_keys_are_refused(size):
    """Less than 32 bytes of key stops the start."""
    with pytest.raises(ConfigurationError):
        TokenSigner(key=b"k" * size, clock=lambda: NOW)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_refused_quietly(text):
    """What a cookie may hold never raises."""
    assert SIGNER.read(text) is None
    assert SIGNER.read(f"{text}.{text}.{text}") is None
