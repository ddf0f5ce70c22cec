"""Rules for other people and animals in the user's life: who they are, and what is said of them."""

from __future__ import annotations

import re

from optimus.memory_manager.rules import lexicon
from optimus.memory_manager.rules.dates import mentions_date
from optimus.memory_manager.rules.rule import rule
from optimus.models import MemoryType

_RELATIONSHIP = MemoryType.RELATIONSHIP

_IS_PET = re.compile(rf"(?:{lexicon.PERSON_QUALITY.replace('|', ' |')} )?(?:{lexicon.PETS})", re.IGNORECASE)
_PASSING = re.compile(
    r"(?:here|there|not|so|very|really|too|being|getting|going|coming|sick|ill|tired|angry|mad|upset|late|busy|right|"
    r"wrong|asleep|hungry|annoying|crazy|happy|sad|sleeping|driving me|a bit|a pain|a mess|out|home|at home|fine|ok|"
    r"okay|great|nice|good|bad|the best|amazing|wonderful|awesome|cute|funny|gone|away|in (?:trouble|the)|looking|"
    r"asking|trying)\b",
    re.IGNORECASE,
)


def _names_them(match: re.Match[str]) -> bool:
    return lexicon.is_name(match["value"].removesuffix(" now"))


def _names_and_relates(match: re.Match[str]) -> bool:
    first = match["value"].split()[0]
    return lexicon.is_name(match["value"]) and first[0].isupper() and first not in {"This", "That", "It", "He", "She"}


def _is_breed(match: re.Match[str]) -> bool:
    return _IS_PET.fullmatch(match["rel"]) is not None and _PASSING.match(match["value"]) is None


def _is_job(match: re.Match[str]) -> bool:
    return _IS_PET.fullmatch(match["rel"]) is None and lexicon.is_profession(match["value"])


def _has_date(match: re.Match[str]) -> bool:
    return mentions_date(match.string)


def _is_lasting(match: re.Match[str]) -> bool:
    return _PASSING.match(match["value"]) is None


_DIED = (
    r"(?:(?:has |have |just |sadly |recently ){0,2}(?:died|passed away|passed on|been put down)|(?:is|are) (?:sadly )?"
    r"(?:dead|deceased|no longer with us)|(?:was|had to be) put (?:down|to sleep))(?: .+)?"
)
_PARTED = (
    r"(?:(?:broke|broken|split) up|separated|parted ways|(?:got|are|'re|am|'m) (?:now )?(?:divorced|separated)|"
    r"divorced)"
    r"(?: (?:with|from))?(?: (?:my|our) (?P<rel>@PARTNER)\b)?(?: (?P<name>(?-i:[A-ZÀ-ÖØ-Þ])[\w-]+))?(?: (?:(?:last|"
    r"this|"
    r"a|in|on|today|yesterday|recently|again|two|three|some|after)\b).*)?"
)

PARTINGS = (
    rule(rf"(?:I|We)(?:'ve| have)? @ADV{_PARTED}", _RELATIONSHIP, None, 0.7, ends="partner marital"),
    rule(r"My (?P<rel>@PARTNER)(?: (?P<name>@PNAME))? (?:has |just )?(?:left me|dumped me|broke up with me|"
         r"divorced me)(?: .+)?", _RELATIONSHIP, None, 0.7, ends="partner marital"),
)  # fmt: skip

