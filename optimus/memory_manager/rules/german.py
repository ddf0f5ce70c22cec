"""The commonest statements in German."""

from __future__ import annotations

from optimus.memory_manager.rules.foreign import Language, compiled, forms_of, people_of
from optimus.models import MemoryType

_FACT = MemoryType.FACT
_PREFERENCE = MemoryType.PREFERENCE
_RELATIONSHIP = MemoryType.RELATIONSHIP

_DE_PEOPLE = people_of(
    "mutter=mother mama=mother vater=father papa=father schwester=sister bruder=brother sohn=son tochter=daughter "
    "mann=* "
    "frau=* freund=* freundin=* partner=* partnerin=* oma=grandmother großmutter=grandmother opa=grandfather "
    "großvater=grandfather tante=aunt onkel=uncle hund=^dog hündin=^dog katze=^cat kater=^cat pferd=^horse kind=child "
    "geschwister=siblings kinder=children"
)
GERMAN = Language(
    code="de",
    opener=compiled(r"^(?:(?:hallo|hi|guten (?:tag|morgen|abend)|übrigens|also|ach|nein|doch|eigentlich|und|"
                    r"ja)[, ]+){1,3}"),
    closer=compiled(r"[ ,]*\b(?:bitte|danke|übrigens)$"),
    joint=compiled(r"(,? und |, )"),
    starts=compiled(r"(?:ich|mein|meine|wir) \w"),
    bare_verb=compiled(r"(?:wohne|lebe|arbeite|mag|liebe|heiße|komme|habe|esse|trinke) (?!ich)\w"),
    subject="ich ",
    remember=compiled(r"^(?:bitte )?(?:(?:merke?|notiere?) dir(?: bitte)?|vergiss (?:bitte )?nicht|"
                      r"denke? daran)(?:,? dass |: ?|, )(?P<rest>.+)"),
    no_object=compiled(r"(?:das|dies\w*|es|dich|dein\w*|sie|ihn|wie|was|wenn|dass|nicht|hier|einfach)\b"),
    people=_DE_PEOPLE,
    finite=compiled(r"wohne|wohnt|heiße|heißt|bin|ist|habe|hat|mag|arbeite|arbeitet|lebe|lebt|trinke|esse|komme|liebe"),
    forms=forms_of(_DE_PEOPLE, (
        (r"(?:Ich hei(?:ß|ss)e|Mein Name ist|Nenn mich|Nenne mich) (?P<self>.+)", _FACT, "name", 0.95),
        (r"Ich bin (?:\w+ )?allergisch (?:gegen|auf) (?P<value>.+)", _FACT, "allergy.{hash}", 0.95),
        (r"Ich habe eine (?P<value>[\w-]+(?:allergie|unverträglichkeit))", _FACT, "allergy.{hash}", 0.95),
        (r"Ich (?:wohne|lebe) (?:\w+ ){0,2}?(?:in|bei|am|an|auf) .+", _FACT, "home", 0.85),
        (r"Ich bin (?:\w+ ){0,3}?nach .+ (?:um)?gezogen", _FACT, "home", 0.85),
        (r"Ich komme (?:ursprünglich )?aus .+", _FACT, "origin", 0.7),
        ((r"Ich bin (?:jetzt )?(?:kein(?:e)?|nicht mehr) (?P<value>Vegetarier(?:in)?|Veganer(?:in)?|vegan)(?: mehr)?"
         r" => Ich bin {value}"), _PREFERENCE, None, 0.85),
        (r"Ich bin (?:jetzt |seit .+ )?(?:Vegetarier(?:in)?|Veganer(?:in)?|vegan|vegetarisch)|Ich ernähre mich \w+",
         _PREFERENCE, "diet", 0.85),
        (r"Ich bin (?:jetzt )?\d{1,3}(?: Jahre alt)?", _FACT, "age", 0.7),
        (r"Mein Geburtstag ist (?:am )?.+|Ich habe am .+ Geburtstag", _FACT, "birthday", 0.8),
        (r"Ich arbeite (?:jetzt |derzeit )?(?:bei|für) .+", _FACT, "employer", 0.8),
        (r"Ich arbeite (?:jetzt |derzeit )?als .+", _FACT, "job", 0.8),
        ((r"Ich (?:mag|esse|trinke) kein(?:e|"
         r"en)? (?P<value>.+?)(?: mehr)? => Ich mag {value}"), _PREFERENCE, "like.{hash}", 0.6),
        (r"Ich (?:mag|liebe|hasse) (?:sehr |gern |gerne )?(?P<value>.+?)(?: sehr)?", _PREFERENCE, "like.{hash}", 0.55),
        (r"Ich (?:trinke|esse|spiele|lese|höre) (?:sehr )?gerne? (?P<value>.+)", _PREFERENCE, None, 0.55),
        (r"Ich bevorzuge (?P<value>.+)", _PREFERENCE, None, 0.6),
        (r"Meine? Lieblings(?P<value>\w+) ist .+", _PREFERENCE, "favourite.{value}", 0.6),
        (r"Meine? <rel> hei(?:ß|ss)t .+", _RELATIONSHIP, "{who}.name", 0.8),
        (r"Meine? <rel><name> (?:wohnt|lebt) .+", _RELATIONSHIP, "{person}.home", 0.7),
        (r"Meine? <rel><name> arbeitet (?:bei|für) .+", _RELATIONSHIP, "{person}.employer", 0.7),
        (r"Meine? <rel><name> (?:arbeitet als|ist|ist von Beruf) (?P<value>(?-i:[A-ZÄÖÜ])\w+)", _RELATIONSHIP,
         "{person}.job", 0.7),
        (r"Meine? <rel><name> ist allergisch gegen .+", _RELATIONSHIP, None, 0.9),
        (r"Ich habe (?:eine?n?|zwei|drei|vier) <any>(?: .+)?", _RELATIONSHIP, None, 0.7),
    )),
)  # fmt: skip
