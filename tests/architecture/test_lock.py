"""The lock installs with the pip of Python 3.11 however new the releases are that came after it."""

from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent.parent


def locked_requirements(name: str) -> dict[str, Requirement]:
    """Return the requirements in a lock that this system installs, by canonical name."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    found = (Requirement(line.rstrip(" \\")) for line in lines if line and line[0] not in " #")
    return {canonicalize_name(each.name): each for each in found if not each.marker or each.marker.evaluate()}


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_the_lock_names_the_extras_that_are_asked_for(name):
    """Pip 23 takes a name with extras for another package, and its newest release has no hash in the lock."""
    locked = locked_requirements(name)
    asked = [
        (asker, needed)
        for asker, requirement in locked.items()
        for extra in ("", *requirement.extras)
        for needed in map(Requirement, requires(asker) or [])
        if not needed.marker or needed.marker.evaluate({"extra": extra})
    ]
    assert [asker for asker, needed in asked if needed.extras], "no package asks for extras: the test sees nothing"
    missing = [
        f"{asker} asks for {needed}"
        for asker, needed in asked
        if not needed.extras <= locked[canonicalize_name(needed.name)].extras
    ]
    assert missing == []
