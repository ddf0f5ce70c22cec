"""Rules for who somebody is: name, age, home, origin, work, studies, languages, possessions."""

from __future__ import annotations

import re

from optimus.memory_manager.rules import lexicon
from optimus.memory_manager.rules.rule import rule
from optimus.models import MemoryType

_FACT = MemoryType.FACT
_PREFERENCE = MemoryType.PREFERENCE
_RELATIONSHIP = MemoryType.RELATIONSHIP


def _names_somebody(match: re.Match[str]) -> bool:
    return lexicon.is_name(match["value"])


def _introduces(match: re.Match[str]) -> bool:
    return lexicon.is_own_name(match["value"])


def _is_job(match: re.Match[str]) -> bool:
    return lexicon.is_profession(match["value"])


def _is_age(match: re.Match[str]) -> bool:
    return not match["value"].isdigit() or int(match["value"]) in _AGES


def _is_place(match: re.Match[str]) -> bool:
    return _NO_PLACE.match(match["value"]) is None


def _is_workplace(match: re.Match[str]) -> bool:
    return _NO_PLACE.match(match["value"]) is None and _NO_EMPLOYER.match(match["value"]) is None


_AGES = range(5, 116)
_NO_PLACE = re.compile(
    r"(?:a (?:world|dream|bubble|time|society|country where)|fear|hope|the (?:past|moment|present|future|middle of)|"
    r"this|that|it|here|there|peace|harmony|the same|general|particular|on\b|my (?:head|mind|heart)|your|trouble)\b",
    re.IGNORECASE,
)
_NO_EMPLOYER = re.compile(
    r"(?:me|you|it|him|her|them|free|now|the moment|a while|hours|years|least|all|general|progress|the (?:morning|"
    r"evening|afternoon|weekend|garden|kitchen)|mornings|night|\d|(?:mon|tues|wednes|thurs|fri|satur|sun)days?|"
    r"my own)\b",
    re.IGNORECASE,
)

IDENTITY = (
    rule(r"My (?:\w+ )?(?:surname|last name|family name)(?: is|'s) (?P<value>.+)", _FACT, "name.last", 0.8,
         accept=_names_somebody),
    rule(r"My (?:middle|maiden) name(?: is|'s) (?P<value>.+)", _FACT, None, 0.6, accept=_names_somebody),
    rule(r"My (?:first |full |real |given |own )?name(?: is|'s) (?:now )?(?P<value>.+?)(?:, not .+)?", _FACT, "name",
         0.95, accept=_names_somebody, deniable=True),
    rule(r"(?:Please )?(?:(?:you can|you may|everyone|everybody|people|(?:all )?my friends|"
         r"they) )?(?:just )?(?:always )?"
         r"calls? me (?P<value>.+?)(?: from now on| for short| instead)?", _PREFERENCE, "name", 0.95,
         accept=_names_somebody),
    rule(r"(?:I'd like|I want|I prefer|I would like|I'd prefer) to be called (?P<value>.+)", _PREFERENCE, "name", 0.95,
         accept=_names_somebody),
    rule(r"(?:@IAM called|@IAM known as|I go by|My nickname(?: is|'s)) (?P<value>.+)", _FACT, "name", 0.9,
         accept=_names_somebody),
    rule(r"@IAM (?P<value>\S+(?: \S+){0,2})", _FACT, "name", 0.9, confidence=0.8, accept=_introduces, only_fills=True),
    rule(r"@IAM @ADV(?:aged? )?(?P<value>\d{1,3}|(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)"
         r"(?:[- ]\w{3,5})?)(?: years? old| yrs? old| years? of age| yo)?@NOW", _FACT, "age", 0.7, accept=_is_age),
    rule(r"(?:I(?:'ve)? (?:just )?turned|My age is|@IAM turning) (?P<value>\d{1,3})(?: .*)?", _FACT, "age", 0.7,
         accept=_is_age),
    rule(r"(?:My (?:birthday|date of birth|birth date|birthdate|dob)(?: is|'s)(?: on)?|I was born on|"
         r"I celebrate my birthday (?:on|in)) .+", _FACT, "birthday", 0.8, dated=False),
    rule(r"(?:My|Our) (?:\w+ )?anniversary(?: is|'s)(?: on)? .+", _FACT, "anniversary", 0.7, dated=False),
    rule(r"I was born (?:and raised )?in (?:19|20)\d\d", _FACT, "birth_year", 0.7, dated=False),
    rule(r"I was born (?:and raised )?(?:in|at|near) .+", _FACT, "birthplace", 0.7),
    rule(r"My pronouns are .+", _FACT, "pronouns", 0.9),
    rule(r"@IAM @ADV(?:an? )?@NATION(?:[- ]@NATION)?(?: citizen| national)?", _FACT, "nationality", 0.7,
         deniable=True),
    rule(r"My nationality is .+", _FACT, "nationality", 0.7),
    rule(r"I have (?:an? )?@NATION (?:passport|citizenship|nationality)", _FACT, None, 0.6, deniable=True),
    rule(r"@IAM @ADV@RELIGION", _FACT, "religion", 0.6, deniable=True),
    rule(r"@IM @ADVsingle(?: again)?@NOW", _FACT, "marital", 0.7, deniable=True, ends="partner"),
    rule(r"@IM @ADV(?P<value>@MARITAL)@NOW(?: with (?:two|three|\d|a|my) .+)?", _FACT, "marital", 0.7,
         deniable=True),
)  # fmt: skip

