"""Words that the English rules know: alternations for patterns, and checks on what a pattern caught."""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

PARTNER = "wife|husband|partner|spouse|girlfriend|boyfriend|fiancé|fiancée|fiance|fiancee"
FAMILY = (
    "mother-in-law|father-in-law|sister-in-law|brother-in-law|son-in-law|daughter-in-law|in-laws|stepmother|stepfather|"
    "stepmom|stepdad|stepbrother|stepsister|stepson|stepdaughter|grandmother|grandma|granny|nana|grandfather|grandpa|"
    "grandad|granddad|grandparents|grandson|granddaughter|grandchildren|grandkids|mother|mom|mum|mama|mommy|mummy|"
    "father|dad|daddy|papa|parents|sisters|sister|brothers|brother|siblings|sibling|sons|son|daughters|daughter|kids|"
    "kid|children|child|baby|twins|aunt|auntie|uncle|cousins|cousin|niece|nephew|godmother|godfather|godson|"
    "goddaughter|ex-wife|ex-husband|ex-girlfriend|ex-boyfriend|ex|family"
)
OTHERS = (
    "best friends|best friend|friends|friend|best mate|mates|mate|pal|buddy|colleagues|colleague|coworkers|coworker|"
    "co-workers|co-worker|boss|manager|"
    "team lead|supervisor|assistant|business partner|roommates|roommate|flatmates|flatmate|housemate|neighbours|"
    "neighbour|neighbors|neighbor|teacher|professor|doctor|GP|dentist|therapist|physiotherapist|psychologist|lawyer|"
    "accountant|landlord|landlady|mentor|coach|trainer|tutor|nanny|babysitter|hairdresser|cleaner|gardener|vet"
)
PETS = (
    "dogs|dog|puppies|puppy|cats|cat|kittens|kitten|rabbits|rabbit|bunny|hamsters|hamster|guinea pigs|guinea pig|"
    "parrots|parrot|budgies|budgie|canary|horses|horse|pony|goldfish|fish|tortoise|turtles|turtle|snake|lizard|gecko|"
    "ferret|birds|bird|chickens|goats|goat|pets|pet"
)
PEOPLE = f"{PARTNER}|{FAMILY}|{OTHERS}|{PETS}"
PERSON_QUALITY = (
    "older|younger|elder|eldest|oldest|youngest|big|little|baby|twin|half|late|other|first|second|third|middle|ex|new|"
    "old|only|family|former|close|closest|dear|good|oldest|childhood|school"
)

