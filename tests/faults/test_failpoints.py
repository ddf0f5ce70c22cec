"""The fail points themselves."""

import pytest

from optimus.storage.failpoints import Crash, armed, crash_at, reached


def test_an_unarmed_point_does_nothing_and_an_armed_one_dies_only_at_its_name():
    """Only inside the block, and only at the wanted point, is there a crash."""
    reached("a")
    with armed(crash_at("a")):
        reached("b")
        with pytest.raises(Crash):
            reached("a")
    reached("a")


def test_a_crash_passes_by_whoever_catches_exceptions():
    """The end of a process is no `Exception`: code that goes on after any error does not go on after this."""
    assert not issubclass(Crash, Exception)
