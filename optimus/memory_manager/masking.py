"""Take secrets out of text before it is embedded or stored.

A credential in memory would be repeated to every model that is given the memory, so none is kept: not in an
episode, not in a derived memory, not in a vector. What is masked is never brought back.
"""

from __future__ import annotations

import math
import re
from collections import Counter

MASK = "[masked secret]"

_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----.*?(?:-----END [A-Z0-9 ]*-----|\Z)", re.DOTALL)
_JWT = re.compile(r"\beyJ[\w-]{6,}\.[\w-]{6,}\.?[\w-]*")
# Prefixes as their issuers document them: secret scanners can name a key by them alone.
_ISSUED = re.compile(
    r"\b(?:sk|pk|rk)[-_](?:live|test|ant|proj|or|svcacct|lf)[-_][\w-]{8,}"
    r"|\b(?:sk|gsk|xai|tvly|r8|hf|npm|dop_v1|whsec|shpat|shpss|nvapi|pplx|lsv2|figd|glpat|pypi|ATATT|sq0\w{3})[-_][\w-]{16,}"
    r"|\bgh[opsur]_\w{16,}|\bgithub_pat_\w{16,}|\bxox[abeprs]-[\w-]{10,}|\bxapp-[\w-]{10,}"
    r"|\b(?:AKIA|ASIA|AROA|ABIA|ACCA)[0-9A-Z]{12,}\b|\bAIza[\w-]{30,}|\bya29\.[\w-]{16,}|\bGOCSPX-[\w-]{16,}"
    r"|\bSG\.[\w-]{16,}\.[\w-]{16,}|\bkey-[0-9a-f]{24,}|\b(?:AC|SK)[0-9a-f]{32}\b|\b\d{8,10}:AA[\w-]{30,}"
)
_IN_ADDRESS = re.compile(r"(?<=://)([^\s/:@]*):([^\s@/]+)(?=@)")
_HEADER = re.compile(
    r"(?i)(\bauthorization[\"']?\s*[:=]\s*[\"']?(?:bearer|basic|token)?\s*|\bbearer\s+(?=\S*\d))([^\s\"',;]{8,})"
)
_NAME = (
    r"pass\s?-?words?|pass\s?-?codes?|pass\s?-?phrases?|passwd|pwd|pin(?:\s?-?(?:code|number))?|cvv2?|cvc2?"
    r"|(?:api|access|secret|private|auth|account|encryption|recovery|licen[cs]e)[\s_-]?(?:keys?|tokens?|codes?)"
    r"|client[\s_-]?secret|(?:auth|bearer|refresh|session|bot)[\s_-]?token|seed\s?phrase"
    r"|passwort|kennwort|mot de passe|contraseña|senha|palavra-passe|parola d'ordine|wachtwoord|hasło|пароль"
)
_ASSIGNED = re.compile(
    rf"(?i)(?<![a-z])({_NAME}|secret|token|credentials?)[\"']?\s*(?::=|=>|=|:)\s*[\"'`]?([^\s\"'`,;]{{3,}})"
)
_STATED = re.compile(
    rf"(?i)(?<![a-z])((?:{_NAME})(?:\s+(?:for|of|to|at|on|in)\s+[^.!?\n]{{1,40}}?)?\s+"
    r"(?:is|was|are|will be|ist|lautet|est|es|é|è|to)(?:\s+(?:now|still|just|set to|changed to))?)"
    r"\s*:?\s+([\"'“‘`]?)([^\n]{3,}?)(?=[\"'”’`]?(?:[.!?,;]?\s*$|[.!?;,]\s|\s+(?:and|but|so|please|or)\s|\n))",
    re.MULTILINE,
)
_ORDINARY = re.compile(
    r"(?i)(?:not|no|too|very|quite|so|really|never|always|already|only|being|going|the|an?|in|on|at|my|your|his|her|their"
    r"|our|it|that|this|what|how|where|why|something|to|about|due|for)\b"
    r"|(?:stored|saved|kept|written|hidden|sent|wrong|correct|incorrect|invalid|valid|weak|strong|short|long|old|new|safe"
    r"|secure|expired|required|needed|missing|lost|forgotten|important|encrypted|hashed|different|easy|hard|annoying|fine"
    r"|case-sensitive|good|bad|set|changed|reset|rejected|accepted|broken|compromised|leaked|public|private|unique|here"
    r"|there|working)"
    r"(?=\W*$|\s+(?:and|but|because|for|to|when|if|so|since|again|now|in|on|at|by|with|than|enough|anymore|as|or|until)\b)"
)
_CARD = re.compile(r"(?<![\d.-])(?:\d[ -]?){12,18}\d(?![\d-])")
_OPAQUE = re.compile(r"(?<![\w/+.-])[A-Za-z0-9+/_-]{32,}={0,2}(?![\w/+-])")
_MIN_ENTROPY = 4.0
"""Bits a character: random base64 of 32 characters has more, words joined by dashes less."""


def mask(text: str) -> str:
    """Return the text with every credential-shaped part replaced by `MASK`; other text is unchanged."""
    for pattern in (_PRIVATE_KEY, _JWT, _ISSUED):
        text = pattern.sub(MASK, text)
    text = _IN_ADDRESS.sub(rf"\1:{MASK}", text)
    text = _HEADER.sub(rf"\1{MASK}", text)
    text = _ASSIGNED.sub(_without_value, text)
    text = _STATED.sub(_without_statement, text)
    text = _CARD.sub(lambda found: MASK if _is_card(found.group()) else found.group(), text)
    return _OPAQUE.sub(lambda found: MASK if _is_random(found.group()) else found.group(), text)


def has_secret(text: str) -> bool:
    """Tell whether a part of the text is, or was, a secret."""
    return MASK in text or mask(text) != text


def _without_value(found: re.Match[str]) -> str:
    if found.group(2).startswith(MASK[:7]):
        return found.group()
    return found.group()[: found.start(2) - found.start()] + MASK


def _without_statement(found: re.Match[str]) -> str:
    value = found.group(3)
    if MASK in value or (_ORDINARY.match(value) and not found.group(2)):
        return found.group()
    return f"{found.group(1)} {MASK}"


def _is_card(text: str) -> bool:
    """Tell whether the digits are a payment card's: an issuer's first digit and a right Luhn sum (ISO/IEC 7812-1)."""
    digits = [int(sign) for sign in text if sign.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return digits[0] in {2, 3, 4, 5, 6} and len(set(digits)) > 1 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_random(text: str) -> bool:
    """Tell whether a long word mixes cases and digits as generated keys do; addresses and hex digests do not."""
    kinds = (any(map(str.isupper, text)), any(map(str.islower, text)), any(map(str.isdigit, text)))
    if not all(kinds) or text.count("/") > len(text) // 8:
        return False
    counts = Counter(text).values()
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts) >= _MIN_ENTROPY
