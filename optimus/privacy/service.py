"""The face of privacy: take one's data along, bring them in, and erase an account."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread

from optimus.auth.departure import DepartureDesk
from optimus.auth.fresh import FreshProof
from optimus.auth.names import username_key
from optimus.auth.permissions import Action, authorize
from optimus.errors import InvalidCredentialsError, InvalidInputError, SealError
from optimus.models import Clock, Principal, UserId
from optimus.privacy.erased import ErasureList
from optimus.privacy.erasure import Eraser, Running
from optimus.privacy.export import Exporter
from optimus.privacy.importing import Importer, ImportPreview
from optimus.privacy.jobs import ImportJob, ImportJobs
from optimus.privacy.receipts import Receipt, ReceiptSigner
from optimus.storage.audit_records import AuditAction
from optimus.storage.import_files import ImportFiles, PendingImport
from optimus.storage.store import Store


class PrivacyService:
    """Every call proves what its principal may; what it did is recorded before or with it."""

    def __init__(
        self,
        *,
        store: Store,
        departures: DepartureDesk,
        proof: FreshProof,
        importer: Importer,
        running: Running,
        erased: ErasureList,
        signer: ReceiptSigner,
        clock: Clock,
    ) -> None:
        self._exporter = Exporter(store=store, clock=clock)
        self._importer = importer
        self._departures = departures
        self._proof = proof
        self._running = running
        self._jobs = ImportJobs()
        self._files = ImportFiles(
            client=store.client, collection=store.names.conversations, work=store.work, sync=store.sync
        )
        self._audit = store.audit
        self._clock = clock
        self.receipts = signer
        """Checks the receipts of erasures."""
        self.eraser = Eraser(
            store=store,
            departures=departures,
            running=self,
            erased=erased,
            signer=signer,
            clock=clock,
        )

    def stop(self, owner: UserId) -> None:
        """Stop everything that runs for an owner, for good."""
        self._jobs.stop(owner)
        self._files.drop(owner)
        self._running.stop(owner)

    def forget(self, owner: UserId) -> None:
        """Drop what this process keeps of an owner."""
        self._running.forget(owner)

    def close(self) -> None:
        """Stop all imports, before the store closes; they go on at the next start."""
        self._jobs.stop_all()

    def export(self, principal: Principal) -> Iterator[bytes]:
        """Return the principal's data as a ZIP file, in parts that are made as they are taken.

        Raises:
            PermissionDeniedError: the principal may not, or has not given the own password lately.
            StoreError: the store does not answer, or the export cannot be recorded; nothing is given out.
        """
        authorize(principal, Action.EXPORT_OWN_DATA)
        self._proof.require(principal)
        parts = self._exporter.chunks(principal)
        self._audit.record(AuditAction.EXPORT, actor=principal.user_id, subject=principal.user_id)
        return parts

    def export_name(self) -> str:
        """Return what an export that is made now is called."""
        return f"optimus-export-{self._clock():%Y-%m-%d}.zip"

    def preview(self, principal: Principal, file: bytes) -> ImportPreview:
        """Return what importing a file would do.

        Raises:
            InvalidInputError: the file cannot be imported; the sentence says why.
        """
        authorize(principal, Action.USE_SETTINGS)
        return self._importer.preview(principal.user_id, file)

    def start_import(self, principal: Principal, file: bytes, *, total: int) -> ImportJob:
        """Begin to import a file in the background; `total` is the number of records of its preview.

        The file is kept, sealed, until the import has ended, so that it goes on after whatever cuts it off.

        Raises:
            InvalidInputError: another import of the same owner is still running.
            StoreError: the file cannot be kept; nothing was begun.
        """
        authorize(principal, Action.USE_SETTINGS)
        owner = principal.user_id
        job = self._jobs.begin(owner, ImportJob(total=total))
        try:
            self._files.keep(owner, file, records=total)
        except BaseException:
            self._jobs.give_up(owner)
            raise
        self._import(owner, file, job)
        return job

    def resume_imports(self) -> int:
        """Go on with imports that were cut off, in the background; return how many.

        Raises:
            StoreError: the store does not answer.
        """
        resumed = 0
        for pending in self._files.pending():
            file = self._whole(pending)
            last = self._jobs.of(pending.owner)
            if file is None:
                self._files.drop(pending.owner)
            elif last is None or last.is_over:
                job = self._jobs.begin(pending.owner, ImportJob(total=pending.records))
                self._import(pending.owner, file, job)
                resumed += 1
        return resumed

    def _whole(self, pending: PendingImport) -> bytes | None:
        try:
            return self._files.read(pending)
        except SealError:
            return None

    def _import(self, owner: UserId, file: bytes, job: ImportJob) -> None:
        """Import a file in a thread, and forget it once it is in, or cannot be imported."""

        def work() -> ImportPreview:
            try:
                with self._audit.around(AuditAction.IMPORT, actor=owner, subject=owner, data={"records": job.total}):
                    done = self._importer.run(owner, file, job.step)
            except InvalidInputError:
                if not job.is_stopping:
                    self._files.drop(owner)
                raise
            self._files.drop(owner)
            self._running.forget(owner)
            return done

        Thread(target=job.run, args=(work,), name="optimus-import", daemon=True).start()

    def import_job(self, principal: Principal) -> ImportJob | None:
        """Return the principal's import, running or ended, until it is put away."""
        return self._jobs.of(principal.user_id)

    def put_import_away(self, principal: Principal) -> None:
        """Forget how the principal's last import ended."""
        self._jobs.put_away(principal.user_id)

    def erase_account(self, principal: Principal, password: str, *, typed_name: str, network: str) -> Receipt:
        """Erase one's own account with everything in it, for good.

        Args:
            principal: Whose account.
            password: The present password, asked for again.
            typed_name: The username, typed as a confirmation.
            network: Where the password was typed, for the limiter.

        Raises:
            InvalidInputError: another name was typed.
            InvalidCredentialsError: the password is wrong; this counts like a failed sign-in.
            TooManyAttemptsError: it was wrong too often; it was not looked at.
            PermissionDeniedError: it is the last active admin.
            StoreError: the store does not answer; what was begun is finished at the next start.
        """
        authorize(principal, Action.ERASE_OWN_ACCOUNT)
        if username_key(typed_name) != username_key(principal.username):
            raise InvalidInputError(user_message="Type your username to confirm that this account is to be deleted.")
        try:
            self._departures.prove(principal, password, network=network)
        except InvalidCredentialsError:
            self._audit.note(AuditAction.PROOF_FAILED, actor=principal.user_id, subject=principal.user_id)
            raise
        return self.eraser.erase(principal, principal.user_id)

    def erase_user(self, principal: Principal, user_id: UserId) -> Receipt:
        """Erase somebody else's account with everything in it, for good.

        Raises:
            PermissionDeniedError: the principal may not manage users, or has not given their password lately.
            InvalidInputError: it is the own account.
            NotFoundError: there is no such account.
            StoreError: the store does not answer; what was begun is finished at the next start.
        """
        authorize(principal, Action.MANAGE_USERS)
        if user_id == principal.user_id:
            raise InvalidInputError(user_message="Delete your own account in the settings.")
        return self.eraser.erase(principal, user_id)

    def replay(self) -> int:
        """Finish erasures that a crash interrupted, and repeat those that a restored backup undid; return how many."""
        return self.eraser.replay()
