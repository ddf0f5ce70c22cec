"""Optimus: a memory system for AI chat that belongs to its user."""