HOME = (
    rule(r"@WE @ADVlive at (?P<value>.*\d.*)", _FACT, "address", 0.8),
    rule(r"My (?:home |postal |street )?address(?: is|'s) .+", _FACT, "address", 0.8),
    rule(r"@WE @ADVlive (?:alone|by myself|with .+|together.*)", _FACT, "household", 0.5, deniable=True),
    rule(r"(?:@WE @ADV(?:live|reside)|(?:@IM|We're|We are) @ADV(?:living|based|located|settled|residing)) @ADV"
         r"(?:in|near|on|outside|at|just outside|close to|by) (?P<value>.+)", _FACT, "home", 0.85, accept=_is_place),
    rule(r"(?:I|We)(?:'ve| have) (?:been living|lived|been based|been) (?:in|near) (?P<value>.+?) (?:for|since) .+",
         _FACT, "home", 0.8, accept=_is_place),
    rule(r"(?:I|We)(?:'ve| have)? @ADV(?:moved|relocated|emigrated|settled|moved back|moved over|moved house) "
         r"(?:back |over |down )?(?:from [\w' ]{2,30} )?"
         r"(?:to|into|in) (?P<value>.+)", _FACT, "home", 0.85, accept=_is_place),
    rule(r"My (?:home|current home|place of residence|home town now|city) is (?:now )?(?:in )?(?P<value>[A-Z].+)",
         _FACT, "home", 0.8, accept=_is_place),
    rule(r"My (?:home ?town|birthplace)(?: is|'s) .+", _FACT, "hometown", 0.7),
    rule(r"(?:@IAM @ADVfrom|I @ADVcome from|I @ADVhail from) (?P<value>.+)", _FACT, "origin", 0.7, accept=_is_place),
    rule(r"(?:I|We) grew up .+", _FACT, "hometown", 0.6),
    rule(r"My (?:time ?zone)(?: is|'s) .+", _FACT, "timezone", 0.7),
)  # fmt: skip

