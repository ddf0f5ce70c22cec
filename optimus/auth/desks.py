"""The parts that signing in is made of, put together: who keeps what, and who asks whom."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass

from optimus.auth.accounts import AccountDesk
from optimus.auth.captcha import CaptchaDesk
from optimus.auth.departure import DepartureDesk
from optimus.auth.first_password import FirstPasswordDesk
from optimus.auth.fresh import FreshProof
from optimus.auth.hashing import PasswordHasher
from optimus.auth.limits import AttemptLimiter
from optimus.auth.password_change import PasswordChangeDesk
from optimus.auth.registration import RegistrationDesk
from optimus.auth.sessions import LIFETIMES, SessionDesk
from optimus.auth.setup import SetupDesk
from optimus.auth.tokens import TokenSigner
from optimus.keys import Keys
from optimus.models import Clock
from optimus.settings import Settings
from optimus.storage.accounts import AccountRepository
from optimus.storage.audit import AuditLog


@dataclass(frozen=True, slots=True, kw_only=True)
class Desks:
    """Everything that `AuthService` acts through."""

    hasher: PasswordHasher
    limiter: AttemptLimiter
    captchas: CaptchaDesk
    sessions: SessionDesk
    setup: SetupDesk
    changes: PasswordChangeDesk
    first_passwords: FirstPasswordDesk
    proof: FreshProof
    people: AccountDesk
    registration: RegistrationDesk
    departures: DepartureDesk


def open_desks(
    *,
    accounts: AccountRepository,
    keys: Keys,
    settings: Settings,
    clock: Clock,
    password_cost: int,
    audit: AuditLog,
    is_registration_open: Callable[[], bool],
) -> Desks:
    """Put the parts together over one repository, one hasher and one limiter."""
    hasher = PasswordHasher(pepper=keys.pepper, former=keys.pepper_old, cost=password_cost)
    limiter = AttemptLimiter(accounts=accounts, key=_derived(keys, b"limits"), clock=clock)
    captchas = CaptchaDesk(accounts=accounts, key=_derived(keys, b"check questions"), clock=clock)
    sessions = _sessions(accounts, keys, settings, clock)
    code = settings.setup_code.get_secret_value() if settings.setup_code else None
    changes = PasswordChangeDesk(accounts=accounts, hasher=hasher, limiter=limiter, clock=clock)
    first_passwords = FirstPasswordDesk(accounts=accounts, hasher=hasher, clock=clock)
    proof = FreshProof(accounts=accounts, passwords=changes, limiter=limiter, clock=clock, audit=audit)
    people = AccountDesk(
        accounts=accounts, sessions=sessions, codes=first_passwords, proof=proof, clock=clock, audit=audit
    )
    return Desks(
        hasher=hasher,
        limiter=limiter,
        captchas=captchas,
        sessions=sessions,
        setup=SetupDesk(
            accounts=accounts, hasher=hasher, limiter=limiter, configured_code=code, clock=clock, audit=audit
        ),
        changes=changes,
        first_passwords=first_passwords,
        proof=proof,
        people=people,
        registration=RegistrationDesk(
            accounts=accounts,
            hasher=hasher,
            limiter=limiter,
            captchas=captchas,
            is_open=is_registration_open,
            clock=clock,
            audit=audit,
        ),
        departures=DepartureDesk(accounts=accounts, people=people, changes=changes, limiter=limiter),
    )


def _sessions(accounts: AccountRepository, keys: Keys, settings: Settings, clock: Clock) -> SessionDesk:
    return SessionDesk(
        accounts=accounts,
        signer=TokenSigner(key=keys.jwt, former=keys.jwt_old, clock=clock),
        lifetimes=LIFETIMES[settings.session_profile],
        max_sessions=settings.max_sessions,
        clock=clock,
    )


def _derived(keys: Keys, purpose: bytes) -> bytes:
    return hmac.digest(keys.pepper, b"optimus " + purpose, "sha256")
