"""Playwright's `expect`, looking more often.

Between two looks Playwright waits up to half a second, unless an assertion has less than 2.5 seconds in all. So each
is given less, again and again, until the patience of a busy machine is at its end.
"""

import time
from collections.abc import Callable
from typing import cast, overload

from playwright.sync_api import Locator, Page
from playwright.sync_api import expect as expect_once
from playwright.sync_api._generated import LocatorAssertions, PageAssertions

PATIENCE_S = 40.0
"""How long a condition may take to come true on a machine that is busy with other things."""
SLICE_MS = 2_400


@overload
def expect(actual: Page) -> PageAssertions: ...
@overload
def expect(actual: Locator) -> LocatorAssertions: ...
def expect(actual: Page | Locator) -> PageAssertions | LocatorAssertions:
    """Return the assertions on a page or a locator; each looks at least every tenth of a second."""
    return cast("LocatorAssertions", _Patient(expect_once(actual)))


class _Patient:
    """Assertions that are tried again until they hold or the patience is over."""

    def __init__(self, assertions: PageAssertions | LocatorAssertions) -> None:
        self._assertions = assertions

    def __getattr__(self, name: str) -> Callable[..., None]:
        check = getattr(self._assertions, name)

        def check_patiently(*args: object, timeout: float = PATIENCE_S * 1000, **options: object) -> None:
            ends = time.monotonic() + timeout / 1000
            while True:
                left = max(1.0, (ends - time.monotonic()) * 1000)
                try:
                    check(*args, timeout=min(left, SLICE_MS), **options)
                except AssertionError:
                    if time.monotonic() >= ends:
                        raise
                else:
                    return

        return check_patiently