WORK = (
    rule(r"(?:@IAM @ADVworking|I @ADVwork|I(?:'ve| have) been working|I(?:'ve| have) worked) as an? (?P<value>.+)",
         _FACT, "job", 0.8, deniable=True),
    rule(r"@IM @ADV(?:an? |the )(?P<value>.+)", _FACT, "job", 0.8, accept=_is_job),
    rule(r"(?:I @ADVwork|@IAM @ADV(?:working|employed)|I(?:'ve| have) been working|I(?:'ve| have) worked) @ADV"
         r"(?:at|for|by|with) (?P<value>.+)", _FACT, "employer", 0.8, accept=_is_workplace),
    rule(r"(?:I @ADVwork|@IAM @ADVworking) (?:from home|remotely|part[- ]time|full[- ]time|nights|night shifts|shifts|"
         r"weekends|freelance|hybrid|for myself)(?: .*)?", _FACT, None, 0.6, deniable=True),
    rule(r"(?:I @ADVwork|@IAM @ADVworking) in (?P<value>(?:the )?[A-Z].+|(?:an? |the )?(?:\w+ ){0,3}(?:sales|marketing|"
         r"finance|banking|healthcare|education|research|construction|retail|hospitality|consulting|tech|industry|"
         r"engineering|media|publishing|advertising|logistics|insurance|security|software|hr|human resources|design|"
         r"accounting|law|politics|government|agriculture|manufacturing|hospital|school|shop|office|restaurant|bank|"
         r"factory|library|university|lab|laboratory|clinic|bakery|museum|theatre|kindergarten)\b.*)",
         _FACT, "employer", 0.7, accept=_is_workplace),
    rule(r"(?:I(?:'ve| have)? @ADV(?:started|begun|began|joined|got|took|found|landed|accepted)|@IAM starting) "
         r"(?:(?:working|a (?:new )?(?:job|position|role)|my new job|an internship) (?:at|with|for|in|as) "
         r"(?P<value>.+)|(?P<org>(?-i:[A-Z]).+) as an? .+)", _FACT, "employer", 0.8),
    rule(r"I(?:'ve| have)? @ADV(?:changed|switched) (?:jobs?|employers?|companies)(?:(?:[:;,]| -| –| and)? (?:@IAM|I) "
         r"(?:now )?(?:at|with|(?:work|working) (?:at|with|for)) (?P<value>(?-i:[A-Z]).+)| (?:last|this|in|recently|"
         r"again|a) .+)?", _FACT, "employer", 0.8),
    rule(r"My (?:employer|company|workplace)(?: is|'s) (?:called |named )?.+", _FACT, "employer", 0.8),
    rule(r"My (?:job|job title|profession|occupation|role|day job)(?: is|'s) (?!to be|boring|hard|stressful|killing|"
         r"tough|great|fine|ok).+", _FACT, "job", 0.8),
    rule(r"(?:I @ADV(?:teach|coach|translate|design|paint|sell|manage|lead) .+ (?:for a living|professionally|"
         r"at (?:a|an|the) .+))", _FACT, "job", 0.7),
    rule(r"I teach (?!you|me|him|her|them|myself)\w+(?: .+)?", _FACT, "job", 0.7, deniable=True),
    rule(r"@IM @ADV(?:unemployed|jobless|between jobs|out of (?:work|a job))(?: .*)?", _FACT, "employer", 0.7,
         deniable=True),
    rule(r"(?:@IM|I(?:'ve| have)?) @ADVretired(?: .*)?", _FACT, "job", 0.7, deniable=True, ends="employer"),
    rule(r"@IM @ADV(?:self[- ]employed|on (?:maternity|paternity|parental|sick) leave|"
         r"a freelance .+|freelancing|a stay-at-home .+)(?: .*)?", _FACT, "job", 0.7, deniable=True),
    rule(r"I(?:'ve| have)? @ADV(?:(?:lost|quit|left|resigned from) my (?:old |current )?job(?: (?:at|as|today|"
         r"yesterday|"
         r"last|in|on) .+)?|(?:got|was|been) (?:fired|laid off|made redundant|let go)(?: (?:from|by|today|yesterday|"
         r"last|"
         r"in|on) .+)?|resigned(?: (?:from|today|yesterday|last|in|on) .+)?)", _FACT, "employer", 0.7),
    rule(r"I(?:'ve| have)? @ADV(?:left|quit) (?P<value>(?-i:[A-Z]).+)", _FACT, None, 0.6),
    rule(r"(?:I|We) @ADV(?:run|own|founded|co-founded|started) (?:my own |our own |an? )(?:\w+ ){0,3}(?:company|"
         r"business|startup|start-up|shop|store|restaurant|bakery|agency|studio|farm|practice|firm|cafe|café|bar|"
         r"hotel|gym|salon|blog|podcast|channel|school|clinic)\b.*", _FACT, "business", 0.8, deniable=True),
)  # fmt: skip

STUDIES = (
    rule(r"@IAM @ADV(?:studying|majoring in|doing (?:my|a) (?:phd|master'?s?|bachelor'?s?|degree|mba))(?! for (?:a|my|"
         r"the)"
         r" (?:test|exam))(?: .+)?", _FACT, "studies", 0.7),
    rule(r"(?:I @ADVstudy|I major in|My major is|My field of study is) (?!for (?:a|my|the)\b|hard|a lot|every).+",
         _FACT, "studies", 0.7, deniable=True),
    rule(r"@IAM @ADV(?:an? )(?:[\w-]+ ){0,4}(?:student|phd candidate|undergraduate|undergrad|freshman|"
         r"sophomore)(?: .+)?",
         _FACT, "studies", 0.7, deniable=True),
    rule(r"I(?:'ve| have)? @ADV(?:dropped out(?: of .+)?|(?:quit|left|finished) (?:my )?(?:studies|university|college|"
         r"degree)(?: .+)?|graduated(?: .+)?)", _FACT, None, 0.6, ends="studies"),
    rule(r"I (?:go to|attend) (?P<value>(?-i:[A-Z]).*|.*(?:university|college|school|academy).*)", _FACT, "school", 0.6,
         deniable=True),
    rule(r"My (?:school|university|college)(?: is|'s) (?:called )?(?-i:[A-Z]).*", _FACT, "school", 0.6),
    rule(r"I(?:'ve| have)? @ADV(?:studied|graduated|majored) .+", _FACT, None, 0.6),
    rule(r"I have (?:an? |my )(?:\w+ ){0,2}(?:degree|phd|doctorate|master'?s?|bachelor'?s?|diploma|mba)(?: .+)?", _FACT,
         None, 0.6),
)  # fmt: skip

