import asyncio
from datetime import timedelta

from optimus.llm_handler import GenerationRequest, OfflineContext
from optimus.llm_handler.agents import ChatAgent, Deadlines
from optimus.llm_handler.generations import Generation
from optimus.llm_handler.offline.model import OfflineModel
from optimus.llm_handler.requests import OFFLINE_MODEL
from optimus.models import (
    Memory,
    MemoryId,
    MemoryType,
    MessageState,
    RecalledMemory,
    UserId,
    new_id,
)
from tests.unit.llm.support import NOW, Ending, make_request


class CountingGeneration(Generation):
    """Notes each piece that arrives."""

    def __init__(self, request: GenerationRequest) -> None:
        super().__init__(request)
        self.pieces: list[str] = []

    def push(self, text):
        """Take a piece."""
        if text:
            self.pieces.append(text)
        super().push(text)


def write(reply: str) -> CountingGeneration:
    """Let the agent write an answer that the rules would give."""
    request = make_request(model=OFFLINE_MODEL, prompt="What do I drink?")
    generation = CountingGeneration(request)
    ticks = iter(range(100_000))
    agent = ChatAgent(deadlines=Deadlines(), monotonic=lambda: float(next(ticks)), reads_pdf=bool)
    model = OfflineModel(prompt=request.prompt, context=request.offline, respond=lambda _prompt, _context: reply)
    asyncio.run(agent.write(generation, request, model))
    return generation


def test_the_answer_comes_word_by_word_and_whole():
    """The pieces are words, and together they are exactly what the rules said."""
    reply = "You drink tea.\n\n- since 2 January\n- never  coffee"
    generation = write(reply)
    assert generation.text == reply
    assert len(generation.pieces) == len(reply.split())


def test_usage_is_estimated_and_timed():
    """About four characters a token; the times come from the given clock."""
    usage = write("You drink tea. " * 20).outcome(None).usage
    assert usage.input_tokens == 4
    assert usage.output_tokens == 75
    assert 0 < (usage.first_token_ms or 0) < (usage.duration_ms or 0)


def test_prompt_and_context_reach_the_rules():
    """The rules see the prompt as it was typed and the context of this one answer."""
    seen = []
    request = make_request(model=OFFLINE_MODEL, prompt="What <do> I drink?", memory_block="I drink tea")

    def respond(prompt, context):
        seen.append((prompt, context))
        return "Tea."

    agent = ChatAgent(deadlines=Deadlines(), monotonic=lambda: 0.0, reads_pdf=bool)
    model = OfflineModel(prompt=request.prompt, context=request.offline, respond=respond)
    asyncio.run(agent.write(Generation(request), request, model))
    assert seen == [("What <do> I drink?", request.offline)]


def test_the_gateway_answers_offline_from_memory(gateway):
    """Without key, network or server, a question is answered from the memory that matches."""
    owner = UserId(new_id())
    told = NOW - timedelta(days=3)
    memory = Memory(
        id=MemoryId(new_id()),
        user_id=owner,
        text="I live in Porto",
        type=MemoryType.FACT,
        slot="home",
        recorded_at=told,
        updated_at=told,
        valid_from=told,
    )
    offline = OfflineContext(recalled=(RecalledMemory(memory=memory, score=0.9),), now=NOW)
    ending = Ending()
    request = make_request(model=OFFLINE_MODEL, owner=owner, prompt="Where do I live?", offline=offline)
    generation = gateway.start(request, ending)
    assert generation.wait(20)
    assert ending.results[0].state is MessageState.COMPLETE
    assert "Porto" in ending.results[0].text
    assert "".join(generation.follow()) == ending.results[0].text
