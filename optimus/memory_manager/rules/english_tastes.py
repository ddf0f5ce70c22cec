"""Rules for body and taste: allergies, health, diet, likes, favourites, habits, pastimes."""

from __future__ import annotations

import re

from optimus.memory_manager.rules.rule import rule
from optimus.models import MemoryType

_FACT = MemoryType.FACT
_PREFERENCE = MemoryType.PREFERENCE

_NO_OBJECT = re.compile(
    r"(?:to$|theme$|my life|\d|that|this|it|its|these|those|your|yours|you|u|him|her|them|what|how|when|where|why|if|"
    r"the (?:idea|way|first|second|third|last|one|ones|answer|option|version|look|looks|sound|other|result|suggestion|"
    r"latter|former|new)|one|both|either|neither|none|all of|some of|each|to (?:know|see|think|hear|ask|say|thank|"
    r"point|add|have you|make sure|believe|understand|order|book|apologi[sz]e|report|confirm|cancel)|seeing you|"
    r"talking to you|working with you|his|their|our|first|second|third|last|latter|former|other one|"
    r"(?:all )?the (?!beach|sea|ocean|mountains?|outdoors|sun|rain|snow|cold|heat|countryside|city|forest|theat|opera|"
    r"cinema|movies|piano|guitar|violin|smell of|sound of|taste of|colou?r \w|summer|winter|autumn|night|gym|"
    r"(?-i:[A-Z]))|(?:\w+ ){0,3}(?:them|it|him|this|you)\b|so far|option|everything|anything|nothing|something|myself|"
    r"being)\b",
    re.IGNORECASE,
)
_NO_HABIT = re.compile(
    r"(?:said|say|know|knew|think|thought|forget|forgot|wonder|feel|felt|get (?:this|an|the|that|stuck|confused)|"
    r"wanted|want|mean|meant|see|saw|hear|heard|understand|understood|seem|believe|remember|ask|asked|tell|told|got|"
    r"have (?:this|an|the|trouble|problems)|been|need|needed|expect|had|hope|hoped|trust|agree|be|was|were|am|did|"
    r"do (?:that|this|it)|would)\b",
    re.IGNORECASE,
)
_DEICTIC = re.compile(r"\b(?:here|them|you|your|these|those|this one|so far|it)\b(?! rains?| snows?)", re.IGNORECASE)
_NO_ALLERGY = re.compile(r"(?:mondays?|work|stupid|people|you|nonsense|mornings?|bullshit)\b", re.IGNORECASE)


def _has_object(match: re.Match[str]) -> bool:
    return _NO_OBJECT.match(match["value"]) is None and "?" not in match["value"]


def _is_habit(match: re.Match[str]) -> bool:
    return _NO_HABIT.match(match["value"]) is None and _DEICTIC.search(match["value"]) is None


def _is_allergen(match: re.Match[str]) -> bool:
    return _NO_ALLERGY.match(match["value"]) is None


_OBJECT = r"(?P<value>.+)"
_CHOICE = r"(?:an? |the |my |to have |having )?(?P<value>(?:(?!over |to |than |rather )[\w-]+ ){1,2}?(?P<kind>[\w-]+))"
_PLACE = r"(?: (?:on|in|when|for|at|by|over|to|with|if|during) .+)?"

HEALTH = (
    rule(rf"(?:@IM|We're) @ADV(?:allergic|hypersensitive) to {_OBJECT}", _FACT, "allergy.{#value}", 0.95,
         accept=_is_allergen, deniable=True),
    rule(r"I(?:'ve| have)(?: got)? (?:an? )?(?:\w+ )?(?:allergy to|allergies to|intolerance to|anaphylaxis to) "
         rf"{_OBJECT}", _FACT, "allergy.{#value}", 0.95, deniable=True),
    rule(r"(?P<value>[\w ]{2,30}) (?:gives?|give) me (?:hives|a rash|migraines|an allergic reaction)", _FACT,
         "allergy.{#value}", 0.9),
    rule(r"(?:I @ADVhave|I've got|I've had|I have had|I @ADVsuffer from|I live with|I deal with) @ADV(?:severe |"
         r"chronic |"
         r"mild |bad |frequent )?(?:@CONDITION)(?: .+)?", _FACT, None, 0.85, deniable=True),
    rule(r"I(?:'ve been| was| have been|'m)? @ADVdiagnosed with .+", _FACT, None, 0.85),
    rule(rf"I @ADV(?:suffer from) {_OBJECT}", _FACT, None, 0.8, accept=_has_object),
    rule(r"@IM @ADV(?:an? )?(?:@STATE)(?: .+)?", _FACT, None, 0.8, deniable=True),
    rule(r"I @ADVtake (?:[\w-]+ ){1,5}(?:every|each|daily|twice|once|for my|against)\b.*", _FACT, None, 0.8),
    rule(r"I @ADVtake (?:ibuprofen|paracetamol|metformin|insulin|antidepressants|statins|blood thinners|warfarin|"
         r"beta blockers|antihistamines|levothyroxine|aspirin|the pill|vitamin \w+|supplements|medication)\b.*", _FACT,
         None, 0.8, deniable=True),
    rule(r"@IAM @ADVon (?:blood thinners|antidepressants|insulin|medication|statins|beta blockers|the pill)\b.*", _FACT,
         None, 0.8, deniable=True),
    rule(r"I @ADVwear (?:glasses|contact lenses|contacts|hearing aids|a hearing aid|a prosthe\w+|size .+)\b.*", _FACT,
         None, 0.6, deniable=True),
    rule(r"I(?:'ve| have)? @ADV(?:had|have had) (?:\w+ ){0,3}(?:surgery|operation|heart attack|stroke|transplant|"
         r"miscarriage)\b.*", _FACT, None, 0.8),
    rule(r"My (?:blood type|blood group|doctor says i have) .+", _FACT, "attribute.blood type", 0.8),
)  # fmt: skip