CONDITIONS = (
    "asthma|diabetes|type [12] diabetes|epilepsy|adhd|add|autism|asperger'?s?|depression|anxiety|ptsd|ocd|dyslexia|"
    "migraines?|chronic migraines?|eczema|psoriasis|arthritis|rheumatoid arthritis|celiac disease|coeliac disease|"
    "crohn'?s(?: disease)?|ulcerative colitis|ibs|hypertension|high blood pressure|low blood pressure|high cholesterol|"
    "hypothyroidism|hashimoto'?s?|endometriosis|pcos|tinnitus|insomnia|sleep apn(?:o?e)a|hay fever|cancer|"
    "multiple sclerosis|ms|parkinson'?s?|lupus|gout|scoliosis|narcolepsy|a pacemaker|a heart condition|a bad back|"
    "a bad knee|back problems|heart problems|vertigo|hiv|long covid|an? (?:\\w+ ){0,3}(?:allergy|allergies|intolerance|"
    "disability|disorder|phobia)|(?:\\w+ ){0,3}(?:allergy|allergies|intolerance)"
)
STATES = (
    "diabetic|asthmatic|epileptic|autistic|dyslexic|(?:lactose|gluten|fructose|histamine)[- ]intolerant|coeliac|celiac|"
    "colou?r[- ]?blind|deaf|blind|hard of hearing|left[- ]handed|right[- ]handed|ambidextrous|short[- ]?sighted|"
    "near[- ]?sighted|far[- ]?sighted|anaemic|anemic|pregnant|claustrophobic|a diabetic|a smoker|a non[- ]?smoker|"
    "sober|in a wheelchair|a wheelchair user"
)
DIETS = (
    "(?:a |an )?(?:strict |lifelong |ovo-lacto )?(?:vegetarian|vegan|pescatarian|pescetarian|flexitarian|omnivore|"
    "teetotal|teetotaller|teetotaler)|plant[- ]based"
)
MARITAL = "single|married|engaged|divorced|widowed|separated|in a relationship|a widow|a widower"
RELIGIONS = (
    "(?:an? )?(?:Christian|Catholic|Protestant|Orthodox|Muslim|Jewish|Jew|Hindu|Buddhist|Sikh|atheist|agnostic|"
    "Lutheran|Baptist|Mormon|Quaker)"
)
LANGUAGES = (
    "English|German|French|Spanish|Portuguese|Italian|Dutch|Danish|Swedish|Norwegian|Finnish|Icelandic|Polish|Czech|"
    "Slovak|Hungarian|Romanian|Bulgarian|Greek|Turkish|Russian|Ukrainian|Serbian|Croatian|Slovenian|Bosnian|Albanian|"
    "Lithuanian|Latvian|Estonian|Arabic|Hebrew|Persian|Farsi|Urdu|Hindi|Bengali|Punjabi|Tamil|Telugu|Gujarati|Marathi|"
    "Chinese|Mandarin|Cantonese|Japanese|Korean|Vietnamese|Thai|Indonesian|Malay|Tagalog|Swahili|Irish|Welsh|Catalan|"
    "Basque|Galician|Latin|Esperanto|sign language"
)
NATIONALITIES = (
    "Portuguese|German|French|Spanish|Italian|Dutch|Danish|Swedish|Norwegian|Finnish|Icelandic|Polish|Czech|Slovak|"
    "Hungarian|Romanian|Bulgarian|Greek|Turkish|Russian|Ukrainian|Serbian|Croatian|Slovenian|Bosnian|Albanian|"
    "Lithuanian|Latvian|Estonian|British|English|Scottish|Welsh|Irish|American|Canadian|Mexican|Brazilian|Argentinian|"
    "Argentine|Chilean|Colombian|Peruvian|Venezuelan|Cuban|Australian|Indian|Pakistani|Bangladeshi|Chinese|Taiwanese|"
    "Japanese|Korean|Vietnamese|Thai|Indonesian|Malaysian|Filipino|Filipina|Iranian|Persian|Iraqi|Israeli|Lebanese|"
    "Syrian|Egyptian|Moroccan|Algerian|Tunisian|Nigerian|Ghanaian|Kenyan|Ethiopian|South African|Swiss|Austrian|"
    "Belgian|Luxembourgish|European|African|Asian|Latino|Latina|Angolan|Nepali|Afghan|Saudi|Singaporean"
)
EVENTS = (
    "appointment|meeting|interview|exam|test|flight|train|ferry|date|party|wedding|surgery|operation|concert|trip|"
    "vacation|holiday|holidays|class|lesson|game|match|presentation|deadline|call|dinner|lunch|brunch|reservation|"
    "booking|check-?up|conference|marathon|race|ceremony|graduation|hearing|show|recital|viewing|delivery|visit|"
    "workshop|course|checkout|check-in|audition|scan|therapy session|session|funeral|exhibition|"
    "thesis defence|thesis defense|driving test|release|launch|performance review|shift"
)
TIME_ONLY = "now|today|these days|at the moment|at present|currently|nowadays|right now|anymore|any more|any longer"

_PROFESSIONS = _words(
    """accountant actor actress analyst architect artist astronaut athlete attorney barber barista bartender builder
    butcher carpenter carer cashier chef chemist cleaner clerk coach composer consultant cook copywriter curator
    dancer dentist designer detective developer diplomat director doctor dj driver economist editor electrician
    engineer entrepreneur executive farmer filmmaker firefighter fireman fisherman florist freelancer gardener
    guard hairdresser historian illustrator instructor interpreter investor janitor jeweller journalist judge
    lawyer lecturer librarian lifeguard linguist locksmith magistrate manager marketer mason mathematician
    mechanic midwife miner model musician nanny nurse officer optician painter paramedic pastor pharmacist
    photographer physicist physiotherapist pianist pilot plumber poet policeman policewoman politician postman
    potter priest principal producer professor programmer psychiatrist psychologist publisher rabbi radiologist
    realtor receptionist recruiter reporter researcher retailer sailor salesman salesperson saleswoman scientist
    sculptor secretary singer smith sociologist soldier solicitor statistician steward stewardess student surgeon
    surveyor tailor teacher technician therapist trader trainer translator tutor underwriter undertaker vet
    veterinarian vicar violinist waiter waitress warden welder writer admin administrator apprentice intern
    trainee postdoc retiree pensioner housewife homemaker landlord ceo cto cfo coo founder cofounder co-founder
    freelance paralegal sommelier baker brewer blogger youtuber streamer"""
)
_NOT_PROFESSIONS = _words(
    """believer beginner loser fighter winner newcomer stranger foreigner customer user member lover hater reader
    listener owner sleeper thinker traveller traveler speaker learner optimist pessimist perfectionist realist
    starter player gamer drinker smoker eater mother father brother sister daughter follower subscriber swimmer
    runner hiker biker cyclist feminist minimalist father-in-law mother-in-law monster disaster failure number
    matter bother character little bit better helper visitor quitter person human sucker"""
)
_SUFFIXES = ("ologist", "ician", "ographer", "analyst", "engineer", "worker", "keeper", "maker", "ist", "er", "or")
_TAIL = re.compile(
    r"\s+(?:at|for|in|with|of|from|by|on|and|who|speciali[sz]ing|near|but|working|based|now|today|currently|these|nowadays|since|again|instead)\b.*",
    re.IGNORECASE,
)

