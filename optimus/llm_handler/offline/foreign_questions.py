"""The commonest questions about oneself in German, French, Spanish, Portuguese and Italian, as English ones."""

from __future__ import annotations

import re

_PEOPLE = {
    "sister": "schwester sœur soeur hermana irmã sorella",
    "brother": "bruder frère hermano irmão fratello",
    "mother": "mutter mama mère maman madre mamá mãe mamma",
    "father": "vater papa père padre papá pai papà",
    "son": "sohn fils hijo filho figlio",
    "daughter": "tochter fille hija filha figlia",
    "partner": (
        "mann frau freund freundin partner partnerin mari femme copain copine compagnon compagne marido esposo esposa "
        "mujer novio novia pareja mulher namorado namorada companheiro companheira marito moglie fidanzato fidanzata "
        "ragazzo ragazza compagno compagna"
    ),
    "dog": "hund hündin chien chienne perro perra cão cachorro cadela cane",
    "cat": "katze kater chat chatte gato gata gatto gatta",
    "boss": "chef chefin patron jefe jefa chefe capo",
    "aunt": "tante tía tia zia",
    "uncle": "onkel oncle tío tio zio",
    "grandmother": "oma großmutter grand-mère abuela avó nonna",
    "grandfather": "opa großvater grand-père abuelo avô nonno",
}
RELATIONS = {word: english for english, words in _PEOPLE.items() for word in words.split()}
"""What people and pets are called in the five languages, by their English words."""
_THINGS = {
    "farbe": "colour", "couleur": "colour", "color": "colour", "cor": "colour", "colore": "colour", "essen": "food",
    "plat": "food", "comida": "food", "cibo": "food", "piatto": "food", "film": "film", "filme": "film",
    "película": "film", "buch": "book", "livre": "book", "libro": "book", "livro": "book", "musik": "music",
    "musique": "music", "música": "music", "musica": "music", "band": "band", "lied": "song", "chanson": "song",
    "canción": "song", "canzone": "song", "sport": "sport", "deporte": "sport", "esporte": "sport",
    "getränk": "drink", "boisson": "drink", "bebida": "drink", "bevanda": "drink", "tier": "animal",
    "animal": "animal", "animale": "animal",
}  # fmt: skip
_WHO = "|".join(sorted(RELATIONS, key=len, reverse=True))
_WHAT = "|".join(sorted(_THINGS, key=len, reverse=True))
_MY = r"(?:meine?|mon|ma|mi|(?:o |a )?(?:meu|minha)|(?:il |la )?mi[oa])"
_ROWS = (
    ("where do I live", (r"wo (?:wohne|lebe|bin) ich(?: zu ?hause)?|où (?:est-ce que )?j'habite|où (?:est-ce que je "
                         r"vis|"
     r"habité-je|vis-je)|j'habite où|(?:en )?d[oó]nde (?:estoy )?viv(?:o|iendo)(?: yo)?|onde (?:é que )?(?:eu )?"
     r"(?:moro|vivo|resido)|dove (?:abito|vivo)")),
    ("where do I work", (r"(?:wo|bei wem|für wen) arbeite ich|où (?:est-ce que )?je travaille|je travaille où|(?:en |"
                        r"para )?"
     r"(?:d[oó]nde|qui[eé]n) trabajo|(?:onde|para quem) (?:é que )?(?:eu )?trabalho|(?:dove|per chi) lavoro")),
    ("what is my job", (r"was ist mein (?:beruf|job)|was (?:mache|arbeite|bin) ich (?:beruflich|von beruf)|als was "
                       r"arbeite "
     r"ich|welchen beruf habe ich|quel est mon (?:métier|travail|emploi)|qu'est-ce que je fais (?:dans la vie|comme "
     r"(?:travail|métier))|(?:cu[aá]l es|qu[eé] es) mi (?:trabajo|profesión|profesion|oficio)|(?:en qu[eé]|de qu[eé]) "
     r"trabajo|a qu[eé] me dedico|(?:qual é|o que é) (?:o meu|a minha|meu|minha) (?:trabalho|profissão|emprego)|"
     r"(?:em|com) "
     r"(?:o )?que (?:é que )?(?:eu )?trabalho|qual è il mio (?:lavoro|mestiere)|che lavoro faccio")),
    ("what is my name", (r"wie (?:hei(?:ß|ss)e ich|ist mein name)|was ist mein name|comment (?:est-ce que )?je "
                        r"m'appelle|"
     r"(?:quel est|c'est quoi) mon (?:pré)?nom|c[oó]mo me llamo|cu[aá]l es mi nombre|como (?:é que )?(?:eu )?me "
     r"chamo|como "
     r"é que me chamo|qual é (?:o )?meu nome|come mi chiamo|qual è il mio nome")),
    ("how old am I", (r"wie alt bin ich|quel âge (?:est-ce que j'ai|ai-je|j'ai)|j'ai quel âge|cu[aá]ntos años tengo|"
                     r"qu[eé] "
     r"edad tengo|quantos anos (?:é que )?(?:eu )?tenho|que idade (?:é que )?(?:eu )?tenho|quanti anni ho")),
    ("when is my birthday", (r"wann (?:ist mein|habe ich) geburtstag|wann (?:bin|wurde) ich geboren|(?:quand est|c'est "
     r"quand)(?: -?ce que c'est)? mon anniversaire|cu[aá]ndo (?:es|cae) mi cumpleaños|quando (?:é|faço) (?:o )?(?:meu "
     r"aniversário|anos|os meus anos)|quand'è il mio compleanno|quando (?:è il mio|compio) (?:compleanno|gli anni)")),
    ("what am I allergic to", (r"(?:wogegen|worauf|gegen was|auf was) bin ich allergisch|(?:was sind|welche) "
                               r"(?:meine )?"
     r"allergien(?: habe ich)?|(?:habe|hab) ich (?:eine )?allergien?|(?:à quoi (?:est-ce que )?je suis|à quoi suis-je) "
     r"allergique|quelles sont mes allergies|(?:est-ce que j'ai|ai-je) des allergies|a qu[eé] soy al[eé]rgic[oa]|"
     r"(?:tengo|"
     r"cu[aá]les son mis) (?:alguna )?alergias?|(?:a|de) que (?:é que )?(?:eu )?sou alérgic[oa]|(?:tenho|quais são as "
     r"minhas) (?:alguma )?alergias?|a (?:che )?cosa sono allergic[oa]|(?:ho|quali sono le mie) allergie")),
    ("where am I from", (r"woher komme ich|wo bin ich geboren|d'où (?:est-ce que )?je viens|de d[oó]nde soy|de onde "
                        r"(?:é "
     r"que )?(?:eu )?(?:sou|venho)|di dove sono|da dove vengo")),
    ("what do I like", (r"was mag ich(?: gerne?)?|was gefällt mir|qu'est-ce que j'aime|qu[eé] (?:cosas )?me gustan?|"
                       r"do que "
     r"(?:é que )?(?:eu )?gosto|o que (?:é que )?(?:eu )?gosto|(?:che )?cosa mi piace")),
    ("am I vegetarian", (r"bin ich (?:vegetarier(?:in)?|vegetarisch|vegan|veganer(?:in)?)|(?:est-ce que je suis|"
                        r"suis-je) "
     r"(?:végétarien(?:ne)?|végane?|vegan)|soy (?:vegetarian[oa]|vegan[oa])|(?:eu )?sou (?:vegetarian[oa]|"
     r"vegan[oa])|sono "
     r"(?:vegetarian[oa]|vegan[oa])")),
    ("do I have pets", (r"(?:habe|hab) ich (?:ein )?(?:haustiere?|tiere?)|(?:est-ce que j'ai|ai-je) (?:des animaux|un "
     r"animal)|tengo (?:mascotas?|animales)|(?:eu )?tenho (?:animais|um animal)(?: de estimação)?|ho (?:animali|un "
     r"animale)(?: domestici)?")),
    ("what do you know about me", (r"was wei(?:ß|ss)t du (?:alles )?(?:über mich|von mir)|(?:que|qu'est-ce que tu) sais"
     r"(?:-tu)? (?:de|sur) moi|qu[eé] sabes (?:de|sobre) m[ií]|o que (?:é que )?(?:você )?(?:sabes?|sabe) (?:de|"
     r"sobre) mim|"
     r"(?:che )?cosa sai (?:di|su di) me")),
    ("where does my {who} live", (rf"(?:wo (?:wohnt|lebt)|où (?:habite|vit)|d[oó]nde vive|onde (?:é que )?(?:mora|"
                                  rf"vive)|"
     rf"dove (?:vive|abita)) {_MY} (?P<who>{_WHO})|onde (?:é que )?{_MY} (?P<who2>{_WHO}) (?:mora|vive)")),
    ("where does my {who} work", (rf"(?:wo arbeitet|où travaille|d[oó]nde trabaja|onde trabalha|dove lavora) {_MY} "
     rf"(?P<who>{_WHO})")),
    ("what does my {who} do", (rf"(?:was macht|que fait|qu[eé] hace|o que faz|(?:che )?cosa fa|che lavoro fa) {_MY} "
     rf"(?P<who>{_WHO})(?: beruflich| von beruf| dans la vie)?")),
    ("what is my {who} called", (rf"(?:wie hei(?:ß|ss)t|comment s'appelle|c[oó]mo se llama|como se chama|come si "
                                rf"chiama) "
     rf"{_MY} (?P<who>{_WHO})|(?:wer ist|qui est|qui[eé]n es|quem é|chi è) {_MY} (?P<who2>{_WHO})")),
    ("what is my favourite {what}", (rf"was ist meine? lieblings(?P<what>{_WHAT})|(?:quelle? est|quel est) (?:ma|mon) "
     rf"(?P<what2>{_WHAT}) préférée?|cu[aá]l es mi (?P<what3>{_WHAT}) (?:favorit|preferid)[oa]|qual é (?:o |a )?(?:meu|"
     rf"minha) (?P<what4>{_WHAT}) (?:favorit|preferid)[oa]|qual è (?:il |la )?mi[oa] (?P<what5>{_WHAT}) preferit[oa]")),
)  # fmt: skip
_FORMS = tuple((english, re.compile(pattern, re.IGNORECASE)) for english, pattern in _ROWS)
_AROUND = re.compile(
    r"^(?:(?:hallo|hi|sag mal|weißt du|salut|bonjour|dis-moi|hola|oye|olá|oi|ciao|und|et|y|e)[ ,]+)+|"
    r"[ ,]+(?:nochmal|noch mal|eigentlich|gerade|jetzt|denn|bitte|déjà|maintenant|ahora|agora|adesso|ora|por favor|"
    r"s'il te plaît)$",
    re.IGNORECASE,
)


def in_english(question: str) -> str | None:
    """Return the English question that one of another language asks; None where the table does not know it."""
    bare = " ".join(question.replace("’", "'").strip(" ¿?¡!.,").split())
    bare = _AROUND.sub("", _AROUND.sub("", bare))
    for english, pattern in _FORMS:
        match = pattern.fullmatch(bare)
        if match is not None:
            caught = next((value.lower() for value in match.groupdict().values() if value), "")
            return english.format(who=RELATIONS.get(caught, caught), what=_THINGS.get(caught, caught))
    return None
