"""Derive memories from a message by rules: no model, no input or output, the same answer every time."""
