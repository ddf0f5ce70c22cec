"""The check question after failed tries: friction for simple programs, not a barrier.

Whoever cannot or will not answer waits a minute instead (WCAG 2.2, success criterion 3.3.8).
"""

from __future__ import annotations

import hmac
import secrets
import threading
import unicodedata
from collections import OrderedDict
from datetime import datetime, timedelta

from optimus.errors import CaptchaError
from optimus.models import Clock, Value, is_uuid, new_id
from optimus.storage.accounts import AccountRepository
from optimus.storage.records import CaptchaRecord

LIFETIME = timedelta(minutes=5)

_MAX_OPEN = 10_000
_MAX_ANSWER_CHARS = 20


class CaptchaChallenge(Value):
    """A question to be asked; it can be answered once."""

    id: str
    question: str
    expires_at: datetime


class CaptchaAnswer(Value):
    """What was answered to the challenge `id`."""

    id: str
    answer: str


class CaptchaDesk:
    """Asks and checks. The stored record decides; this process only remembers which question stands open for whom."""

    def __init__(self, *, accounts: AccountRepository, key: bytes, clock: Clock) -> None:
        self._accounts = accounts
        self._key = key
        self._clock = clock
        self._open: OrderedDict[str, CaptchaChallenge] = OrderedDict()
        self._lock = threading.Lock()

    def ask(self, subject: str) -> CaptchaChallenge:
        """Return the open question of `subject` (a limiter's key): the same one until it is answered or expires."""
        with self._lock:
            challenge = self._open.get(subject)
            if challenge and challenge.expires_at > self._clock():
                return challenge
            challenge = self._new(subject)
            self._open[subject] = challenge
            self._open.move_to_end(subject)
            if len(self._open) > _MAX_OPEN:
                self._open.popitem(last=False)
            return challenge

    def check(self, given: CaptchaAnswer | None, subject: str) -> None:
        """Use the question up, whatever the answer is.

        Raises:
            CaptchaError: no answer, a wrong one, or one to a question that is used, expired or somebody else's.
        """
        if given is None:
            raise CaptchaError("no answer")
        with self._lock:
            if subject in self._open and self._open[subject].id == given.id:
                del self._open[subject]
        record = self._accounts.take_captcha(given.id) if is_uuid(given.id) else None
        if record is None or record.key != subject or record.expires_at <= self._clock():
            raise CaptchaError("the question is unknown, used or expired")
        if not hmac.compare_digest(record.answer_hash, self._hash(record.id, given.answer)):
            raise CaptchaError("the answer is wrong")

    def _new(self, subject: str) -> CaptchaChallenge:
        first, second = 2 + secrets.randbelow(18), 2 + secrets.randbelow(8)
        question, answer = secrets.choice(
            (
                (f"What is {first} plus {second}?", first + second),
                (f"What is {first + second} minus {second}?", first),
                (f"What is {first} times {second}?", first * second),
            )
        )
        challenge = CaptchaChallenge(id=new_id(), question=question, expires_at=self._clock() + LIFETIME)
        self._accounts.put_captcha(
            CaptchaRecord(
                id=challenge.id,
                answer_hash=self._hash(challenge.id, str(answer)),
                key=subject,
                expires_at=challenge.expires_at,
            )
        )
        return challenge

    def _hash(self, challenge_id: str, answer: str) -> str:
        plain = unicodedata.normalize("NFKC", answer[:_MAX_ANSWER_CHARS]).strip()
        number = str(int(plain)) if plain.isdecimal() else plain
        text = f"{challenge_id}\x1f{number}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, text, "sha256").hex()