NAMES = (
    rule(r"(?:My|Our) (?P<rel>(?:@QUALITY ){0,2}@PET)(?:'s name(?: is|'s)|(?: is|'s| are|'re) @ADV(?:called|named)|"
         r"(?:'s|s') names are) .+", _RELATIONSHIP, None, 0.75, deniable=True),
    rule(r"(?:My|Our) (?P<rel>(?:@QUALITY ){0,2}@PEOPLE)(?:'s (?:first )?name(?: is|'s)|(?: is| was|'s) @ADV(?:called|"
         r"named)|"
         r"(?: are|'re) (?:called|named)|'(?:s)? names are|s' names are) (?P<value>.+)", _RELATIONSHIP, "{who}.name",
         0.8, deniable=True),
    rule(r"(?:My|Our) (?P<rel>(?:@QUALITY ){0,2}@PEOPLE)(?: is|"
         r"'s) (?:now )?(?P<value>(?-i:[A-ZÀ-ÖØ-Þ])\S+(?: (?-i:[A-Z])\S+)?)",
         _RELATIONSHIP, "{who}.name", 0.75, confidence=0.75, accept=lambda m: lexicon.is_own_name(m["value"])),
    rule(r"(?P<value>(?-i:[A-ZÀ-ÖØ-Þ])[\w-]+(?: (?-i:[A-Z])[\w-]+)?) (?:is|was) (?:my|our) (?:@QUALITY ){0,2}@PEOPLE"
         r"(?: .+)?", _RELATIONSHIP, None, 0.75, accept=_names_and_relates),
    rule(r"(?:My|Our) (?:two |three |four |five )?(?:kids|children|sons|daughters|brothers|sisters|siblings|parents|"
         r"grandchildren|cats|dogs)(?: are|'re) (?:(?-i:[A-ZÀ-ÖØ-Þ])[\w-]+(?: \(\d{1,2}\))?(?:, and |, | and )?){2,8}",
         _RELATIONSHIP, None, 0.75),
    rule(r"(?P<value>(?-i:[A-ZÀ-ÖØ-Þ])[\w-]+ and (?-i:[A-Z])[\w-]+) are (?:my|"
         r"our) (?:@QUALITY ){0,2}@PEOPLE", _RELATIONSHIP,
         None, 0.75),
    rule(r"(?:I|We)(?: have|'ve got|'ve) (?:just )?(?P<count>@NUMBER|many|several|"
         r"no)(?: \w+)? (?P<rel>@PEOPLE)(?:[,:]? .+)?",
         _RELATIONSHIP, None, 0.7),
    rule(r"(?:(?:I|We) @ADV(?:have|have got|adopted|got|own|keep)|(?:I|We)'ve @ADV(?:got|adopted)) (?:an? |any |the "
         r")(?:(?!problem|"
         r"question)[\w-]+ ){0,3}"
         r"(?P<rel>@PEOPLE)(?P<value>(?:,? (?:called|named|who|whose|in|from|and|with|of|at|living|that|"
         r"(?-i:[A-Z])\S*).*)?)",
         _RELATIONSHIP, None, 0.7, deniable=True),
    rule(r"(?:I|We)(?: have|'ve got|'ve adopted| adopted| got) an? (?:[\w-]+ ){1,3}(?:called|"
         r"named) (?-i:[A-Z])\S+(?: .+)?",
         _RELATIONSHIP, None, 0.7),
    rule(r"(?:I|We) (?:have|@ADVhave) (?:no )?(?:siblings|children|kids|pets|"
         r"grandchildren)(?: .+)?", _RELATIONSHIP, None, 0.7,
         deniable=True),
    rule(r"@IM @ADV(?:married|engaged) to .+", _RELATIONSHIP, "partner.name", 0.8, deniable=True),
    rule(r"@IM @ADV(?:dating|seeing|in a relationship with) (?-i:[A-Z])\S+(?: .+)?", _RELATIONSHIP, "partner.name", 0.7,
         deniable=True),
    rule(r"@IM @ADV(?:an? |the )?(?:\w+ )?(?:mother|father|mom|mum|dad|parent|grandmother|grandfather|only child|twin|"
         r"godmother|godfather|aunt|uncle|single parent|single mother|single father)(?: (?:of|to|with) .+)?",
         _RELATIONSHIP, None, 0.7, deniable=True),
    rule(r"(?:I|We|(?:(?-i:[A-ZÀ-ÖØ-Þ])[\w-]+|My @PARTNER) and I)(?:'ve| have)? (?:got|are getting|'re getting|are) "
         r"@ADV(?:married|engaged|divorced)(?: .+)?", _RELATIONSHIP, "marital", 0.7),
)  # fmt: skip

