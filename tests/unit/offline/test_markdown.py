"""What the user wrote cannot become markup in an answer."""

from __future__ import annotations

import pytest

from optimus.llm_handler.offline.markdown import MAX_SHOWN_CHARS, shown
from optimus.llm_handler.offline.respond import respond
from optimus.models import ChangeKind
from tests.unit.offline.recalled import change, context, recalled


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("plain text, with (brackets) and 10:30", "plain text, with (brackets) and 10:30"),
        ("![x](y)", r"!\[x\](y)"),
        ("*bold* _it_ ~no~ `code`", r"\*bold\* \_it\_ \~no\~ \`code\`"),
        ("<img src=x>", "&lt;img src=x&gt;"),
        ("a &lt; b", "a &amp;lt; b"),
        ("AT&T", "AT&T"),
        ("see https://evil.example/a?b=c now", "see `https://evil.example/a?b=c` now"),
        ("see www.evil.example", "see `www.evil.example`"),
        ("mail ana@example.org", "mail `ana@example.org`"),
        ("# title", r"\# title"),
        ("1. one", r"1\. one"),
        ("- item", r"\- item"),
        ("a\n\nb\x00c", "a b c"),
        ("cost $5 and $6", r"cost \$5 and \$6"),
    ],
)
def test_text_shows_as_itself(text, escaped):
    """Marks are escaped, tags are entities, addresses are code, line breaks are spaces."""
    assert shown(text) == escaped


def test_long_text_is_cut():
    """A very long note does not fill the answer."""
    assert len(shown("a" * 5_000)) == MAX_SHOWN_CHARS


ATTACKS = [
    "My locker is ![p](https://evil.example/p.png)",
    "My locker is <img src=https://evil.example/p.png>",
    "My locker is [click](javascript:alert(1))",
    "My locker is <script>alert(1)</script>",
    "My locker is `https://evil.example` ![a](b)",
    "My locker is https://evil.example/`![x](https://evil.example/p.png)",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_answer_holds_html_an_image_or_a_link(attack):
    """Neither a recalled memory nor a saved, replaced or forgotten one can make the page fetch anything."""
    changes = tuple(change(kind, attack, attack) for kind in ChangeKind)
    for answer in (
        respond("Where is my locker?", context(recalled(attack))),
        respond("What do you know about me?", context(recalled(attack))),
        respond(attack, context(changes=changes)),
    ):
        assert "locker" in answer
        assert "<" not in answer
        assert "](" not in answer.replace(r"\](", "")
        assert _outside_code(answer).count("://") == 0


def _outside_code(answer: str) -> str:
    """Return the answer without its code spans; an escaped backtick opens none."""
    parts = answer.replace(r"\`", "").split("`")
    assert len(parts) % 2 == 1
    return "".join(parts[::2])
