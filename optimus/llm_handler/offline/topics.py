"""What people ask about: for each topic, how it is asked, which slots answer it and how answers read."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One thing that can be asked about anybody."""

    name: str
    asked: re.Pattern[str]
    slots: tuple[str, ...]
    """A memory answers when its slot, or the last part of it, starts with one of these."""
    answered: re.Pattern[str]
    """How a memory reads that answers, where no slot tells."""
    unless: re.Pattern[str] | None = None
    """How a memory reads that does not answer, whatever else it says."""
    is_single: bool = False
    """One answer holds at a time: the newest of the best."""
    needs_object: bool = False
    """The thing asked about must occur: one favourite says nothing about another."""
    tells_nearby: bool = False
    """What is known nearby is worth saying even where the thing asked about is not."""
    is_list: bool = False
    """Every memory that answers is worth showing, not only the best."""


_NEGATIVE = r"\b(?:don't|doesn't|do not|does not|no longer|hates?|dislikes?|can't stand|detest|not)\b"
_EVENT = (
    r"appointment|meeting|interview|exam|flight|trip|wedding|surgery|concert|party|holiday|vacation|deadline|dentist|"
    r"fly|flying|travel\w*|going to|have to|need to|'ll"
)
_PET = (
    r"dog|cat|puppy|kitten|rabbit|hamster|parrot|horse|pony|fish|turtle|tortoise|bird|pets?|hund|katze|chien|perro|"
    r"gato|cão|cane"
)
_FAMILY = (
    r"mother|mom|mum|father|dad|parents|sister|brother|siblings|sons?|daughters?|kids?|child|children|wife|husband|"
    r"partner|girlfriend|boyfriend|fianc|grand\w+|aunt|uncle|cousin|niece|nephew|married|engaged"
)
_HEALTH = (
    r"asthma|diabet|epilep|adhd|autis|depress|anxiety|migraine|eczema|arthritis|coeliac|celiac|crohn|hypertension|"
    r"blood pressure|insomnia|cancer|diagnosed|suffer|pregnant|medication|tablets?|pills?|insulin|metformin|ibuprofen|"
    r"surgery|disab|blind|deaf|glasses|broke my|allerg|intoleran|blood type|hay fever"
)


def _topic(name: str, asked: str, slots: str, answered: str, *, unless: str | None = None, flags: str = "") -> Topic:
    return Topic(
        name=name,
        asked=re.compile(asked, re.IGNORECASE),
        slots=tuple(slots.split()),
        answered=re.compile(answered, re.IGNORECASE),
        unless=re.compile(unless, re.IGNORECASE) if unless else None,
        is_single="single" in flags,
        needs_object="object" in flags,
        tells_nearby="near" in flags,
        is_list="list" in flags,
    )


