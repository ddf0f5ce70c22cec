"""How clean memory stays over a life of messages, with a language model's answers by script; beside Mem0.

`duplicate_rate`, `contradiction_rate` and `junk_rate` are shares of the memories that are held, `lost_rate` is the
share of facts that should be held and are not; all are counted after each message of the life and summed. `/rules` is
Optimus without a language model, `/mem0` is Mem0's own pipeline with the same answers. The definitions, and the form
of a life, stand in `docs/hygiene.md`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks._baselines import plain_mem0, quiet_mem0
from benchmarks._hygiene_score import Score
from benchmarks._life import Life, Said, load
from benchmarks._life_maker import BANKS, made, written
from benchmarks._locomo import SetClock
from benchmarks._progress import progress
from benchmarks._scripted_model import ScriptedModel, serving
from benchmarks.report import Report, Result
from optimus.embedding import MiniLmEmbedder
from optimus.llm_handler.requests import OFFLINE_MODEL, ModelChoice
from optimus.models import ConversationId, Principal, UserId, new_id
from optimus.services import Services, build_services
from optimus.settings import Settings

SHIPPED = Path(__file__).parent / "lives" / "harbour.json"
SIDES = ("", "/rules", "/mem0")
_WAIT_S = 30.0
_PAGE = 200
_MOST = 10_000
Tell = Callable[[Said], Sequence[str]]
"""Takes a message in; returns the texts of the memories that are then held as true, the oldest first."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the life, or what to make one of."""
    parser.add_argument("--life", type=Path, default=SHIPPED, help="a life; by default the one that is shipped")
    parser.add_argument("--faults", type=Path, help="write what was at fault, and for how many messages, to this file")
    parser.add_argument(
        "--make", metavar="SEED", type=int, help="print a life made from this seed, and measure nothing"
    )
    parser.add_argument("--bank", choices=BANKS, default=BANKS[0], help="whose life to make")
    parser.add_argument("--messages", type=int, default=500, help="at most so many messages of the life to make")


def run(arguments: argparse.Namespace) -> Report:
    """Lead the life three times, once on each side."""
    if arguments.make is not None:
        sys.stdout.write(written(made(arguments.bank, arguments.make, arguments.messages)))
        raise SystemExit(0)
    life = load(arguments.life)
    scores = {side: Score(life=life) for side in SIDES}
    for side, opened in zip(SIDES, (_optimus, _rules, _mem0), strict=True):
        with opened(life) as tell:
            for said in progress(f"hygiene{side or '/optimus'}", life.messages):
                scores[side].note(said, tell(said))
    if arguments.faults:
        arguments.faults.write_text("".join(_faults(scores)), encoding="utf-8")
    results = [result for side in SIDES for result in scores[side].results(side)]
    results += [
        Result(name=f"memories{side or '/optimus'}", value=scores[side].held / len(life.messages), unit="memories")
        for side in SIDES
    ]
    parameters = {"life": arguments.life.name, "messages": len(life.messages), "facts": len(life.facts)}
    return Report(benchmark="hygiene", parameters=parameters, results=results)


def _faults(scores: Mapping[str, Score]) -> Iterator[str]:
    """Yield a line for each fault: side, kind, after how many messages it was there, and the text."""
    for side in SIDES:
        for kind, times, text in scores[side].listing():
            yield f"{side or '/optimus'}\t{kind}\t{times}\t{text}\n"


@contextmanager
def _optimus(life: Life) -> Iterator[Tell]:
    """Open an Optimus whose user connected a language model, which answers by script."""
    model = ScriptedModel(life)
    with serving(model) as url, _opened() as (services, clock):
        user = _signed_in(services)
        services.connections.connect(user, provider="compatible", base_url=url, key="")
        choice = services.connections.newest(user.user_id, "compatible")
        if choice is None:
            raise RuntimeError("the scripted model could not be connected")
        chats = _Chats(services=services, clock=clock, owner=user.user_id, choice=choice)

        def tell(said: Said) -> Sequence[str]:
            model.said = said
            return chats.tell(said)

        yield tell


@contextmanager
def _rules(_: Life) -> Iterator[Tell]:
    """Open an Optimus without a language model."""
    choice = ModelChoice(ref=OFFLINE_MODEL, title="", provider_title="", free=True, is_local=True)
    with _opened() as (services, clock):
        yield _Chats(services=services, clock=clock, owner=_signed_in(services).user_id, choice=choice).tell


@contextmanager
def _opened() -> Iterator[tuple[Services, SetClock]]:
    clock = SetClock()
    with TemporaryDirectory(prefix="optimus-hygiene-") as folder:
        services = build_services(
            Settings.model_validate({"data_dir": Path(folder), "messages_per_minute": 10_000}),
            clock=clock,
            password_cost=4,
        )
        try:
            yield services, clock
        finally:
            services.close()


def _signed_in(services: Services) -> Principal:
    password = f"measured-{new_id()}"
    services.auth.create_admin(code=None, username="ada", password=password)
    ticket = services.auth.sign_in(username="ada", password=password, network="", captcha=None, user_agent="")
    principal = services.auth.principal(services.auth.open_session(ticket).token)
    if principal is None:
        raise RuntimeError("nobody could be signed in")
    return principal


@dataclass(kw_only=True)
class _Chats:
    """One user's chats; what is to be looked through by a model is so before the next message."""

    services: Services
    clock: SetClock
    owner: UserId
    choice: ModelChoice
    conversations: dict[str, ConversationId] = field(default_factory=dict)

    def tell(self, said: Said) -> Sequence[str]:
        """Send a message, wait for its answer and the look through it; return what is held."""
        chat = self.services.chat
        self.clock.now = said.at.astimezone(UTC)
        place = self.conversations.get(said.chat)
        turn = chat.send(self.owner, said.text, conversation_id=place, choice=self.choice, zone=said.zone)
        self.conversations[said.chat] = turn.conversation.id
        running = chat.generation(self.owner, turn.conversation.id)
        if running and not running.wait(_WAIT_S):
            raise TimeoutError("an answer did not end")
        self.services.extraction.run_due()
        look = self.services.extraction.looks(self.owner, [turn.message.id]).get(turn.message.id)
        if look and look.fault:
            raise RuntimeError(f"a message could not be looked through: {look.fault}")
        return _held(self.services, self.owner)


def _held(services: Services, owner: UserId) -> list[str]:
    """Return what the Memory page lists: what is true now, without messages and what waits for review."""
    page = services.memory.list(owner, limit=_PAGE)
    texts = [memory.text for memory in page.items]
    while page.next_offset is not None:
        page = services.memory.list(owner, limit=_PAGE, offset=page.next_offset)
        texts += [memory.text for memory in page.items]
    return texts[::-1]


@contextmanager
def _mem0(life: Life) -> Iterator[Tell]:
    """Open a plain Mem0 that adds with inference, its language model the scripted one."""
    with quiet_mem0():
        model, owner = ScriptedModel(life), new_id()
        memory = plain_mem0(MiniLmEmbedder(), model)

        def tell(said: Said) -> Sequence[str]:
            model.said = said
            turn = [{"role": "user", "content": said.text}, {"role": "assistant", "content": said.reply}]
            memory.add(turn, user_id=owner, infer=True)
            found = memory.get_all(filters={"user_id": owner}, top_k=_MOST)["results"]
            return [item["memory"] for item in sorted(found, key=lambda item: item["created_at"])]

        yield tell
