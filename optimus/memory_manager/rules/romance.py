"""The commonest statements in French, Spanish, Portuguese and Italian."""

from __future__ import annotations

from optimus.memory_manager.rules.foreign import Language, compiled, forms_of, people_of
from optimus.models import MemoryType

_FACT = MemoryType.FACT
_PREFERENCE = MemoryType.PREFERENCE
_RELATIONSHIP = MemoryType.RELATIONSHIP

_FR_PEOPLE = people_of(
    "mère=mother maman=mother père=father papa=father sœur=sister soeur=sister frère=brother fils=son fille=daughter "
    "mari=* "
    "femme=* copain=* copine=* compagnon=* compagne=* tante=aunt oncle=uncle cousin=cousin cousine=cousin chien=^dog "
    "chienne=^dog chat=^cat chatte=^cat enfant=child"
)
FRENCH = Language(
    code="fr",
    opener=compiled(r"^(?:(?:bonjour|salut|bonsoir|au fait|alors|non|en fait|oui|et)[, ]+){1,3}"),
    closer=compiled(r"[ ,]*(?:s'il te plaît|s'il vous plaît|merci)$"),
    joint=compiled(r"(,? et |, )"),
    starts=compiled(r"(?:je |j'|mon |ma |mes |nous )\w"),
    bare_verb=compiled(r"(?:habite|vis|travaille|adore|déteste) \w"),
    subject="je ",
    remember=compiled(r"^(?:(?:souviens|rappelle)-toi|retiens|n'oublie pas|note)(?: bien)?(?: que |: ?|"
                      r" qu')(?P<rest>.+)"),
    no_object=compiled(r"(?:ça|cela|ce|bien|te|t'|ta|ton|tes|vous|votre|que|quand|comment|l'idée|le (?:premier|"
                       r"deuxième))\b"),
    people=_FR_PEOPLE,
    forms=forms_of(_FR_PEOPLE, (
        (r"(?:Je m'appelle|Mon (?:pré)?nom est|Appelle-moi) (?P<self>.+)", _FACT, "name", 0.95),
        (r"Je suis (?:\w+ )?allergique (?:à la |à l'|aux |au |à )(?P<value>.+)", _FACT, "allergy.{hash}", 0.95),
        ((r"(?:J'habite|Je vis|Je habite) (?:maintenant |actuellement |désormais )?(?:à|en|au|aux|dans|"
         r"près) .+"), _FACT, "home", 0.85),
        (r"J'ai déménagé (?:à|en|au|aux) .+", _FACT, "home", 0.85),
        (r"Je viens de (?P<value>(?-i:[A-ZÀ-Þ]).+)", _FACT, "origin", 0.7),
        (r"Je suis (?:maintenant )?(?:végétarien(?:ne)?|végane?|vegan|végétalien(?:ne)?)", _PREFERENCE, "diet", 0.85),
        ((r"Je ne suis (?:plus|pas) (?P<value>végétarien(?:ne)?|végane?|"
         r"vegan) => Je suis {value}"), _PREFERENCE, None, 0.85),
        (r"J'ai \d{1,3} ans", _FACT, "age", 0.7),
        (r"Mon anniversaire est le .+", _FACT, "birthday", 0.8),
        (r"Je travaille (?:maintenant )?(?:chez|pour) .+", _FACT, "employer", 0.8),
        (r"Je travaille (?:maintenant )?comme .+", _FACT, "job", 0.8),
        ((r"Je n'aime (?:pas|plus) (?:beaucoup )?(?P<value>(?:le |la |les |"
         r"l').+) => J'aime {value}"), _PREFERENCE, "like.{hash}", 0.6),
        (r"(?:J'aime|J'adore|Je déteste|Je adore) (?P<value>(?:le |la |les |l').+)", _PREFERENCE, "like.{hash}", 0.55),
        (r"Je préfère (?P<value>.+)", _PREFERENCE, None, 0.6),
        (r"(?:Mon|Ma) (?P<value>\w+) préférée? est .+", _PREFERENCE, "favourite.{value}", 0.6),
        (r"(?:Mon|Ma) <rel> s'appelle .+", _RELATIONSHIP, "{who}.name", 0.8),
        (r"(?:Mon|Ma) <rel><name> (?:habite|vit) .+", _RELATIONSHIP, "{person}.home", 0.7),
        ((r"(?:Mon|Ma) <rel><name> est (?:infirmi|médecin|profess|ingénieur|avocat|enseignant|étudiant|architecte|"
         r"journaliste)\w*.*"),
         _RELATIONSHIP, "{person}.job", 0.7),
        (r"(?:Mon|Ma) <rel><name> est allergique .+", _RELATIONSHIP, None, 0.9),
        (r"J'ai (?:une?|deux|trois|quatre) <any>(?: .+)?", _RELATIONSHIP, None, 0.7),
    )),
)  # fmt: skip

