"""Signing in: names and passwords, sessions and their tokens, limits, roles."""
