"""The store: one client over two engines, two walls in front of them, repositories on top."""