LANGUAGES = (
    rule(r"My (?:native language|mother tongue|first language|native tongue)s?(?: is|'s| are) .+", _FACT,
         "native_language", 0.7),
    rule(r"I @ADVspeak (?:\w+ ){0,4}?@LANGUAGE\b.*", _FACT, None, 0.6, deniable=True),
    rule(r"I (?:can )?speak (?:(?:\w+ ){0,4}?@LANGUAGE\b.*|(?:\w+ )?languages)", _FACT, None, 0.6),
    rule(r"@IAM (?:fluent in|a native|bilingual in) (?:\w+ )?@LANGUAGE\b.*", _FACT, None, 0.6),
    rule(r"@IAM @ADV(?:learning|taking) (?:\w+ ){0,2}?(?:@LANGUAGE)\b.*", _FACT, None, 0.6),
    rule(r"@IAM @ADVlearning (?:to (?:play|cook|drive|sail|ski|surf|dance|paint|knit|sew|code|program|swim)\b.*|"
         r"(?:the )?(?:piano|guitar|violin|drums|cello|flute|chess|programming|python|rust|pottery|judo)\b.*)",
         _FACT, None, 0.5),
)  # fmt: skip

POSSESSIONS = (
    rule(r"My (?P<thing>car|bike|phone|laptop|computer|camera|motorbike|motorcycle|tv|console|guitar|piano|boat)"
         r"(?: is|'s) (?:an? |the )(?!mess|wreck|problem|bit).+", _FACT, "possession.{thing}", 0.5),
    rule(r"(?:I|We)(?:'ve| have)? @ADV(?:sold|crashed|totalled|scrapped|gave away|got rid of) (?:my|our) (?:old )?"
         r"(?P<thing>car|bike|phone|laptop|computer|camera|motorbike|motorcycle|tv|console|guitar|piano|boat)(?: .+)?",
         _FACT, None, 0.5, ends="possession.{thing}"),
    rule(r"(?:I|We) @ADVdrive (?:an? |my )(?!lot|bit|hard).+", _FACT, "possession.car", 0.5, deniable=True),
    rule(r"(?:I|We)(?:'ve)? @ADV(?:have|own|got|bought|have got) (?:an? |two |three |my own )(?:[\w-]+ ){0,4}(?:car|"
         r"van|truck|suv|bike|e-bike|bicycle|motorbike|motorcycle|scooter|boat|house|flat|apartment|cottage|cabin|"
         r"caravan|campervan|garden|guitar|piano|violin|drum kit|camera|telescope|tesla|toyota|volvo|vw|bmw|ford|audi|"
         r"honda|iphone|pixel|macbook|3d printer|driving licen[cs]e|driver'?s licen[cs]e|tattoo|pool)s?(?: .+)?",
         _FACT, None, 0.5, deniable=True),
    rule(r"My (?:new |current )?(?P<thing>email|e-mail|email address|"
         r"phone number|mobile number|shoe size|clothes size|dress size|ring "
         r"size|blood type|blood group|height|star sign|zodiac sign|licen[cs]e plate|postcode|zip code|room number|"
         r"student number|employee number|customer number|locker number|website|blog|instagram|twitter|github|username|"
         r"handle|hobby|team|gym|bank|size|weight|membership number|frequent flyer number|seat|desk)(?: is|'s) (?!like|"
         r"not working|broken|down|slow|full|wrong|bad|ok|fine|good|great|gone|called out).+",
         _FACT, "attribute.{thing}", 0.6),
    rule(r"My hobbies (?:are|include) .+", _PREFERENCE, "hobbies", 0.6),
    rule(r"@IAM (?P<value>\d{2,3} ?cm|1[.,]\d\d ?m|\d ?(?:ft|foot|feet|"
         r"').*)(?: tall)?", _FACT, "attribute.height", 0.5),
    rule(r"I @ADVweigh (?:about |around )?\d[\d.,]* ?(?:kg|kilos?|kilograms?|lbs?|pounds?|stone)\b.*", _FACT,
         "attribute.weight", 0.5),
)  # fmt: skip

RULES = (*IDENTITY, *HOME, *STUDIES, *WORK, *LANGUAGES, *POSSESSIONS)
