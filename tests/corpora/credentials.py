"""Credentials in the shapes in which providers hand them out, made up at run time: none of them opens anything."""

from __future__ import annotations

import base64
import json
import string
from collections.abc import Callable
from random import Random

Make = Callable[[Random], str]

ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
UPPER = string.ascii_uppercase + string.digits
URL_SAFE = ALNUM + "-_"
BASE64 = ALNUM + "+/"


def drawn(rng: Random, alphabet: str, length: int) -> str:
    """Return a random string that has letters and digits wherever the alphabet has both."""
    wanted = [kind for kind in (str.isdigit, str.isalpha) if length >= 8 and any(map(kind, alphabet))]
    while True:
        text = "".join(rng.choices(alphabet, k=length))
        if all(any(map(kind, text)) for kind in wanted):
            return text


def shaped(*parts: str | tuple[str, int]) -> Make:
    """Return a maker of credentials: fixed parts as they are, and (alphabet, length) drawn."""
    return lambda rng: "".join(p if isinstance(p, str) else drawn(rng, *p) for p in parts)


def jwt(rng: Random) -> str:
    """Return a signed token: header, claims and signature."""

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).rstrip(b"=").decode()

    header = part({"alg": rng.choice(["HS256", "RS256", "ES256"]), "typ": "JWT"})
    claims = part({"sub": drawn(rng, HEX, 12), "iat": rng.randrange(1_600_000_000, 1_800_000_000)})
    return f"{header}.{claims}.{drawn(rng, URL_SAFE, rng.choice([43, 86]))}"


UNMISTAKABLE: dict[str, Make] = {
    "openai": shaped("sk-", (ALNUM, 20), "T3Blbk", "FJ", (ALNUM, 20)),
    "openai project": shaped("sk-", "proj-", (URL_SAFE, 74), "T3Blbk", "FJ", (URL_SAFE, 74)),
    "openai service": shaped("sk-", "svcacct-", (URL_SAFE, 60)),
    "anthropic": shaped("sk-", "ant-api03-", (URL_SAFE, 93), "AA"),
    "openrouter": shaped("sk-", "or-v1-", (HEX, 64)),
    "deepseek": shaped("sk-", (HEX, 32)),
    "elevenlabs": shaped("sk", "_", (HEX, 48)),
    "google": shaped("AI", "za", (URL_SAFE, 35)),
    "google client": shaped("GOC", "SPX-", (URL_SAFE, 28)),
    "google access": shaped("ya", "29.a0", (URL_SAFE, 120)),
    "google refresh": shaped("1/", "/0", (URL_SAFE, 60)),
    "groq": shaped("gs", "k_", (ALNUM, 52)),
    "xai": shaped("xa", "i-", (ALNUM, 80)),
    "perplexity": shaped("pp", "lx-", (ALNUM, 48)),
    "hugging face": shaped("h", "f_", (ALNUM, 34)),
    "replicate": shaped("r", "8_", (ALNUM, 37)),
    "pinecone": shaped("pc", "sk_", (ALNUM, 6), "_", (ALNUM, 60)),
    "aws id": shaped("AK", "IA", (BASE32, 16)),
    "aws temporary": shaped("AS", "IA", (BASE32, 16)),
    "azure client": shaped((ALNUM, 3), "8", "Q~", (URL_SAFE, 34)),
    "github": shaped("gh", "p_", (ALNUM, 36)),
    "github oauth": shaped("gh", "o_", (ALNUM, 36)),
    "github server": shaped("gh", "s_", (ALNUM, 36)),
    "github fine": shaped("github", "_pat_", (ALNUM, 22), "_", (ALNUM, 59)),
    "gitlab": shaped("gl", "pat-", (URL_SAFE, 20)),
    "gitlab runner": shaped("gl", "rt-", (URL_SAFE, 20)),
    "stripe": shaped("sk", "_live_", (ALNUM, 24)),
    "stripe long": shaped("sk", "_live_", (ALNUM, 99)),
    "stripe test": shaped("sk", "_test_", (ALNUM, 24)),
    "stripe restricted": shaped("rk", "_live_", (ALNUM, 24)),
    "stripe webhook": shaped("wh", "sec_", (ALNUM, 32)),
    "slack bot": shaped("xo", "xb-", (string.digits, 11), "-", (string.digits, 12), "-", (ALNUM, 24)),
    "slack user": shaped("xo", "xp-", (string.digits, 11), "-", (string.digits, 12), "-", (HEX, 32)),
    "slack app": shaped("xa", "pp-1-A", (UPPER, 10), "-", (string.digits, 13), "-", (HEX, 64)),
    "slack hook": shaped("https://hooks.slack", ".com/services/T", (UPPER, 8), "/B", (UPPER, 10), "/", (ALNUM, 24)),
    "discord": shaped("M", (ALNUM, 23), ".", (ALNUM, 6), ".", (URL_SAFE, 27)),
    "telegram": shaped((string.digits, 10), ":AA", (URL_SAFE, 33)),
    "twilio": shaped("S", "K", (HEX, 32)),
    "sendgrid": shaped("S", "G.", (URL_SAFE, 22), ".", (URL_SAFE, 43)),
    "mailgun": shaped("ke", "y-", (HEX, 32)),
    "mailchimp": shaped((HEX, 32), "-us", "12"),
    "npm": shaped("np", "m_", (ALNUM, 36)),
    "pypi": shaped("py", "pi-AgEIcHlwaS5vcmc", (URL_SAFE, 120)),
    "digitalocean": shaped("do", "p_v1_", (HEX, 64)),
    "shopify": shaped("shp", "at_", (HEX, 32)),
    "square": shaped("sq", "0atp-", (URL_SAFE, 22)),
    "databricks": shaped("da", "pi", (HEX, 32)),
    "atlassian": shaped("AT", "ATT3xFfGF0", (URL_SAFE, 170), "=", (UPPER, 8)),
    "linear": shaped("lin", "_api_", (ALNUM, 40)),
    "notion": shaped("nt", "n_", (ALNUM, 46)),
    "notion old": shaped("sec", "ret_", (ALNUM, 43)),
    "airtable": shaped("pa", "t", (ALNUM, 14), ".", (HEX, 64)),
    "vault": shaped("hv", "s.", (URL_SAFE, 92)),
    "doppler": shaped("dp", ".pt.", (ALNUM, 43)),
    "new relic": shaped("NR", "AK-", (UPPER, 27)),
    "grafana": shaped("gl", "sa_", (ALNUM, 32), "_", (HEX, 8)),
    "supabase": shaped("sb", "p_", (HEX, 40)),
    "netlify": shaped("nf", "p_", (ALNUM, 40)),
    "tailscale": shaped("ts", "key-auth-", (ALNUM, 14), "-", (ALNUM, 32)),
    "age": shaped("AGE-", "SECRET-KEY-1", (UPPER, 58)),
    "postman": shaped("PM", "AK-", (HEX, 24), "-", (HEX, 34)),
    "docker": shaped("dckr", "_pat_", (URL_SAFE, 27)),
    "rubygems": shaped("ruby", "gems_", (HEX, 48)),
    "terraform": shaped((ALNUM, 14), ".atlas", "v1.", (URL_SAFE, 67)),
    "figma": shaped("fig", "d_", (URL_SAFE, 40)),
    "facebook": shaped("EA", "A", (ALNUM, 150)),
    "jwt": jwt,
}
"""What is known for a credential by its looks alone, in any surroundings."""