SAID_OF_THEM = (
    rule(r"@PERSON was @ADV(?:an? |the )(?P<value>.+)", _RELATIONSHIP, None, 0.5, accept=_is_job),
    rule(r"@PERSON(?: is|'s| has become| became) @ADV(?:an? |the |"
         r"my )(?P<value>.+)", _RELATIONSHIP, "{who}.job", 0.7,
         accept=_is_job),
    rule(r"@PERSON(?: is|'s| was) @ADVan? (?P<value>.+)", _RELATIONSHIP, "{who}.breed", 0.6, accept=_is_breed),
    rule(r"@PERSON @ADV(?:works?|is working|(?:is )?employed|teaches) (?:at|for|in|with|by) .+", _RELATIONSHIP,
         "{who}.employer", 0.7),
    rule(r"@PERSON @ADV(?:works|is working) from .+", _RELATIONSHIP, None, 0.6),
    rule(r"@PERSON @ADV(?:works?|is working|(?:is )?employed|teaches|runs) (?:as |an? |the |his |her ).+",
         _RELATIONSHIP, "{who}.job", 0.7),
    rule(r"@PERSON(?: has|'s|) @ADV(?:(?:quit|lost|left|resigned from) (?:his|her|their) job|(?:got|was|been) (?:fired|"
         r"laid off|made redundant)|resigned)(?: (?:at|from|as|last|today|yesterday|in|on) .+)?", _RELATIONSHIP,
         "{who}.employer", 0.6, ends="{who}.job"),
    rule(r"@PERSON(?: is|'s| are|) @ADV(?:retired|self-employed)(?: .+)?", _RELATIONSHIP, "{who}.job", 0.6,
         ends="{who}.employer"),
    rule(r"@PERSON(?: is|'s| are|) @ADVunemployed(?: .+)?", _RELATIONSHIP, "{who}.employer", 0.6, ends="{who}.job"),
    rule(r"@PERSON @ADV(?:lives?|(?:is |are |'s )?living|is based|are based) (?:in|at|near|with|on|abroad|alone|close|"
         r"next)\b.*",
         _RELATIONSHIP, "{who}.home", 0.7),
    rule(r"@PERSON (?:has |have )?@ADV(?:moved|relocated) (?:back )?(?:to|into|"
         r"in) .+", _RELATIONSHIP, "{who}.home", 0.7),
    rule(r"@PERSON(?: is|'s| are| comes?|'re) @ADVfrom .+", _RELATIONSHIP, "{who}.origin", 0.6),
    rule(r"@PERSON(?: is|'s| are) @ADV(?:an? )?@NATION", _RELATIONSHIP, "{who}.origin", 0.6),
    rule(r"@PERSON(?: is|'s| are|) @ADV(?:turned |turning |turns )?\d{1,3}(?:[- ](?:years?|months?|"
         r"weeks?)(?:[- ]old)?)?@NOW"
         r"(?: .+)?", _RELATIONSHIP, "{who}.age", 0.6),
    rule(r"@PERSON(?:'s birthday(?: is|'s)(?: on)?| was born (?:on|in)| has (?:his|her) birthday (?:on|in)) .+",
         _RELATIONSHIP, "{who}.birthday", 0.75, dated=False),
    rule(r"@PERSON(?: is|'s| are) @ADVallergic to (?P<value>.+)", _RELATIONSHIP, "{who}.allergy.{#value}", 0.9,
         deniable=True),
    rule(r"@PERSON (?:has|have|suffers? from|was diagnosed with|has been diagnosed with) (?:severe |chronic |mild )?"
         r"@CONDITION(?: .+)?", _RELATIONSHIP, None, 0.8),
    rule(r"@PERSON(?: is|'s| are) @ADV(?:@DIET)(?: .+)?", _RELATIONSHIP, "{who}.diet", 0.75, deniable=True),
    rule(r"@PERSON(?: is|'s| are) @ADV(?:@STATE)(?: .+)?", _RELATIONSHIP, None, 0.75, deniable=True),
    rule(r"@PERSON(?: is|'s| are| got| is getting) @ADV(?:@MARITAL)(?: .+)?", _RELATIONSHIP, "{who}.marital", 0.6,
         deniable=True),
    rule(rf"(?:My|Our) (?P<rel>(?:@QUALITY ){{0,2}}@PET)(?: (?P<name>@PNAME))? {_DIED}", _RELATIONSHIP, None, 0.8,
         ends="{them}"),
    rule(rf"@PERSON {_DIED}", _RELATIONSHIP, None, 0.8, ends="{them}|home job age school"),
    rule(r"@PERSON @ADV(?:likes?|loves?|enjoys?|adores?|hates?|dislikes?|can't stand|detests?) "
         r"(?P<value>(?!it\b|this|that|you|me\b|when|how|what|the idea).+)", _RELATIONSHIP, "{who}.like.{#value}", 0.6,
         deniable=True),
    rule(r"@PERSON @ADVprefers? (?P<value>(?!it\b|this|that|the (?:first|second)).+)", _RELATIONSHIP, None, 0.6),
    rule(r"@PERSON @ADV(?:plays?|speaks?|studies|study|collects?|teaches|drives?|is studying|is learning|owns?|"
         r"breeds?) "
         r"(?P<value>(?!with me|this|that|me\b).+)", _RELATIONSHIP, None, 0.6, deniable=True),
    rule(r"@PERSON (?:goes|go) to (?P<value>.*(?:school|university|college|kindergarten|nursery|daycare).*|"
         r"(?-i:[A-Z]).+)",
         _RELATIONSHIP, "{who}.school", 0.6),
    rule(r"@PERSON @ADV(?:has|have|owns?) (?:an? |two |three |four |\d |no )(?:[\w-]+ ){0,3}(?:@PEOPLE)(?: .+)?",
         _RELATIONSHIP, None, 0.6),
    rule(r"@PERSON(?:'s) favou?rite (?P<thing>[\w ]{2,30}?)(?: is|'s|"
         r" are) .+", _RELATIONSHIP, "{who}.favourite.{thing}",
         0.6),
    rule(r"@PERSON's (?P<thing>phone number|email|address|number|job|surname|last name|nickname|middle name|breed|size|"
         r"shoe size|school|car)(?: is|'s) .+", _RELATIONSHIP, "{who}.{thing}", 0.6),
    rule(r"@PERSON(?: is|'s| are|'re| will be|'ll be) @ADV(?P<value>(?:getting |having |coming|visiting|arriving|"
         r"moving|"
         r"flying|starting|turning|graduating|expecting|travel)\S*.*)", _RELATIONSHIP, None, 0.6, accept=_has_date),
    rule(r"@PERSON(?: is|'s) @ADV(?:pregnant|expecting(?: .+)?)", _RELATIONSHIP, None, 0.7),
    rule(r"(?:I|We) met (?:my|our) (?:@QUALITY )?@PEOPLE(?: .+)?", _RELATIONSHIP, None, 0.6),
)  # fmt: skip

RULES = (*PARTINGS, *NAMES, *SAID_OF_THEM)
