"""A change of the search model: all memories are made searchable anew, in the background, while everybody goes on.

It starts by itself. Until it has ended searches go by words alone, and nothing is gained by waiting for somebody to
allow it; who wants the old model back cancels it, and what was there is still there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from threading import Event, Lock, Thread

from optimus.auth.permissions import Action, authorize
from optimus.branches import leaf, path
from optimus.embedding import Embedder
from optimus.errors import InvalidInputError, OptimusError, StoreError
from optimus.memory_manager.documents import surroundings
from optimus.memory_manager.episodes import NEIGHBOURS, clean, neighbours
from optimus.memory_manager.shelf import episode_id, in_context
from optimus.models import Memory, MemoryType, Message, MessageRole, Principal, UserId, Value
from optimus.storage.audit_records import AuditAction
from optimus.storage.records import StoredVectors
from optimus.storage.search_model import SearchModel
from optimus.storage.store import Store

STOP_S = 60.0
"""How long closing waits for the batch that is being made."""

RETRY_S = 2.0
"""How long to wait before the store is asked again whether it switched; memories cannot be written meanwhile."""

_log = logging.getLogger(__name__)


class SearchState(Value):
    """How it stands with the vectors of all memories."""

    model: str
    """The search model in use."""
    made_by: str
    """The one that made what is stored."""
    is_whole: bool
    """Whether everything is found by meaning. Else searches go by words, until the memories are prepared anew."""
    is_running: bool = False
    is_cancelled: bool = False
    """Somebody cancelled it: it waits to be begun again."""
    done: int = 0
    total: int = 0
    error: str = ""
    """Why the last try ended early."""

    @property
    def share(self) -> float:
        """How much is done, 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 0.0


class StoppedError(OptimusError):
    """It was asked to stop."""

    user_message = "Preparing the memories was stopped."


class ReembeddingService:
    """Prepares all memories for the search model in use, once at a time."""

    def __init__(self, *, store: Store, embedder: Embedder) -> None:
        self._store = store
        self._renewal = store.renewal
        self._model = SearchModel(name=embedder.name, dimensions=embedder.dimensions)
        self._around = Surroundings(store=store, embedder=embedder)
        self._beginning = Lock()
        self._stopping = Event()
        self._closing = Event()
        self._thread: Thread | None = None
        self._done = self._total = 0
        self._error = ""

    def use_model(self) -> None:
        """Search with the model in use from now on: by words alone while another one's vectors are stored.

        Raises:
            StoreError: the store does not answer.
        """
        self._renewal.use(self._model)

    def state(self) -> SearchState:
        """Return how it stands.

        Raises:
            StoreError: the store does not answer.
        """
        made_by = self._renewal.made_by() or self._model
        is_running = self._thread is not None and self._thread.is_alive()
        return SearchState(
            model=self._model.name,
            made_by=made_by.name,
            is_whole=not self._renewal.is_due(self._model),
            is_running=is_running,
            is_cancelled=not is_running and self._renewal.is_cancelled(self._model),
            done=self._done,
            total=self._total,
            error="" if is_running else self._error,
        )

    def start(self) -> None:
        """Begin, or go on after a restart, where it is due and nobody cancelled it.

        What does not work is told in the log and on the admin page, and tried again at the next start.
        """
        try:
            if self._renewal.is_due(self._model) and not self._renewal.is_cancelled(self._model):
                self._begin(None)
        except OptimusError:
            _log.warning("the memories could not be prepared for the search model", exc_info=True)

    def begin(self, principal: Principal) -> None:
        """Begin in the background, or go on where it was.

        Raises:
            PermissionDeniedError: the principal may not manage the system.
            InvalidInputError: it runs already, or everything is prepared.
            StoreError: the store does not answer.
        """
        authorize(principal, Action.MANAGE_SYSTEM)
        self.begin_for(principal.user_id)

    def begin_for(self, actor: UserId | None) -> None:
        """Begin for somebody at the terminal; see `begin`."""
        if not self._renewal.is_due(self._model):
            raise InvalidInputError(user_message="All memories are prepared for the search model in use.")
        self._begin(actor)

    def cancel(self, principal: Principal) -> None:
        """Stop, and throw away what was made: all is as before. It does not begin again by itself.

        Raises:
            PermissionDeniedError: the principal may not manage the system.
            InvalidInputError: there is nothing to cancel, it is switching, or it has not stopped yet.
            StoreError: the store does not answer.
        """
        authorize(principal, Action.MANAGE_SYSTEM)
        self.cancel_for(principal.user_id)

    def cancel_for(self, actor: UserId | None) -> None:
        """Cancel for somebody at the terminal; see `cancel`."""
        if self._renewal.place.is_unsure:
            raise InvalidInputError(user_message="It is nearly done and cannot be cancelled any more.")
        self._stop()
        with self._beginning:
            if not self.wait(0):
                raise InvalidInputError(user_message="It is still stopping. Please try again in a moment.")
            if not self._renewal.is_due(self._model):
                raise InvalidInputError(user_message="There is nothing to cancel: all memories are prepared.")
            with self._store.audit.around(AuditAction.REEMBEDDING_CANCELLED, actor=actor):
                self._renewal.cancel(self._model)

    def run(self, progress: Callable[[int, int], None] = lambda _done, _total: None) -> None:
        """Do it here and now, and tell `progress` how many records are done, and of how many.

        Raises:
            StoppedError: it was asked to stop; another call goes on where it was.
            StoreError: the store does not answer, or is full.
            EmbeddingError: the search model cannot be used.
        """

        def step(done: int, total: int) -> None:
            self._step(done, total)
            progress(done, total)

        self._renewal.run(self._model, self._around.vectors, step)

    def run_for_terminal(self, progress: Callable[[int, int], None]) -> None:
        """Do it here and now for somebody at the terminal, in the audit log where there is something to do; see `run`.

        Raises:
            OptimusError: as `run` does.
        """
        if self._renewal.is_due(self._model):
            with self._store.audit.around(AuditAction.REEMBEDDED, actor=None):
                self.run(progress)

    def wait(self, timeout_s: float) -> bool:
        """Wait until nothing runs; tell whether that has come."""
        if self._thread is not None:
            self._thread.join(timeout_s)
        return self._thread is None or not self._thread.is_alive()

    def close(self) -> None:
        """Stop what runs, to go on at the next start; calling it twice does nothing."""
        self._closing.set()
        self._stop()

    def _stop(self) -> None:
        self._stopping.set()
        self.wait(STOP_S)

    def _begin(self, actor: UserId | None) -> None:
        with self._beginning:
            if self._closing.is_set() or (self._thread is not None and self._thread.is_alive()):
                raise InvalidInputError(user_message="The memories are being prepared already.")
            self._stopping.clear()
            self._done = self._total = 0
            self._thread = Thread(target=self._run, args=(actor,), name="optimus-reembedding", daemon=True)
            self._thread.start()

    def _run(self, actor: UserId | None) -> None:
        self._error = ""
        try:
            with self._store.audit.around(AuditAction.REEMBEDDED, actor=actor):
                self._run_until_sure()
        except OptimusError as error:
            self._error = error.user_message
            _log.warning("the memories were not prepared to the end: %s", type(error).__name__)
        except Exception as error:  # noqa: BLE001 - in a thread of its own nobody else would hear of it
            self._error = "It could not be done. The server's log says more."
            _log.error("preparing the memories failed: %s", type(error).__name__)

    def _run_until_sure(self) -> None:
        while True:
            try:
                self.run()
            except StoreError:
                if not self._renewal.place.is_unsure or self._stopping.wait(RETRY_S):
                    raise
            else:
                return

    def _step(self, done: int, total: int) -> None:
        self._done, self._total = done, total
        if self._stopping.is_set() or self._closing.is_set():
            raise StoppedError


