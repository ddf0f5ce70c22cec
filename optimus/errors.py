"""Every error that Optimus raises on purpose, in one tree: what each means stands with it.

    OptimusError
    ├── ConfigurationError, InvalidInputError, LimitReachedError, EmbeddingError
    ├── StoreError     the store did not do what was asked
    ├── AuthError      who acts is not known, or may not
    └── ProviderError  a model gave no whole answer

`user_message` is for the screen; `str(error)` is for the log and holds no personal text.
`retryable` says whether the same call may succeed later.
"""

from datetime import datetime


class OptimusError(Exception):
    """Root of the tree; `user_message` may be given for the one case at hand."""

    user_message = "Something went wrong. Nothing that was saved is lost."
    retryable = False

    def __init__(self, detail: str = "", *, user_message: str | None = None) -> None:
        super().__init__(detail or type(self).__name__)
        if user_message is not None:
            self.user_message = user_message


class ConfigurationError(OptimusError):
    """A setting is missing, weak or contradictory; the message says what to do."""

    user_message = "Optimus is not configured correctly. The server's terminal says what to change."

    def __init__(self, detail: str = "", *, user_message: str | None = None) -> None:
        super().__init__(detail, user_message=user_message or detail or None)


class BackupError(ConfigurationError):
    """A backup cannot be made, read or restored; the message says why and what to do."""


class InvalidInputError(OptimusError):
    """What the person typed cannot be taken as it is."""

    user_message = "That cannot be used as it is. Please change it and try again."


class LimitReachedError(OptimusError):
    """A limit that an admin set is used up; the message says how it ends, `until` when where time ends it."""

    user_message = "You have reached the limit that is set for your account."
    until: datetime | None = None


class StoreError(OptimusError):
    """The store could not do what was asked."""

    user_message = "The memory store could not do that. Nothing was changed."


class StoreLockedError(StoreError):
    """Another process holds the data folder."""

    user_message = "Another Optimus already uses this data folder. Stop it, or set OPTIMUS_DATA_DIR to another folder."


class StoreUnavailableError(StoreError):
    """The store does not answer at present."""

    user_message = "The memory store does not answer at the moment. Please try again."
    retryable = True


class StoreDeniedError(StoreError):
    """The server refuses our key."""

    user_message = "The memory store refuses the key that Optimus has for it. OPTIMUS_QDRANT_API_KEY has to be changed."


class StoreBrokenError(StoreError):
    """A collection is damaged and refuses writes until it is repaired."""

    user_message = (
        "Part of the memory store is damaged, so nothing more is written to it. "
        "Run `python -m optimus doctor` on the server."
    )


class StoreFullError(StoreError):
    """Too little space is left on the disk: nothing new is written until there is more, and reads go on."""

    user_message = "The server's disk is nearly full: nothing new can be saved until there is room. Reading goes on."
    retryable = True


class StoreRejectedError(StoreError):
    """A record breaks the store's limits; nothing was written."""

    user_message = "That is more than can be stored in one record. Nothing was saved."


class TenancyError(StoreError):
    """A call reached owned data without its owner; always a defect, never shown in detail."""

    user_message = "That is not available."


class ForeignRecordError(TenancyError):
    """The engine gave out a record of another owner than it was asked for; nothing of the answer is passed on."""

    def __init__(self, wanted: str) -> None:
        """Take whose records were asked for."""
        super().__init__("the engine returned a record of another owner")
        self.wanted = wanted


class SealError(StoreError):
    """A sealed field cannot be opened: wrong key, or the record was changed from outside."""

    user_message = "A stored record cannot be decrypted with the present keys."


class ConflictError(StoreError):
    """The record changed between reading and writing it."""

    user_message = "This was changed somewhere else in the meantime. Look at it again and repeat your change."
    retryable = True


class AlreadyExistsError(StoreError):
    """A unique name is taken."""

    user_message = "That name is already taken."


class NotFoundError(StoreError):
    """Missing, or of another owner: the two are not told apart."""

    user_message = "That was not found. It may have been deleted."


