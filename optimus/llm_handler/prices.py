"""What an answer cost, from the price list that the `genai-prices` package carries; nothing is looked up online."""

from __future__ import annotations

from collections.abc import Sequence

from optimus.llm_handler.catalogue import CATALOGUE
from optimus.llm_handler.requests import OFFLINE_MODEL, ModelRef
from optimus.models import Usage

_TYPICAL = Usage(input_tokens=2000, output_tokens=300)
"""What looking for memories in a message takes, to compare prices by."""


def cheapest(models: Sequence[ModelRef]) -> ModelRef:
    """Return the model with the lowest list price, the first of equal ones; one without a price costs most."""
    return min(models, key=lambda model: _or_most(cost_usd(model, _TYPICAL, is_local=False)))


def cost_usd(model: ModelRef, usage: Usage, *, is_local: bool) -> float | None:
    """Return the list price of a call in US dollars; None where it is not known.

    A model on this machine and the offline assistant cost nothing. A provider that reports no tokens, or counts that
    cannot be, such as more from its cache than were read, leaves the cost unknown. Discounts and free tiers are not in
    the list; tokens from a provider's cache have their own price.
    """
    if is_local or model.provider == OFFLINE_MODEL.provider:
        return 0.0
    provider = _priced_as(model)
    if provider is None or not usage.input_tokens + usage.output_tokens:
        return None
    import genai_prices  # noqa: PLC0415 - a sixth of a second, only where a model with a price has answered

    try:
        spent = genai_prices.Usage(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=usage.cached_tokens or None,
            cache_write_tokens=usage.cache_written_tokens or None,
        )
        return float(genai_prices.calc_price(spent, model_ref=model.name, provider_id=provider).total_price)
    except (LookupError, ValueError):
        return None


def list_prices(model: ModelRef, *, is_local: bool) -> tuple[float | None, float | None]:
    """Return what a million tokens cost that are read, and that are written, in US dollars; None: not known.

    They are those of a prompt of usual length: some providers ask more for all of a very long one.
    """
    sample, scale = 1000, 1000
    read = cost_usd(model, Usage(input_tokens=sample), is_local=is_local)
    written = cost_usd(model, Usage(output_tokens=sample), is_local=is_local)
    return None if read is None else read * scale, None if written is None else written * scale


def context_tokens(model: ModelRef) -> int | None:
    """Return how many tokens a model can read at once; None where neither the price list nor the catalogue says."""
    provider = _priced_as(model)
    if provider is None:
        return None
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - as above

    try:
        _, found = get_snapshot().find_provider_model(model.name, None, provider, None)
        known = found.context_window
    except LookupError:
        known = None
    entry = CATALOGUE.get(model.provider)
    return known or (entry.context_tokens if model.name in entry.models else None)


def _priced_as(model: ModelRef) -> str | None:
    """Return the price list's name of a model's provider; an endpoint that a person named has no list."""
    return CATALOGUE.get(model.provider).priced_as if model.provider in CATALOGUE else None


def _or_most(price: float | None) -> float:
    return float("inf") if price is None else price