_NOT_NAMES = _words(
    """sorry fine ok okay here there back done tired sure happy sad good great well ready late early busy sick ill
    home alone free bored hungry thirsty new old not just also still very really so too quite now never always in
    on at to from of a an the my your this that it if when while because confused lost stuck afraid worried
    excited glad proud curious interested looking trying going working thinking wondering asking writing using
    able unable about almost later tomorrow tonight soon crazy names whatever anything something out off up down
    only yes no maybe important secret unknown private none nothing correct wrong spelled pronounced too taxi
    doctor police ambulance monday tuesday wednesday thursday friday saturday sunday january february march june
    july august september october november december hot cold cool available asleep awake online offline him her
    them you me us dead alive done gone finished drunk sober starving exhausted broke broken blessed doomed
    kidding joking batman superman spiderman spider-man ironman joker spartacus legion groot god jesus satan santa
    cinderella tarzan hulk thor gandalf dumbledore voldemort zorro rambo terminator everybody everyone somebody
    someone nobody anybody human mortal royalty famous smart stupid totally absolutely definitely probably"""
)
_NATIONALITY = re.compile(rf"(?:{NATIONALITIES}|{RELIGIONS})(?:[- ]\w+)?", re.IGNORECASE)
_NAME_WORD = re.compile(r"[^\W\d_][\w'-]*\.?")


_MAX_JOB_WORDS = 5
_MIN_JOB_CHARS = 4
_MAX_NAME_WORDS = 4
_MAX_NAME_CHARS = 30
_MAX_INITIALS = 2


def is_profession(phrase: str) -> bool:
    """Tell whether a noun phrase without its article names what somebody does (`software engineer at Acme`)."""
    words = _TAIL.sub("", phrase).split()
    if not words or len(words) > _MAX_JOB_WORDS:
        return False
    head = words[-1].lower().strip(",.")
    if head in _NOT_PROFESSIONS or words[0].lower() in {"bit", "little", "lot", "big", "huge", "fan", "good", "bad"}:
        return False
    return head in _PROFESSIONS or (len(head) > _MIN_JOB_CHARS and head.endswith(_SUFFIXES))


def is_name(text: str) -> bool:
    """Tell whether `text` can be a person's name: up to four words, none of them an everyday one."""
    words = text.split()
    if not 1 <= len(words) <= _MAX_NAME_WORDS or not all(_NAME_WORD.fullmatch(word) for word in words):
        return False
    return words[0].lower() not in _NOT_NAMES and not (len(words) == 1 and len(text) > _MAX_NAME_CHARS)


def is_own_name(text: str) -> bool:
    """Tell whether `I'm TEXT` introduces somebody: capitalized, no adjective, no people, no participle."""
    words = text.split()
    if not is_name(text) or len(words) == _MAX_NAME_WORDS or not all(word[0].isupper() for word in words):
        return False
    if len(words[0]) == 1 or (text.isupper() and len(text) > _MAX_INITIALS) or _NATIONALITY.fullmatch(text):
        return False
    return not words[-1].lower().endswith(("ing", "ed", "ful", "ous", "less"))


_RELATION_KEYS = {
    "mother": "mom mum mama mommy mummy",
    "father": "dad daddy papa",
    "grandmother": "grandma granny nana",
    "grandfather": "grandpa grandad granddad",
    "children": "kids",
    "child": "kid baby",
    "aunt": "auntie",
    "neighbour": "neighbor",
    "neighbours": "neighbors",
    "dog": "puppy",
    "cat": "kitten",
    "coworker": "co-worker",
}
_CANONICAL = {word: key for key, words in _RELATION_KEYS.items() for word in words.split()}
_PARTNERS = frozenset(PARTNER.split("|"))
_PETS = frozenset(PETS.split("|"))
_OTHERS = frozenset(OTHERS.split("|"))
_MANY = frozenset({"friend", "colleague", "coworker", "co-worker", "neighbour", "neighbor", "cousin"})


def person_key(relation: str, name: str | None) -> str | None:
    """Return the slot prefix of somebody: `relative.sister.maria`, `partner`, `pet.dog.rex`, `person.boss`.

    None where the words do not single anybody out (`my friend`).
    """
    words = relation.lower().split()
    bare = " ".join(word for word in words if f" {word} " not in f" {PERSON_QUALITY.replace('|', ' ')} ") or words[-1]
    if bare in _PARTNERS and "ex" not in words:
        return "partner"
    if bare in _MANY and not name and bare == " ".join(words):
        return None
    quality = " ".join(words).removesuffix(bare).strip()
    base = _CANONICAL.get(bare, bare)
    kind = "pet" if bare in _PETS else "person" if bare in _OTHERS else "relative"
    parts = [kind, f"{quality} {base}".strip(), name.lower() if name else ""]
    return ".".join(part for part in parts if part)