_ES_PEOPLE = people_of(
    "madre=mother mamá=mother padre=father papá=father hermana=sister hermano=brother hijo=son hija=daughter marido=* "
    "esposo=* "
    "esposa=* mujer=* novio=* novia=* pareja=* tía=aunt tío=uncle abuela=grandmother abuelo=grandfather perro=^dog "
    "perra=^dog "
    "gato=^cat gata=^cat prima=cousin primo=cousin"
)
SPANISH = Language(
    code="es",
    opener=compiled(r"^(?:(?:hola|buenos días|buenas|por cierto|bueno|no,|en realidad|sí|y|yo)[, ]+){1,3}"),
    closer=compiled(r"[ ,]*(?:por favor|gracias)$"),
    joint=compiled(r"(,? y |, )"),
    starts=compiled(r"(?:me|mi|mis|yo|vivo|soy|tengo|trabajo|no me|prefiero|odio) \w"),
    bare_verb=compiled(r"(?!)"),
    subject="",
    remember=compiled(r"^(?:recuerda|no olvides|ten en cuenta|anota|apunta)(?: que |: ?)(?P<rest>.+)"),
    no_object=compiled(r"(?:eso|esto|esta|este|tu|tus|que|cuando|cómo|la idea|lo que)\b"),
    people=_ES_PEOPLE,
    forms=forms_of(_ES_PEOPLE, (
        (r"(?:Me llamo|Mi nombre es|Llámame) (?P<self>.+)", _FACT, "name", 0.95),
        ((r"(?:Soy|Tengo) (?:muy )?alérgic[oa] (?:al |a la |a los |a las |"
         r"a )(?P<value>.+)"), _FACT, "allergy.{hash}", 0.95),
        (r"Tengo alergia (?:al |a la |a los |a las |a )(?P<value>.+)", _FACT, "allergy.{hash}", 0.95),
        (r"(?:Vivo|Ahora vivo|Resido) (?:ahora |actualmente )?en (?P<value>.+)", _FACT, "home", 0.85),
        (r"Me (?:he mudado|mudé) a .+", _FACT, "home", 0.85),
        (r"Soy de (?P<value>(?-i:[A-ZÁÉÍÓÚÑ]).+)", _FACT, "origin", 0.7),
        (r"(?:Ahora )?Soy (?:ahora )?(?:vegetarian[oa]|vegan[oa])", _PREFERENCE, "diet", 0.85),
        (r"Ya no soy (?P<value>vegetarian[oa]|vegan[oa]) => Soy {value}", _PREFERENCE, None, 0.85),
        (r"Tengo \d{1,3} años", _FACT, "age", 0.7),
        (r"Mi cumpleaños es el .+", _FACT, "birthday", 0.8),
        (r"(?:Ahora )?Trabajo (?:ahora )?(?:en|para) (?P<value>(?-i:[A-ZÁÉÍÓÚÑ]).+)", _FACT, "employer", 0.8),
        (r"Trabajo (?:ahora )?(?:como|de) .+", _FACT, "job", 0.8),
        ((r"(?:Ya )?No me gustan? (?P<value>(?:el |la |los |"
         r"las ).+) => Me gusta {value}"), _PREFERENCE, "like.{hash}", 0.6),
        ((r"(?:Me gustan?|Me encantan?) (?:mucho )?(?P<value>(?:el |la |los |las |"
         r"\w+[aei]r\b).*)"), _PREFERENCE, "like.{hash}", 0.55),
        (r"(?:Prefiero|Odio) (?P<value>.+)", _PREFERENCE, None, 0.6),
        (r"Mi (?P<value>\w+) (?:favorit[oa]|preferid[oa]) es .+", _PREFERENCE, "favourite.{value}", 0.6),
        (r"Mi <rel> se llama .+", _RELATIONSHIP, "{who}.name", 0.8),
        (r"Mi <rel><name> vive .+", _RELATIONSHIP, "{person}.home", 0.7),
        ((r"Mi <rel><name> es (?:enfermer|médic|profesor|abogad|ingenier|maestr|arquitect|"
         r"estudiante)\w*.*"), _RELATIONSHIP,
         "{person}.job", 0.7),
        (r"Mi <rel><name> es alérgic[oa] .+", _RELATIONSHIP, None, 0.9),
        (r"Tengo (?:una?|dos|tres|cuatro) <any>(?: .+)?", _RELATIONSHIP, None, 0.7),
    )),
)  # fmt: skip

