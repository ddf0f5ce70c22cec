"""Makes a life from a bank: story lines written by hand, mixed anew by each seed.

A bank (`lives/banks/NAME.txt`) is read line by line:

    about TEXT                 what the life is about
    zone DAY NAME              from this day of the life on its writer is in this time zone
    must|may|never KEY = WORDING ; WORDING     a fact and how a memory says it, as in `docs/hygiene.md`
    thread LANGUAGE            a story line: its messages keep their order
    noise LANGUAGE             messages that stand anywhere
    > TEXT                     a message
    >> TEXT                    a message that follows the one before it at once, in the same chat
    < TEXT                     what the assistant answers
    + KEY / - KEY              what is true from here on, or no more
    * TYPE: TEXT [DECISION KEY, sure NUMBER, instructs]   what the model finds; the brackets may be left out
    # TEXT                     a remark
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from benchmarks._life import Life, check

_FOLDER = Path(__file__).parent / "lives" / "banks"
BANKS = ("harbour", "valley", "tower")
_FIRST_DAY = datetime(2025, 1, 6, tzinfo=UTC)
_FINDING = re.compile(r"(?P<type>\w+): (?P<text>.+?)(?: \[(?P<marks>[^]]+)\])?")
_HOURS = (7, 8, 12, 13, 18, 20, 21, 22)
_CHAT_LENGTH = (3, 11)


@dataclass(slots=True)
class _Bank:
    """What was read of a file."""

    about: str = ""
    zones: list[tuple[int, str]] = field(default_factory=list)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    threads: list[list[list[dict[str, Any]]]] = field(default_factory=list)
    """Story lines of groups: a group's messages follow each other at once."""
    noise: list[list[dict[str, Any]]] = field(default_factory=list)
    into: list[list[dict[str, Any]]] | None = None
    """Where the next messages go."""
    language: str = "en"


def made(bank: str, seed: int, most: int) -> Life:
    """Return a life of at most `most` messages; the same for the same arguments."""
    source, chance = _read(_FOLDER / f"{bank}.txt"), random.Random(f"{bank} {seed}")  # noqa: S311 - data
    groups = _mixed(source, chance)
    while sum(map(len, groups)) > most:
        groups.pop()
    messages = _placed(groups, source.zones, chance)
    life = Life.model_validate({"about": source.about, "facts": source.facts, "messages": messages})
    check(life, bank)
    return life


def written(life: Life) -> str:
    """Return a life as its file reads: one line for each fact, a block for each message."""
    content = life.model_dump(mode="json", exclude_defaults=True)
    facts = ",\n".join(f"  {_line(key)}: {_line(fact)}" for key, fact in content["facts"].items())
    messages = ",\n".join(_block(message) for message in content["messages"])
    return f'{{\n"about": {_line(content["about"])},\n"facts": {{\n{facts}\n}},\n"messages": [\n{messages}\n]\n}}\n'


def _block(message: dict[str, Any]) -> str:
    head = {key: message.pop(key) for key in ("at", "zone", "chat", "language") if key in message}
    first = _line(head)[1:-1]
    rest = []
    for key, value in message.items():
        if key == "findings":
            findings = ",\n".join(f"    {_line(each)}" for each in value)
            rest.append(f'   "findings": [\n{findings}\n   ]')
        else:
            rest.append(f"   {_line(key)}: {_line(value)}")
    return "  {" + ",\n".join([first, *rest]) + "}"


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _read(path: Path) -> _Bank:
    """Read a bank.

    Raises:
        ValueError: a line is of no form; the sentence says which.
    """
    bank = _Bank()
    for number, raw in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        mark, _, rest = raw.strip().partition(" ")
        if mark and mark != "#" and not _take(bank, mark, rest.strip()):
            raise ValueError(f"{path.name}: line {number} is of no form")
    return bank


def _take(bank: _Bank, mark: str, rest: str) -> bool:
    """Take a line into a bank; tell whether it was understood."""
    if mark == "about":
        bank.about = rest
    elif mark == "zone":
        day, name = rest.split()
        bank.zones.append((int(day), name))
    elif mark in {"must", "may", "never"}:
        key, _, says = rest.partition("=")
        bank.facts[key.strip()] = {"need": mark, "says": [each.strip() for each in says.split(";")]}
    elif mark in {"thread", "noise"}:
        bank.language, bank.into = rest, []
        if mark == "thread":
            bank.threads.append(bank.into)
        else:
            bank.into = bank.noise
    else:
        return bank.into is not None and _take_into(bank.into, bank.language, mark, rest)
    return True


def _take_into(into: list[list[dict[str, Any]]], language: str, mark: str, rest: str) -> bool:
    if mark in {">", ">>"}:
        message: dict[str, Any] = {"text": rest, "language": language, "findings": [], "gains": [], "ends": []}
        into[-1].append(message) if mark == ">>" else into.append([message])
        return True
    last = into[-1][-1]
    if mark == "<":
        last["reply"] = rest
    elif mark in {"+", "-"}:
        last["gains" if mark == "+" else "ends"].append(rest)
    elif mark == "*" and (found := _FINDING.fullmatch(rest)):
        last["findings"].append({"type": found["type"], "text": found["text"], **_marks(found["marks"] or "")})
    else:
        return False
    return True


def _marks(text: str) -> dict[str, Any]:
    marks: dict[str, Any] = {}
    for mark in filter(None, (each.strip() for each in text.split(","))):
        word, _, rest = mark.partition(" ")
        if word == "sure":
            marks["confidence"] = float(rest)
        elif word == "instructs":
            marks["instructs"] = True
        else:
            marks |= {"decision": word, "of": rest}
    return marks


def _mixed(bank: _Bank, chance: random.Random) -> list[list[dict[str, Any]]]:
    """Mix the story lines: each keeps its order, and begins and ends anywhere; noise goes in between."""
    lines = [*bank.threads, *([group] for group in bank.noise)]
    placed = []
    for line in lines:
        begin = chance.uniform(0, 0.6 if len(line) > 1 else 1)
        moments = sorted(chance.uniform(begin, 1) for _ in line)
        placed += [(moment, group) for moment, group in zip(moments, line, strict=True)]
    return [group for _, group in sorted(placed, key=lambda each: each[0])]


def _placed(
    groups: Sequence[list[dict[str, Any]]], zones: Sequence[tuple[int, str]], chance: random.Random
) -> list[dict[str, Any]]:
    """Give the messages their times, zones and chats: a few days between chats, minutes within."""
    messages: list[dict[str, Any]] = []
    day, chat, left = 0, 0, 0
    at = _FIRST_DAY
    for group in groups:
        if left <= 0:
            day, chat, left = day + chance.choice((1, 2, 4, 7, 10)), chat + 1, chance.randint(*_CHAT_LENGTH)
            zone = [name for since, name in zones if since <= day][-1]
            local = (_FIRST_DAY + timedelta(days=day)).replace(tzinfo=ZoneInfo(zone))
            at = max(at, local.replace(hour=chance.choice(_HOURS), minute=chance.randint(0, 59)).astimezone(UTC))
        for message in group:
            at, left = at + timedelta(minutes=chance.randint(1, 6)), left - 1
            shown = at.astimezone(ZoneInfo(zone)).isoformat()
            messages.append({"at": shown, "zone": zone, "chat": f"chat-{chat}", **message})
    return messages
