"""Derive memories from a message by rules: no model, no input or output, the same answer every time."""

from optimus.memory_manager.rules.candidate import Candidate, CandidateKind
from optimus.memory_manager.rules.derivation import derive

__all__ = ["Candidate", "CandidateKind", "derive"]