DIET = (
    rule(r"@IM @ADV(?P<value>@DIET)(?: .+)?", _PREFERENCE, "diet", 0.85, deniable=True),
    rule(r"I(?:'m| am) on an? (?P<value>[\w-]+(?: [\w-]+)?) diet(?: .*)?", _PREFERENCE, "diet", 0.8, deniable=True),
    rule(r"I @ADV(?:follow|keep|eat|have) (?:an? )?(?:strict )?(?P<value>keto|ketogenic|paleo|kosher|halal|vegan|"
         r"vegetarian|mediterranean|low[- ]carb|low[- ]fodmap|gluten[- ]free|dairy[- ]free|plant[- ]based|raw)"
         r"(?: diet| food| meals?)?(?: .*)?", _PREFERENCE, "diet", 0.8, deniable=True),
    rule(rf"I (?:can't|cannot|may not|am not allowed to|'m not allowed to|must not|mustn't) "
         rf"(?:eat|drink|have|digest|tolerate|consume) {_OBJECT}", _FACT, "consume.{#value}", 0.85, accept=_has_object),
    rule(rf"I (?:@ADV)?(?:eat|drink|consume) {_OBJECT}", _PREFERENCE, "consume.{#value}", 0.6, accept=_has_object,
         confidence=0.75, deniable=True),
    rule(r"I @ADV(?P<value>smoke|drink alcohol|drink|vape)(?: .+)?", _FACT, "habit.{value}", 0.6, deniable=True),
    rule(rf"I @ADV(?:avoid|stay away from|abstain from) (?:eating |drinking )?{_OBJECT}", _PREFERENCE,
         "consume.{#value}", 0.7, accept=_has_object),
    rule(r"I(?:'ve| have)? @ADV(?:quit|stopped|gave up|given up) (?:smoking|drinking|eating|alcohol|sugar|meat|coffee|"
         r"caffeine|dairy|gluten)\b.*", _FACT, None, 0.7),
)  # fmt: skip