_PT_PEOPLE = people_of(
    "mãe=mother pai=father irmã=sister irmão=brother filho=son filha=daughter marido=* esposa=* esposo=* mulher=* "
    "namorado=* "
    "namorada=* companheiro=* companheira=* tia=aunt tio=uncle avó=grandmother avô=grandfather cão=^dog cachorro=^dog "
    "cadela=^dog gato=^cat gata=^cat prima=cousin primo=cousin"
)
PORTUGUESE = Language(
    code="pt",
    opener=compiled(r"^(?:(?:olá|oi|bom dia|boa tarde|boa noite|já agora|aliás|não,|na verdade|sim|e|eu)[, ]+){1,3}"),
    closer=compiled(r"[ ,]*(?:por favor|obrigad[oa])$"),
    joint=compiled(r"(,? e |, )"),
    starts=compiled(r"(?:eu|chamo-me|me chamo|sou|moro|vivo|tenho|trabalho|gosto|não gosto|adoro|(?:o |a )?(?:meu|"
                    r"minha)) \w"),
    bare_verb=compiled(r"(?!)"),
    subject="",
    remember=compiled(r"^(?:lembra-te(?: de)?|lembre-se(?: de)?|lembra|lembre|não te esqueças(?: de)?|não esqueças|"
                      r"não esqueça|anota)(?: que |: ?)"
                r"(?P<rest>.+)"),
    no_object=compiled(r"(?:isso|disso|isto|disto|este|desta|deste|esta|essa|dessa|ti|você|que|quando|da ideia|como|"
                       r"teu|tua|seu|sua)\b"),
    people=_PT_PEOPLE,
    forms=forms_of(_PT_PEOPLE, (
        (r"(?:Chamo-me|Me chamo|(?:O )?meu nome é|Chama-me|Me chame de) (?P<self>.+)", _FACT, "name", 0.95),
        ((r"(?:Eu )?(?:Sou|Tenho) (?:muito )?(?:alérgic[oa]|alergia) (?:ao |à |aos |às |"
         r"a )(?P<value>.+)"), _FACT, "allergy.{hash}", 0.95),
        ((r"(?:Eu )?(?:agora )?(?:Moro|Vivo|Agora moro|Agora vivo|Resido) (?:agora |atualmente )?(?:em|no|na|nos|"
         r"nas) .+"), _FACT,
         "home", 0.85),
        (r"(?:Eu )?(?:Mudei-me|Me mudei) para .+", _FACT, "home", 0.85),
        (r"(?:Eu )?Sou (?:de|do|da) (?P<value>(?-i:[A-ZÁÉÍÓÚÂÊÔÃÕÇ]).+)", _FACT, "origin", 0.7),
        (r"(?:Eu )?(?:agora )?(?:Agora sou|Sou) (?:agora )?(?:vegetarian[oa]|vegan[oa])", _PREFERENCE, "diet", 0.85),
        (r"(?:Eu )?Já não sou (?P<value>vegetarian[oa]|vegan[oa]) => Sou {value}", _PREFERENCE, None, 0.85),
        (r"(?:Eu )?Tenho \d{1,3} anos", _FACT, "age", 0.7),
        (r"(?:O )?meu aniversário é .+|Faço anos (?:a|em|no dia) .+", _FACT, "birthday", 0.8),
        ((r"(?:Eu )?(?:Agora )?Trabalho (?:agora )?(?:na|no|em|para|para a|"
         r"para o) (?P<value>(?-i:[A-ZÁÉÍÓÚÂÊÔÃÕÇ]).+)"), _FACT,
         "employer", 0.8),
        (r"(?:Eu )?Trabalho (?:agora )?como .+", _FACT, "job", 0.8),
        ((r"(?:Eu )?(?:Já )?não gosto (?:mais )?(?P<value>d[eoa]s? .+) => "
         r"Gosto {value}"), _PREFERENCE, "like.{hash}", 0.6),
        (r"(?:Eu )?Gosto (?:muito )?(?P<value>d[eoa]s? .+)", _PREFERENCE, "like.{hash}", 0.55),
        (r"(?:Eu )?(?:Adoro|Detesto|Odeio|Prefiro) (?P<value>.+)", _PREFERENCE, None, 0.55),
        ((r"(?:O |A )?(?:meu|minha) (?P<value>\w+) (?:favorit[oa]|"
         r"preferid[oa]) é .+"), _PREFERENCE, "favourite.{value}", 0.6),
        (r"(?:O |A )?(?:meu|minha) <rel> (?:chama-se|se chama) .+", _RELATIONSHIP, "{who}.name", 0.8),
        (r"(?:O |A )?(?:meu|minha) <rel><name> (?:mora|vive) .+", _RELATIONSHIP, "{person}.home", 0.7),
        ((r"(?:O |A )?(?:meu|minha) <rel><name> é (?:enfermeir|médic|professor|advogad|engenheir|arquitet|"
         r"estudante)\w*.*"),
         _RELATIONSHIP, "{person}.job", 0.7),
        (r"(?:O |A )?(?:meu|minha) <rel><name> é alérgic[oa] .+", _RELATIONSHIP, None, 0.9),
        (r"(?:Eu )?Tenho (?:uma?|dois|duas|três|quatro) <any>(?: .+)?", _RELATIONSHIP, None, 0.7),
    )),
)  # fmt: skip

