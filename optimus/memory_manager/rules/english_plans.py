"""Rules for what lies ahead or behind: appointments, plans, tasks with a date, goals, milestones."""

from __future__ import annotations

import re

from optimus.memory_manager.rules.dates import mentions_date, mentions_other_day
from optimus.memory_manager.rules.rule import rule
from optimus.models import MemoryType

_FACT = MemoryType.FACT
_NOTE = MemoryType.NOTE

_IDLE = re.compile(
    r"(?:looking|wondering|asking|thinking|trying|talking|writing to|using|getting (?:an|this|the)|feeling|hoping|"
    r"saying|reading this|running into|having (?:trouble|problems|issues|a hard|difficult))\b",
    re.IGNORECASE,
)


def _has_date(match: re.Match[str]) -> bool:
    return mentions_date(match.string)


def _is_planned(match: re.Match[str]) -> bool:
    return mentions_other_day(match.string) and _IDLE.match(match["value"]) is None


def _is_dated_today_too(match: re.Match[str]) -> bool:
    return mentions_date(match.string) and not re.search(r"\b(?:recently|lately)\b", match.string, re.IGNORECASE)


PLANS = (
    rule(r"(?:I|We)(?: have|'ve got|'ve| have got|'m having| am having) (?:an?|my|our|another|the|two|"
         r"three) (?:[\w'-]+ ){0,6}?"
         r"@EVENT\b.*", _FACT, None, 0.65, accept=_has_date),
    rule(r"(?:My|Our|The) (?P<value>(?:[\w'-]+ ){0,5}?@EVENT(?: (?:to|with|in|at|for|from) [\w' -]{1,40}?)?)(?: is|"
         r" are|'s| starts| begins|"
         r" leaves| departs| takes place| will be| lands| arrives)(?: now| actually)? .+", _FACT, "event.{#value}", 0.7,
         accept=_has_date),
    rule(r"(?:My|Our|The) (?P<value>(?:[\w'-]+ ){0,5}?@EVENT(?: (?:to|with|in|at|for|"
         r"from) [\w' -]{1,40}?)?) (?:has been|was|got|is) "
         r"(?:moved|postponed|rescheduled|brought forward|pushed|delayed) .+", _FACT, "event.{#value}", 0.7,
         accept=_has_date),
    rule(r"(?:I'm|I am|We're|We are) (?P<value>\w+ing\b.*)", _FACT, None, 0.6, accept=_is_planned, confidence=0.8),
    rule(r"(?:I|We)(?:'ll| will) (?P<value>(?!always|never|remember|let you|keep you|try|do (?:it|that|this)|see you|"
         r"be there).+)", _FACT, None, 0.55, accept=_is_planned, confidence=0.75),
    rule(r"(?:I|We) (?P<value>(?:fly|leave|travel|arrive|depart|return|start|go|move) .+)", _FACT, None, 0.6,
         accept=_is_planned, confidence=0.75),
    rule(r"(?:I|We)(?:'ve| have)? (?:booked|reserved|scheduled|planned|signed up for|registered for|"
         r"entered) (?P<value>.+)",
         _FACT, None, 0.6, accept=_has_date),
    rule(r"(?:I|We) (?:have to|need to|must|should|plan to|intend to|'ve got to|"
         r"have got to) (?P<value>.+)", _NOTE, None,
         0.55, accept=_is_planned, confidence=0.75),
)  # fmt: skip

GOALS = (
    rule(r"My (?:\w+ )?(?P<value>goal|dream|ambition|resolution|aim|target)(?: this year| for \w+(?: \w+)?)?(?: is|"
         r"'s) (?:now |still )?"
         r"(?:to (?!get (?:an|this)|understand this|fix|have you)|(?:an? |the )?\w+ing ).+", _FACT, None, 0.65),
    rule(r"(?:I want|I(?:'m| am) (?:hoping|planning|trying|aiming)|I hope|I plan|I aim|I intend|I(?:'ve| have) decided|"
         r"I dream)"
         r" (?:to|of) (?P<value>(?:learn(?! how|ing how| about| more| what| why)|become|run (?:a|my)|lose|quit|"
         r"stop (?:smoking|drinking|eating)|retire|save (?:up|money|enough)|buy (?:a|an|my|our) (?:\w+ ){0,2}(?:house|"
         r"home|flat|apartment|car|bike|boat)|start (?:a|my|an) (?:\w+ ){0,2}(?:business|company|family|blog|podcast|"
         r"garden)|get (?:fit|fitter|married|healthier|in shape|a (?:dog|cat|puppy|kitten|new job)|pregnant|my|"
         r"promoted)|adopt|travel (?:to|around|the)|visit (?-i:[A-Z])|climb|write a (?:novel|book)(?! (?:about|"
         r"report))|sail|have (?:kids|children|a baby)|finish my|graduate|move to|gain|improve my|read more|sleep more|"
         r"exercise|"
         r"eat (?:less|more|healthier)|drink less)\b.*)", _FACT, None, 0.6, confidence=0.75, deniable=True),
)  # fmt: skip

MILESTONES = (
    rule(r"(?:I|We) used to (?P<value>(?:live|work|be|have|play|smoke|teach|study|own|drive|speak|like|love|run|dance|"
         r"sing|"
         r"eat|drink)\b.+)", _FACT, None, 0.5),
    rule(r"(?:I|We)(?:'ve| have)? (?:lived|worked|studied|taught|served) (?:in|at|for|as|abroad|"
         r"with) .+", _FACT, None, 0.5),
    rule(r"(?:I|We)(?:'ve| have)? (?:just |recently |finally )?(?:got (?:married|engaged|divorced|promoted|a promotion|"
         r"pregnant|fired|laid off|my (?:\w+ ){0,2}(?:licen[cs]e|degree|visa|citizenship|green card))|adopted|retired|"
         r"gave birth|had a baby|became (?:a |an )?\w+|was (?:promoted|fired|laid off)|broke my|won (?:a|an|the|my)|"
         r"founded|published (?:a|my)|lost my (?:mother|father|mom|mum|dad|wife|husband|job|brother|sister|dog|cat|"
         r"baby|"
         r"grand\w+)|bought (?:a|my|our) (?:\w+ ){0,2}(?:house|home|flat|apartment|car))\b.*", _FACT, None, 0.6,
         confidence=0.8),
    rule(r"(?:I|We) (?:just |recently |finally )?(?P<value>(?:ran|completed|finished|started|visited|travel?led|went|"
         r"climbed|flew|moved|met|attended|joined|saw|passed|began|hiked|performed|celebrated|"
         r"signed up) .+)", _FACT, None, 0.45,
         accept=_is_dated_today_too, confidence=0.7),
)  # fmt: skip

RULES = (*PLANS, *GOALS, *MILESTONES)