TASTES = (
    rule(r"My (?:@ADV)?(?:all[- ]time |absolute |current )?favou?rites? (?P<thing>(?!\w+ (?:in|to|from|of|when|"
         r"that)\b)[\w '-]{2,40}?)(?: is|'s| are| has to be|"
         r" was) .+", _PREFERENCE, "favourite.{thing}", 0.6),
    rule(r"(?P<value>.+?) (?:is|are) my (?:all[- ]time |absolute |new |current )?favou?rites? (?P<thing>[\w '-]{2,40})",
         _PREFERENCE, "favourite.{thing}", 0.6, accept=_has_object),
    rule(rf"I @ADVprefer {_CHOICE}{_PLACE}", _PREFERENCE, "preference.{kind}", 0.65, accept=_has_object),
    rule(rf"I @ADV(?:prefer|'d rather have|favou?r) {_OBJECT}", _PREFERENCE, None, 0.65, accept=_has_object),
    rule(rf"I (?:@ADV)?(?:dis)?(?:like|love|adore|enjoy|loved being) {_OBJECT}", _PREFERENCE, "like.{#value}", 0.55,
         accept=_has_object, deniable=True),
    rule(rf"I (?:@ADV)?(?:hate|detest|loathe|despise|can't stand|cannot stand|can't bear|can't abide) {_OBJECT}",
         _PREFERENCE, "like.{#value}", 0.55, accept=_has_object, deniable=True),
    rule(rf"@IAM @ADV(?:into|fond of|keen on|crazy about|obsessed with|passionate about|interested in|addicted to|"
         rf"an? (?:\w+ )?(?:fan|lover|supporter) of) {_OBJECT}", _PREFERENCE, "like.{#value}", 0.55,
         accept=_has_object, confidence=0.8, deniable=True),
    rule(r"@IAM @ADV(?:an? )(?:(?:big|huge|massive|lifelong|avid|real) )?(?P<value>[\w' -]{2,30}) (?:fan|enthusiast|"
         r"addict)",
         _PREFERENCE, "like.{#value}", 0.55, confidence=0.8, deniable=True),
    rule(r"I @ADVuse (?:an? )?(?:linux|ubuntu|debian|fedora|arch|windows|macos|mac|macbook|iphone|android|pixel|vim|"
         r"emacs|neovim|vs ?code|pycharm|intellij|firefox|chrome|safari|"
         r"kindle)\b.*", _PREFERENCE, None, 0.45, confidence=0.75,
         deniable=True),
    rule(rf"@IAM @ADV(?:afraid of|scared of|terrified of|frightened of) {_OBJECT}", _FACT, "fear.{#value}", 0.6,
         accept=_has_object, confidence=0.8, deniable=True),
    rule(r"@IM @ADV(?:an? )(?:\w+ )?(?:morning person|night owl|early bird|early riser|introvert|extrovert|cat person|"
         r"dog person|people person|coffee drinker|tea drinker|foodie|bookworm|gamer|cyclist|runner|hiker|swimmer|"
         r"feminist|minimalist|heavy sleeper|light sleeper|slow reader|visual learner|perfectionist)(?: .*)?",
         _PREFERENCE, None, 0.5, deniable=True),
    rule(r"I @ADV(?:support|root for) (?P<value>(?!you|this|that|it\b|him|her\b|them|your|my (?:idea|point)|both|"
         r"all\b|and\b|the (?:idea|"
         r"plan|proposal)).+)", _PREFERENCE, None, 0.5, deniable=True),
    rule(r"I @ADVsleep (?:better|badly|well|best|poorly|late|until|about|around|\d).*", _FACT, None, 0.4),
)  # fmt: skip

PASTIMES = (
    rule(r"I (?:usually|normally|typically|generally|often|regularly|rarely|seldom|never|always|mostly|sometimes|"
         r"mainly|tend "
         rf"to|hardly ever|almost never|almost always) {_OBJECT}", _FACT, None, 0.45, accept=_is_habit, confidence=0.75,
         dated=False),
    rule(rf"(?:I|We) {_OBJECT} (?:every|each) (?:other |single )?(?:day|morning|evening|night|week|month|year|summer|"
         rf"winter|"
         r"weekend|\w+day)s?(?: .+)?", _FACT, None, 0.45, accept=_is_habit, confidence=0.8, dated=False),
    rule(rf"(?:I|We) {_OBJECT} (?:on (?:\w+days|weekends)|once an? \w+|twice an? \w+|(?:\w+ )?times a (?:day|week|"
         rf"month|"
         r"year)|in the (?:mornings|evenings))(?: .+)?", _FACT, None, 0.45, accept=_is_habit, confidence=0.8,
         dated=False),
    rule(r"I @ADV(?:play|practi[sc]e) (?!and\b|with fire|dumb|devil|a role|this|that|it\b|"
         r"it safe)(?:the )?[\w-]+(?: .+)?",
         _FACT, None, 0.5, deniable=True),
    rule(r"I @ADVdo (?:yoga|pilates|judo|karate|crossfit|boxing|tai chi|gymnastics|ballet|pottery|martial arts|"
         r"climbing|"
         r"triathlons?|volunteer work|woodworking|cross-stitch|meditation)\b.*", _FACT, None, 0.5, deniable=True),
    rule(r"I @ADV(?:collect|brew|breed|restore|knit|crochet|garden|meditate|volunteer|sew|surf|ski|snowboard|swim|"
         r"cycle|hike|climb|dance|juggle|sail|fish|hunt|bake|paint|sing)(?! you| (?:this|that|it|data|info\w*|"
         r"logs?)\b)(?: .+)?",
         _FACT, None, 0.45, confidence=0.8, deniable=True),
    rule(r"@IAM @ADV(?:training for|preparing for|saving (?:up )?for|writing (?:an?|my|the) (?:\w+ )?(?:novel|book|"
         r"thesis|dissertation|memoir)|renovating|restoring|building an? (?:house|boat|shed|cabin|guitar)|"
         r"expecting (?:a baby|twins|our|my)|trying for a baby)(?: .*)?", _FACT, None, 0.6),
)  # fmt: skip

RULES = (*HEALTH, *DIET, *TASTES, *PASTIMES)
