"""Which model is the cheapest that can do what is asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from optimus.errors import InvalidInputError
from optimus.llm_handler.catalogue import CATALOGUE, Catalogue, is_chat_name
from optimus.llm_handler.prices import context_tokens, cost_usd
from optimus.llm_handler.requests import CHEAPEST, OFFLINE_MODEL, ModelChoice
from optimus.models import Usage, Value

UNKNOWN_WINDOW = 8_000
"""Tokens that a model is trusted to read whose context size is not known."""


class Needs(Value):
    """What a model must be able to do."""

    tokens: int
    """To be read, about, the longest answer to be expected included."""
    tools: bool = False
    images: bool = False
    documents: bool = False
    """Whether PDF files go along."""

    @property
    def words(self) -> str:
        """For the screen."""
        more = (("tools", self.tools), ("images", self.images), ("PDF files", self.documents))
        return ", ".join([f"about {self.tokens:,} tokens", *(name for name, is_needed in more if is_needed)])


def with_cheapest(choices: Sequence[ModelChoice]) -> list[ModelChoice]:
    """Return the choices with the cheapest before them, where there is any model to choose from."""
    models = [choice for choice in choices if choice.ref != OFFLINE_MODEL]
    first = ModelChoice(
        ref=CHEAPEST, title="Cheapest that can do it", provider_title="Optimus", free=False, is_local=False
    )
    return [first, *choices] if models else list(choices)


def lacks(
    choice: ModelChoice, needs: Needs, catalogue: Catalogue = CATALOGUE, image_models: Collection[str] = ()
) -> str:
    """Return what a model lacks for a job, as the end of a sentence; empty where it can do it."""
    sees = str(choice.ref) in image_models or catalogue.sees(choice.ref.provider, choice.ref.name)
    if needs.images and not sees:
        return "does not take images"
    if needs.documents and not catalogue.reads_pdf(choice.ref.provider):
        return "does not take PDF files"
    window = context_tokens(choice.ref) or UNKNOWN_WINDOW
    return f"reads at most {window:,} tokens" if needs.tokens > window else ""


def route(
    choices: Sequence[ModelChoice],
    needs: Needs,
    *,
    is_usable: Callable[[ModelChoice], bool],
    answer_tokens: int,
    image_models: Collection[str] = (),
    catalogue: Catalogue = CATALOGUE,
) -> ModelChoice:
    """Return the cheapest of the models that can do a job, with the reason; the first of equal ones.

    Candidates are the models that Optimus names, and what a server offers that can chat by its name: the cheapest of
    all that a key opens is often one that cannot. One without a known price comes after all with one.

    Args:
        choices: What may be picked.
        needs: The job.
        is_usable: Whether a model answers at present, and takes the tools.
        answer_tokens: How long an answer is expected to be.
        image_models: Those that take images as the owner knows, `provider:model`.
        catalogue: Where it stands what models can do.

    Raises:
        InvalidInputError: none can do it.
    """
    models = [choice for choice in choices if _can_chat(choice, catalogue)]
    able = [choice for choice in models if not lacks(choice, needs, catalogue, image_models) and is_usable(choice)]
    if not able:
        raise InvalidInputError("no able model", user_message=_nobody(models, needs))
    usage = Usage(input_tokens=needs.tokens, output_tokens=answer_tokens)
    prices = {choice.place: cost_usd(choice.ref, usage, is_local=choice.is_local) for choice in able}
    best = min(able, key=lambda choice: _or_most(prices[choice.place]))
    return best.model_copy(update={"why": _why(best, len(able), needs, prices[best.place])})


def _can_chat(choice: ModelChoice, catalogue: Catalogue) -> bool:
    if choice.ref in {OFFLINE_MODEL, CHEAPEST} or choice.ref.provider not in catalogue:
        return False
    named = catalogue.get(choice.ref.provider).models
    return choice.ref.name in named if named else is_chat_name(choice.ref.name)


def _why(best: ModelChoice, able: int, needs: Needs, price: float | None) -> str:
    of = "the only model" if able == 1 else f"the cheapest of {able} models"
    cost = "its price is not known" if price is None else "it costs nothing" if not price else f"about ${price:,.5f}"
    return f"Picked {best.name}: {of} that can do this ({needs.words}); {cost}."


def _nobody(models: Sequence[ModelChoice], needs: Needs) -> str:
    if not models:
        return "No language model is connected. Connect one, or choose the offline assistant."
    return f"None of your models can do this now: it takes {needs.words}. Choose one by name, or connect another."


def _or_most(price: float | None) -> float:
    return float("inf") if price is None else price
