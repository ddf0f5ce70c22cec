"""Tables that are as high as what they hold."""

from __future__ import annotations

ROW_HEIGHT = 36
"""Pixels of a row, for `st.dataframe`."""
_HEADER_HEIGHT = 36


def table_height(rows: int, *, most: int = 12) -> int:
    """Return the pixels for a header and all rows; beyond `most` rows the table scrolls."""
    return _HEADER_HEIGHT + ROW_HEIGHT * min(rows, most)