_IT_PEOPLE = people_of(
    "madre=mother mamma=mother padre=father papà=father sorella=sister fratello=brother figlio=son figlia=daughter "
    "marito=* "
    "moglie=* fidanzato=* fidanzata=* compagno=* compagna=* ragazzo=* ragazza=* zia=aunt zio=uncle nonna=grandmother "
    "nonno=grandfather cane=^dog gatto=^cat gatta=^cat cugina=cousin cugino=cousin"
)
ITALIAN = Language(
    code="it",
    opener=compiled(r"^(?:(?:ciao|salve|buongiorno|buonasera|a proposito|allora|no,|in realtà|sì|e|io)[, ]+){1,3}"),
    closer=compiled(r"[ ,]*(?:per favore|grazie)$"),
    joint=compiled(r"(,? e |, )"),
    starts=compiled(r"(?:mi chiamo|mi piac\w+|non mi piac\w+|sono|vivo|abito|lavoro|ho|preferisco|(?:il |la )?(?:mio|"
                    r"mia)) \w"),
    bare_verb=compiled(r"(?!)"),
    subject="",
    remember=compiled(r"^(?:ricorda|ricordati|non dimenticare|tieni presente|annota)(?: che |: ?)(?P<rest>.+)"),
    no_object=compiled(r"(?:questo|questa|quello|tuo|tua|che|quando|come|l'idea)\b"),
    people=_IT_PEOPLE,
    forms=forms_of(_IT_PEOPLE, (
        (r"(?:Mi chiamo|(?:Il )?mio nome è|Chiamami) (?P<self>.+)", _FACT, "name", 0.95),
        ((r"(?:Io )?Sono (?:molto )?allergic[oa] (?:al |allo |alla |all'|ai |agli |alle |"
         r"a )(?P<value>.+)"), _FACT, "allergy.{hash}", 0.95),
        ((r"(?:Io )?(?:Ora )?(?:Vivo|Abito) (?:ora |adesso |attualmente )?(?:a|in|nel|nella|"
         r"vicino) .+"), _FACT, "home", 0.85),
        (r"Mi sono trasferit[oa] (?:a|in) .+", _FACT, "home", 0.85),
        (r"(?:Io )?(?:Vengo da|Sono di) (?P<value>(?-i:[A-ZÀ-Þ]).+)", _FACT, "origin", 0.7),
        (r"(?:Io )?(?:Ora )?Sono (?:ora )?(?:vegetarian[oa]|vegan[oa])", _PREFERENCE, "diet", 0.85),
        (r"(?:Io )?Non sono più (?P<value>vegetarian[oa]|vegan[oa]) => Sono {value}", _PREFERENCE, None, 0.85),
        (r"(?:Io )?Ho \d{1,3} anni", _FACT, "age", 0.7),
        (r"(?:Il )?mio compleanno è .+", _FACT, "birthday", 0.8),
        ((r"(?:Io )?(?:Ora )?Lavoro (?:ora )?(?:per|presso|alla|in|"
         r"da) (?P<value>(?-i:[A-ZÀ-Þ]).+)"), _FACT, "employer", 0.8),
        (r"(?:Io )?Lavoro come .+", _FACT, "job", 0.8),
        ((r"Non mi piac(?:e|ciono) (?:più )?(?P<value>(?:il |lo |la |i |gli |le |"
         r"l').+) => Mi piace {value}"), _PREFERENCE,
         "like.{hash}", 0.6),
        ((r"Mi piac(?:e|ciono) (?:molto )?(?P<value>(?:il |lo |la |i |gli |le |l'|"
         r"\w+re\b).*)"), _PREFERENCE, "like.{hash}", 0.55),
        (r"(?:Io )?(?:Preferisco|Odio) (?P<value>.+)", _PREFERENCE, None, 0.6),
        (r"(?:Il |La )?(?:mio|mia) (?P<value>\w+) preferit[oa] è .+", _PREFERENCE, "favourite.{value}", 0.6),
        (r"(?:Il |La )?(?:mio|mia) <rel> si chiama .+", _RELATIONSHIP, "{who}.name", 0.8),
        (r"(?:Il |La )?(?:mio|mia) <rel><name> (?:vive|abita) .+", _RELATIONSHIP, "{person}.home", 0.7),
        ((r"(?:Il |La )?(?:mio|mia) <rel><name> (?:è un'?a?|fa l'|è) ?(?:infermier|medic|insegnante|professor|avvocat|"
         r"ingegner|architett)"
         r"\w*.*"), _RELATIONSHIP, "{person}.job", 0.7),
        (r"(?:Il |La )?(?:mio|mia) <rel><name> è allergic[oa] .+", _RELATIONSHIP, None, 0.9),
        (r"(?:Io )?Ho (?:una?|un'|due|tre|quattro) <any>(?: .+)?", _RELATIONSHIP, None, 0.7),
    )),
)  # fmt: skip
