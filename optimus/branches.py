"""The branches of a conversation: which messages follow which, and which of them are shown.

A message names the one that it follows. Those from before there were branches name none: they follow one another in
time. Every function takes the messages of one conversation, the oldest first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from optimus.models import ROOT, Message, MessageId


def parents(messages: Sequence[Message]) -> dict[MessageId, MessageId]:
    """Return which message each one follows; `ROOT` where it begins the conversation."""
    found: dict[MessageId, MessageId] = {}
    before = ROOT
    for message in messages:
        if message.parent is None:
            found[message.id], before = before, message.id
        else:
            found[message.id] = message.parent
    return found


def path(messages: Sequence[Message], end: MessageId | None = None) -> list[Message]:
    """Return the messages that lead to `end`, which is the last one; without one, or if it is gone, to the newest."""
    known, parent_of = {message.id: message for message in messages}, parents(messages)
    place = end if end in known else messages[-1].id if messages else ROOT
    found: list[Message] = []
    while place in known:
        found.append(known.pop(place))
        place = parent_of[place]
    return found[::-1]


def versions(messages: Sequence[Message]) -> dict[MessageId, tuple[MessageId, ...]]:
    """Return all versions of each message that has several, the oldest first."""
    same: dict[tuple[MessageId, str], list[MessageId]] = defaultdict(list)
    parent_of = parents(messages)
    for message in messages:
        same[parent_of[message.id], message.role.value].append(message.id)
    return {one: tuple(each) for each in same.values() if len(each) > 1 for one in each}


def leaf(messages: Sequence[Message], start: MessageId) -> MessageId:
    """Return the newest message that comes after `start`, or itself."""
    parent_of = parents(messages)
    reached = {start}
    last = start
    for message in messages:
        if parent_of[message.id] in reached:
            reached.add(message.id)
            last = message.id
    return last


def has_older(messages: Sequence[Message]) -> bool:
    """Tell whether a path may begin before these messages of it."""
    return bool(messages) and messages[0].parent != ROOT