class AuthError(OptimusError):
    """Signing in, setting up or permission failed."""

    user_message = "You are not signed in."


class InvalidCredentialsError(AuthError):
    """Unknown user, wrong password, locked account: one text for all."""

    user_message = "The username or the password is not right."


class TooManyAttemptsError(AuthError):
    """The limiter refuses for `retry_after_s` seconds; `way_out` is what else may be done, as `restart the server`."""

    retryable = True

    def __init__(self, detail: str = "", *, retry_after_s: int, way_out: str = "") -> None:
        minutes = max(1, -(-retry_after_s // 60))
        unit = "minute" if minutes == 1 else "minutes"
        sentence = f"Too many failed tries. Please wait {minutes} {unit} and try again"
        super().__init__(detail, user_message=f"{sentence}, or {way_out}." if way_out else f"{sentence}.")
        self.retry_after_s = retry_after_s


class SignInBusyError(AuthError):
    """Too many people sign in at once; the try was not counted as a failure."""

    user_message = "Too many people are signing in at this moment. Please try again in a few seconds."
    retryable = True


class CaptchaError(AuthError):
    """The check question is missing, wrong, expired or used up."""

    user_message = "Please answer the new check question, or wait and try again without it."


class PasswordRejectedError(AuthError):
    """The new password is too short or too common; the message names the reason."""

    user_message = "Please choose a longer or less common password."


class SetupError(AuthError):
    """Wrong set-up code, or the set-up is over."""

    user_message = "That set-up code is not right. The server's terminal shows the current one."


class SessionEndedError(AuthError):
    """Signed out, revoked or expired."""

    user_message = "Your session has ended. Please sign in again."


class PermissionDeniedError(AuthError):
    """The role does not allow it."""

    user_message = "Your account is not allowed to do that."


class EmbeddingError(OptimusError):
    """Text cannot be turned into vectors."""

    user_message = "The search model could not be used. Run `python -m optimus doctor` on the server."


class ProviderError(OptimusError):
    """A language model did not give a whole answer."""

    user_message = "The model could not answer. Your message is kept; try again or choose another model."
    retryable = True
    retry_after_s: float | None = None
    """How long the provider asks to wait; None where it does not say."""
    is_transient: bool = False
    """Whether the same call may work in a moment."""


class ProviderKeyError(ProviderError):
    """The key is missing, wrong or without the right."""

    user_message = "The provider refused the API key. Check the key under “Connect a model”."
    retryable = False


class ProviderUnreachableError(ProviderError):
    """Refused, DNS or TLS."""

    user_message = "The model's server cannot be reached. Check its address and that it is running."


class ProviderPathError(ProviderError):
    """A server answers at the address, but not with a model interface."""

    user_message = "A server answers there, but not with a model interface. Check the path: most addresses end in /v1."
    retryable = False


class ProviderTimeoutError(ProviderError):
    """No answer in time."""

    user_message = "The model took too long to answer. Your message is kept; try again."


class ProviderRateLimitError(ProviderError):
    """Too many requests, or the quota is used up."""

    user_message = "The provider says: too many requests, or the quota is used up. Wait, or choose another model."


class ProviderBusyError(ProviderError):
    """Overloaded or failing on its side."""

    user_message = "The provider has a problem on its side. Try again in a moment or choose another model."


class ProviderResponseError(ProviderError):
    """Cut off or unreadable."""

    user_message = "The answer was cut off. What arrived is kept; try again for a whole answer."


class ProviderRejectedError(ProviderError):
    """Refused as it is: too long, filtered or not supported; the same request fails again."""

    user_message = "The model refuses this request as it is. Shorten it, or choose another model."
    retryable = False


class ModelNotFoundError(ProviderError):
    """The provider does not offer this model."""

    user_message = "The provider does not offer this model to your key. Choose another model."
    retryable = False


class GenerationBusyError(ProviderError):
    """An answer is already being written in this conversation."""

    user_message = "An answer is still being written. Wait for it, or press Stop first."
