"""The same calls on three engines: embedded, qdrant-client's own in memory, and a server when one is named."""
