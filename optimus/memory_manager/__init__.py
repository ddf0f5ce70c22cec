"""The memory engine: episodes, derived memories, recall, versions and undo."""