NAMELESS: dict[str, Make] = {
    "aws": shaped((BASE64, 40)),
    "mistral": shaped((ALNUM, 32)),
    "together": shaped((HEX, 64)),
    "cohere": shaped((ALNUM, 40)),
    "azure": shaped((HEX, 32)),
    "azure storage": shaped((BASE64, 86), "=="),
    "datadog": shaped((HEX, 32)),
    "cloudflare": shaped((URL_SAFE, 40)),
    "vercel": shaped((ALNUM, 24)),
    "twilio": shaped((HEX, 32)),
    "heroku": shaped((HEX, 8), "-", (HEX, 4), "-4", (HEX, 3), "-a", (HEX, 3), "-", (HEX, 12)),
    "okta": shaped("00", (URL_SAFE, 40)),
    "maps": shaped((ALNUM, 20)),
}
"""What could be anything, and is known for a credential by what is said about it."""

PEM_KINDS = ("RSA ", "EC ", "OPENSSH ", "DSA ", "ENCRYPTED ", "")


def pem(rng: Random, kind: str, lines: int, *, newline: str = "\n", is_whole: bool = True) -> tuple[str, list[str]]:
    """Return a private key in its armour, and its lines; one that is not whole was cut while it was copied."""
    body = [drawn(rng, BASE64, 64) for _ in range(lines)]
    end = [f"-----END {kind}PRIVATE KEY-----"] if is_whole else []
    return newline.join([f"-----BEGIN {kind}PRIVATE KEY-----", *body, *end]), body


def pgp(rng: Random) -> tuple[str, list[str]]:
    """Return an armoured PGP key, and its lines."""
    body = [drawn(rng, BASE64, 64) for _ in range(8)]
    block = "PGP PRIVATE KEY BLOCK-----"
    return "\n".join([f"-----BEGIN {block}", "", *body, "=" + drawn(rng, BASE64, 4), f"-----END {block}"]), body


CARDS = {
    "visa": (("4",), (4, 4, 4, 4)),
    "mastercard": (("51", "52", "53", "54", "55", "2221", "2720"), (4, 4, 4, 4)),
    "amex": (("34", "37"), (4, 6, 5)),
    "discover": (("6011", "65"), (4, 4, 4, 4)),
    "jcb": (("3528", "3589"), (4, 4, 4, 4)),
    "diners": (("36", "38", "300"), (4, 6, 4)),
    "maestro": (("5018", "6304"), (4, 4, 4, 4)),
    "unionpay": (("62",), (4, 4, 4, 4, 3)),
}
"""Brands: how their numbers begin, and in which groups they are printed."""


def luhn_digit(digits: str) -> str:
    """Return the digit that makes `digits` valid by ISO/IEC 7812-1, annex B."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return str(-total % 10)


def card(rng: Random, brand: str, separator: str) -> str:
    """Return a card number that is valid by its check digit, in its brand's groups."""
    starts, groups = CARDS[brand]
    start = rng.choice(starts)
    digits = start + "".join(rng.choices(string.digits, k=sum(groups) - len(start) - 1))
    digits += luhn_digit(digits)
    parts, place = [], 0
    for size in groups:
        parts.append(digits[place : place + size])
        place += size
    return separator.join(parts)