TOPICS = (
    _topic("allergies", r"allerg|intoleran", "allergy", r"allerg|intoleran|hives|anaphyl", flags="near list"),
    _topic("birthday", r"birthday|date of birth|\b(?:when|what (?:day|year|date))\b.*\bborn\b", "birthday birth_year",
           r"birthday|\bborn\b.* on \d|\bborn\b.*\d{1,2} [A-Za-z]{3,9} \d{4}|\bborn in (?:19|20)|geburtstag|"
           r"anniversaire|cumpleaños|aniversário|"
           r"compleanno", flags="single"),
    _topic("age", r"\bhow old\b|\bage\b|years old", "age birthday birth_year",
           r"\b\d+ years old\b|i'm \d+$|i am \d+$|\bis \d+$|\bborn (?:on|in) .*\d|turned \d+|birthday|\d+ (?:jahre|ans|"
           r"años|anos|anni)\b", unless=r"^(?!.*\d{4}).*(?:birthday|\bborn\b)", flags="single"),
    _topic("home", r"^(?!.*for a living).*\bwhere\b.*\b(?:live|lives|living|based|stay|staying|reside|home)\b|\b(?:my|"
                   r"his|her|'s) (?:home|address|city|town)\b|"
           r"\bwhich (?:city|town|country)\b|\b(?:do|does|am|is) .*\b(?:live|living)\b(?<!for a living)|\bwo wohn|"
           r"\bwhat(?:'s| is) .*\baddress\b",
           "home address", r"\b(?:live|lives|living|moved|based in|home is|relocated|reside|address|wohn\w+|lebe|"
                           r"habit\w*|vivo|vive|moro|mora|"
           r"abit[oa])\b",
           unless=r"\b(?:used to|no longer|any ?more|don't live|doesn't live|not live|nicht mehr|n'habite plus|"
                  r"ya no|já não|non .* più)\b", flags="single"),
    _topic("origin", r"\bwhere\b.*\bfrom\b|\bborn\b|\bgr[eo]w up\b|hometown|home town|nationality|birthplace",
           "origin birthplace hometown nationality", r"\b(?:from|born in|grew up|hometown|nationality|"
                                                     r"aus)\b", flags="single"),
    _topic("employer", r"\bwhere\b.*\bwork|\bwho\b.*\bwork for\b|employer|\bcompany\b|workplace|\b(?:do|"
                       r"does) .*\bwork\b",
           "employer job business", r"\b(?:work|works|working|employed|job at|joined|arbeite|travaille|trabajo|"
                                    r"trabalho|lavoro)\b",
           unless=r"\b(?:no longer|used to|don't|doesn't|(?:cycle|walk|drive|go|commute|get|run|bike|bus|train|way|"
                  r"way home) "
                  r"(?:to|from) work)\b", flags="near"),
    _topic("job", r"\bwhat (?:do|does) .+ do\b(?! (?:on|in|at|when|every|if|today|tomorrow|tonight|this|next))|"
                  r"\bjob\b|profession|occupation|"
                  r"for a living|\brole\b|career",
           "job employer business studies", r"\b(?:work|works|working|jobs?|profession|retired|freelanc\w+|teach\w*|"
                                            r"stud(?:y|ies|ying|ent))\b|"
           r"\b(?:i'm|i am|is) an? \w+|\barbeite", unless=r"\b(?:no longer|used to|allergic)\b"),
    _topic("studies", r"\bstud(?:y|ying|ies|ied)\b|\bmajor\b|\bdegree\b|\buniversity\b|\bcollege\b|"
                      r"\bschool\b", "studies school",
           r"\b(?:stud\w+|degree|university|college|school|graduat\w+|major\w*)\b"),
    _topic("marital", r"\bam i (?:married|single|engaged|divorced)|relationship status|married to\b", "marital partner",
           r"\b(?:married|single|engaged|divorced|widow\w*|wife|husband|partner|girlfriend|boyfriend)\b"),
    _topic("pets", rf"\bpets?\b|\banimals?\b|\bhave (?:an? |"
                   rf"any )?(?:{_PET})s?\b", "pet", rf"\b(?:{_PET})s?\b", flags="list"),
    _topic("vehicle", r"\b(?:car|vehicle|motorbike|motorcycle|bike|bicycle)\b.*\b(?:have|own|drive|ride|got)\b|"
           r"\bwhat do i (?:drive|ride)\b|\b(?:my|which|what) (?:car|vehicle|motorbike|motorcycle|bike|bicycle)\b", "",
           r"\b(?:drive|drives|ride|rides)\b|\b(?:car|vehicle|motorbike|motorcycle|bike|bicycle)\b",
           unless=r"\b(?:drive|drives|ride|rides) (?:to|home)\b"),
    _topic("family", r"\bfamily\b|\brelatives\b", "relative partner", rf"\b(?:{_FAMILY})", flags="list"),
    _topic("languages", r"\blanguages?\b|\bspeak\b", "native_language", r"\b(?:speak|speaks|fluent|language|tongue|"
                                                                        r"learning)\b",
           flags="near list"),
    _topic("favourite", r"\bfavou?rites?\b", "favourite", r"\bfavou?rites?\b|\bprefer", flags="object"),
    _topic("preference", r"\bprefer", "preference favourite", r"\bprefer|\bfavou?rite|\brather\b"),
    _topic("dislikes", r"\b(?:what|which|who)\b.*\b(?:hate|dislike|don't i|not like|can't i stand|can't stand)\b|"
                       r"\bmy dislikes\b", "",
           _NEGATIVE),
    _topic("likes", r"\b(?:do|does|did) .*\b(?:like|love|enjoy|hate|dislike|into)\b|\bwhat\b.*\b(?:like|love|enjoy|"
                    r"into)\b|\b(?:likes|interests|"
           r"hobb(?:y|ies)|taste)\b|\b(?:am|is) .*\b(?:into|fan of|fond of|"
           r"interested in)\b", "like hobbies favourite preference",
           r"\b(?:likes?|loves?|enjoys?|fan of|into|hates?|dislikes?|stand|adores?|prefers?|favou?rite|hobb\w+|fond of|"
           r"interested in|mag|aime|"
           r"gusta\w*|gosto|piace|collect|play)\b", flags="list"),
    _topic("diet", r"\b(?:vegetarian|vegan|pescatarian|diet|halal|kosher)\b|\b(?:eat|cook|recipe|snack|dinner|lunch|"
                   r"breakfast|restaurant|meal|"
           r"food|drink)\b", "diet allergy consume like "
                             "favourite", r"\b(?:vegetari\w+|vegan\w*|pescatarian|diet|allerg\w*|intoleran\w*|eat|eats|"
           r"drink|halal|kosher|gluten|coeliac|celiac|keto)\b", flags="near list"),
    _topic("health", r"\bhealth\b|\bconditions?\b|\billness|\bdisease|medic(?:ation|ine)|\bpills?\b|disabilit|\bsick\b|"
                     r"diagnos", "allergy attribute.blood",
           rf"\b(?:{_HEALTH})", flags="near list"),
    _topic("goals", r"\bgoals?\b|\bdreams?\b|ambition|resolution|\bwant to (?:achieve|become|learn)\b", "",
           r"\b(?:goal|dream|ambition|resolution|want to|plan to|planning to|hope to|training for|saving)\b"),
    _topic("plans", r"\bplans?\b|\bschedule\b|\bcalendar\b|coming up|upcoming|\bagenda\b|appointments\b|\bwhat (?:do|"
                   r"am) i (?:have|doing|need to do)\b|\bwhat(?:'s| is| do i have) on (?:\w+day|today|tomorrow)|"
           r"have (?:anything )?on\b", "event", rf"(?=.*\d)(?=.*(?:{_EVENT}))", flags="list"),
    _topic("instructions", r"\bhow\b.*\b(?:answer|reply|"
                           r"respond)\b", "answers", r"^(?:always |please )?(?:answer|reply|respond|keep|use|don't)\b"),
    _topic("name", r"\b(?:my|his|her|'s) (?:\w+ )?(?:sur)?name\b|\bam i called\b|\bwho am i\b|\bcall me\b", "name",
           r"\b(?:my (?:\w+ )?(?:sur)?name|call me|i'm called|i go by|mein name|ich heiße|m'appelle|me llamo|chamo-me|"
           r"mi chiamo)\b|"
           r"^I(?:'m| am) [A-Z]\w+(?: [A-Z]\w+)?$|to be called", flags="single"),
)  # fmt: skip

NAME_OF = re.compile(
    r"\b(?:an?|one) (?:[\w-]+ ){1,3}?[\w-]+, (?-i:[A-ZÀ-Þ])\w+|"
    r"\b(?:called|named|names?|nickname|heißt|s'appelle|se llama|chama-se|si chiama)\b|^(?:My|"
    r"Our) [a-z -]+ (?-i:[A-Z])\w+|^(?-i:[A-Z])\w+(?: (?-i:[A-Z])\w+)? is (?:my|our)\b|\b(?:married|"
    r"engaged) to (?-i:[A-Z])",
    re.IGNORECASE,
)
"""How a memory reads that says what somebody is called."""


EATING_LIMITS = re.compile(
    r"allerg|intoleran|coeliac|celiac|diabet|\bpregnant|vegetarian|vegan|halal|kosher|gluten|lactose|\bdiet\b|can't "
    r"(?:eat|"
    r"drink|have)|\bgout\b|crohn|\bdon't (?:eat|drink)\b|blood thinners|warfarin",
    re.IGNORECASE,
)
"""How a memory reads that bears on what somebody may eat."""


def topic_of(question: str) -> Topic | None:
    """Return the first topic that is asked about."""
    return next((topic for topic in TOPICS if topic.asked.search(question)), None)