class Surroundings:
    """Makes the vectors of memories as if they were said now: of their text, and of it among what was said around."""

    def __init__(self, *, store: Store, embedder: Embedder) -> None:
        self._store = store
        self._embedder = embedder

    def vectors(self, memories: Sequence[Memory]) -> list[StoredVectors]:
        """Return the vectors of memories of any owners, in order.

        Raises:
            EmbeddingError: the model cannot be used.
            StoreError: the store does not answer.
        """
        around = [self._texts(memory) for memory in memories]
        own = [memory.text for memory in memories]
        wanted = list(dict.fromkeys([*own, *(text for texts in around for text in texts)]))
        made = dict(zip(wanted, self._embedder.embed(wanted), strict=True))
        return [
            StoredVectors(dense=made[memory.text], ctx=in_context(made[memory.text], [made[text] for text in texts]))
            for memory, texts in zip(memories, around, strict=True)
        ]

    def _texts(self, memory: Memory) -> list[str]:
        """Return what was said around a message, or the message that a memory comes from."""
        if memory.type is MemoryType.DOCUMENT:
            return [clean(text) for text in surroundings(memory)]
        if not memory.sources:
            return []
        if memory.type is not MemoryType.CONVERSATION:
            said = self._store.memories.get(memory.user_id, [episode_id(memory.sources[0])])
            return [said[0].text] if said else []
        origin = memory.provenance.conversation_id
        return self._said_around(memory, self._store.conversations.transcript(memory.user_id, origin)) if origin else []

    def _said_around(self, memory: Memory, messages: Sequence[Message]) -> list[str]:
        """Return the messages before and after, as far as they were kept whole.

        What came after counts once its writer has written again, as it does when that is remembered.
        """
        said = path(messages, leaf(messages, memory.sources[0]))
        place = next((number for number, each in enumerate(said) if each.id == memory.sources[0]), None)
        if place is None:
            return []
        near = said[max(0, place - NEIGHBOURS - 1) : place + NEIGHBOURS + 1]
        kept = self._kept(memory.user_id, near)
        before = [each for each in said[max(0, place - NEIGHBOURS) : place] if each.id in kept]
        after = said[place + 1 : place + NEIGHBOURS + 1]
        is_followed = any(each.role is MessageRole.USER for each in after)
        after = [each for each in after if each.id in kept and is_followed]
        return [*neighbours(before), *neighbours(after)]

    def _kept(self, owner: UserId, messages: Sequence[Message]) -> set[str]:
        """Return which messages are in memory word for word, each with the answer to it."""
        asked = [episode_id(each.id) for each in messages if each.role is MessageRole.USER]
        texts = {episode.id: episode.text for episode in self._store.memories.get(owner, asked)}
        kept: set[str] = set()
        is_kept = False
        for each in messages:
            if each.role is MessageRole.USER:
                is_kept = texts.get(episode_id(each.id)) == clean(each.text)
            if is_kept:
                kept.add(each.id)
        return kept
