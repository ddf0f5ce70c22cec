"""Talking to language models: what callers exchange with it. Providers' libraries load on first use."""

from optimus.llm_handler.requests import (
    ConnectionInfo,
    ConnectionTest,
    Credentials,
    GenerationRequest,
    GenerationResult,
    LocalServer,
    ModelChoice,
    OfflineContext,
    PromptTurn,
)

__all__ = [
    "ConnectionInfo",
    "ConnectionTest",
    "Credentials",
    "GenerationRequest",
    "GenerationResult",
    "LocalServer",
    "ModelChoice",
    "OfflineContext",
    "PromptTurn",
]
