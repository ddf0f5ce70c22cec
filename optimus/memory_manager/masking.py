"""Take secrets out of text before it is embedded or stored.

A credential in memory would be repeated to every model that is given the memory, so none is kept: not in an
episode, not in a derived memory, not in a vector. What is masked is never brought back.

Three things give a secret away: its own form (keys of known issuers, private keys, payment cards, long random words),
the place where it stands (headers, addresses, commands), and what is said of it ("my password is ...").
"""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import pairwise

MASK = "[masked secret]"

_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----.*?(?:-----END [A-Z0-9 ]*-----|\Z)", re.DOTALL)
_LONG = re.compile(r"\S{15,}")
"""No issued key is shorter, and most words are: the many prefixes are looked for in these alone."""
# Prefixes as their issuers document them: secret scanners can name a key by them alone.
_ISSUED = re.compile(
    r"\beyJ[\w-]{6,}\.[\w-]{6,}\.?[\w-]*"
    r"|\b(?:sk|pk|rk)[-_](?:live|test|ant|proj|or|svcacct|lf)[-_][\w-]{8,}"
    r"|\b(?:sk|gsk|xai|tvly|r8|hf|npm|dop_v1|whsec|shpat|shpss|nvapi|pplx|lsv2|figd|pypi|ATATT|sq0\w{3}|sbp|nfp|ntn"
    r"|gl(?:pat|rt|dt|soat|cbt|ft|imt|agent|sa)|rubygems|pcsk|dckr_pat|lin_api|tskey|secret|NRAK|PMAK|sntry[su]"
    r"|pscale_(?:tkn|pw|oauth))[-_][\w-]{16,}={0,2}"
    r"|\bgh[opsur]_\w{16,}|\bgithub_pat_\w{16,}|\bxox[abeprs]-[\w-]{10,}|\bxapp-[\w-]{10,}"
    r"|(?<=hooks\.slack\.com/services/)[\w/]{20,}|(?<=/api/webhooks/)\d{15,}/[\w-]{30,}"
    r"|\b(?:AKIA|ASIA|AROA|ABIA|ACCA)[0-9A-Z]{12,}\b|\bAIza[\w-]{30,}|\bya29\.[\w-]{16,}|\bGOCSPX-[\w-]{16,}"
    r"|\b1//0[\w-]{30,}|\bSG\.[\w-]{16,}\.[\w-]{16,}|\bkey-[0-9a-f]{24,}|\b(?:AC|SK)[0-9a-f]{32}\b"
    r"|\b\d{8,10}:AA[\w-]{30,}|\b[0-9a-f]{32}-us\d{1,2}\b|\bdapi[0-9a-f]{32}|\bhv[sbr]\.[\w-]{20,}"
    r"|\bpat\w{14}\.[0-9a-f]{40,}|\bdp\.(?:pt|st|ct|sa|scim|audit)\.[\w-]{20,}|\b\w{14}\.atlasv1\.[\w-]{40,}"
    r"|\bAGE-SECRET-KEY-1[0-9A-Z]{40,}|\b[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,40}|\b\w{3}8Q~[\w~.-]{31,}"
)
_IN_ADDRESS = re.compile(r"(?<=://)([^\s/:@]*):([^\s@/]+)(?=@)")
_HEADER = re.compile(
    r"(?i)(?:\bauthorization[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|basic|token|digest|apikey)\s+|(?=\S*\d))"
    r"|\bbearer\s+(?=\S*\d)|(?:session|sid|csrf|xsrf|auth)[\w-]{0,30}=(?=[^\s;]{16})"
    r"|(?<=\s)(?:-u|--user)[\s=]{1,3}[\w.@-]{1,80}:|[?&](?:key|sig|signature|auth)=(?=[^\s&]{16}))"
    r"(?P<value>[^\s\"',;&]{8,})"
)
_WORD = (
    r"pass\s?-?words?|pass\s?-?codes?|pass\s?-?phrases?|passwd|pwd|passw[oö]rt|kennwort|mot de passe|mdp|contraseña"
    r"|clave de acceso|senha|palavra-passe|parola d['’]ordine|wachtwoord|hasło|пароль"
    r"|(?:wi-?fi|wlan|netzwerk|sicherheits)[\s-]?(?:key|schlüssel)"
)
_OWNERS = r"(?:(?:the|my|our|his|her|their|your|this|that)\s)?"
_LOCK = r"(?:safe|vault|door|gate|garage|alarm|padlock|lock(?:er)?|tresors?|cofre|coffre|cassaforte|caja fuerte)"
_CODE = (
    r"pin(?:\s?-?(?:code|number))?|cvv2?|cvc2?|puk|zugangscode|code (?:pin|d['’]accès)|código de acess?o"
    r"|codice (?:pin|d['’]accesso)"
    r"|(?:safe|door|gate|alarm|unlock|security|verification|access|recovery|auth|backup|one-time|2fa|otp)\s?-?codes?"
    rf"|(?:codes?|combination|kombination)\s(?:of|to|for|vom|zum|für den|des|de la|du|del)\s{_OWNERS}{_LOCK}"
    rf"|{_LOCK}(?:['’]?s)?\s?-?(?:combination|code)"
)
"""What is made of digits: `my pin is green` gives nothing away."""
_PHRASE = r"(?:seed|recovery|mnemonic|backup|secret recovery)\s?phrase|mnemonic"
_KEY = (
    r"(?:api|access|secret|private|auth|account|encryption|recovery|licen[cs]e)[\s_-]?(?:access[\s_-]?)?"
    r"(?:keys?|tokens?|schlüssel)"
    r"|client[\s_-]?secret|(?:auth|bearer|refresh|session|bot)[\s_-]?token"
    r"|clés? (?:d['’])?api|clave (?:de )?(?:la )?api|chave (?:d[ae] )?api|chiave (?:dell['’])?\s?api"
)
_HINTS = re.compile(
    "pass|pw|pin|code|combination|kombination|phrase|mnemonic|key|token|secret|credential|puk|cv|log-?in|account|auth|bearer|session|sid|srf|-u|sig"
    "|@|kennwort|schlüssel|zugang|mdp|clé|clave|contraseña|senha|palavra|código|chave|parola|codice|chiave|wachtwoord|hasło"
    "|пароль|密码|密碼|口令|パスワード|暗証番号|비밀번호"
)
"""One of these stands in whatever the patterns below look for."""
_NAME = rf"{_WORD}|{_CODE}|{_PHRASE}|{_KEY}"
_OF = (
    r"(?:\s+(?:for|of|to|at|on|in|fürs?|von|vom|zu[mr]?|bei|im|du|des?|del|della|di|d[aeo]s?|para|pour|per)\s+"
    r"[^.!?\n:=]{1,40}?|\s+(?:d|dell)['’][^.!?\n:=]{1,40}?"
    r"|\s+(?:nueva|nuova|nov[ao]|actual|attuale|atual|antigu?a|vieja|vecchia|master|maestra))?"
)
_VERB = (
    r"(?:\s+(?:is|was|are|will be|ist|lautet|est|es|é|è|to(?!\s+(?:be|avoid|prevent)\s)|c['’]est)"
    r"(?:\s+(?:now|still|just|set to|changed to))?"
    r"|['’]s(?=\s+\S*[^\w\s]|\s+\S*\d))"
)
_END = r"(?=[\"'”’`]?(?:[.!?,;]?\s*$|[.!?;,]\s|\s+(?:and|but|so|please|or|und|aber|bitte|et|mais|y|pero|ma|mas)\s|\n))"
_ASSIGNED = re.compile(
    rf"(?i)(?<![a-z])((?P<strong>{_NAME}|pw|pass)|secret|token|credentials?)(?P<mark>[\"']?{_OF}\s*(?::=|=>|->|=|:|\s-\s|\?\s+it['’]s\s)\s*)"
    r"(?P<quote>[\"'`]?)(?P<value>[^\s\"'`,;]{3,})"
)
_STATED = re.compile(
    rf"(?i)(?<![a-z])((?:(?P<code>{_CODE})|{_NAME}){_OF}{_VERB})\s*:?\s+(?P<quote>[\"'“‘`]?)(?P<value>[^\n]{{3,}}?){_END}",
    re.MULTILINE,
)
_SMALL = (
    r"(?:the|and|are|but|can|did|does|for|from|has|have|her|his|its|may|must|not|our|should|that|their|there|they|this|was"
    r"|were|when|which|will|with|you|your|dass|der|die|das|den|dem|ein|eine|ist|mein|nicht|und|war|wird|les|des|une|est"
    r"|pas|dans|pour|los|las|una|del|con|que|para|não|uma|com|che|non|per)\b"
)
"""Words that hold a sentence together."""
_PHRASED = re.compile(
    rf"(?i)(?<![a-z])(?:{_PHRASE}|pass\s?phrase){_OF}\s*[:=]\s*(?P<value>[^\W\d_]+(?:[ ,]+[^\W\d_]+){{2,}})"
)
_WORDS = re.compile(
    rf"(?i)(?<![a-z])(?:{_WORD}|pw){_OF}[ \t]*[:=][ \t]*[\"'`]?(?P<value>(?!{_SMALL})[^\W\d_]{{3,12}}"
    rf"(?:[ ](?!{_SMALL})[^\W\d_]{{3,12}}){{3,5}})(?=[\"'`]?[.!]?[ \t]*$)",
    re.MULTILINE,
)
"""A password of four words or more, none of which a sentence is held together by."""
_EASTERN = re.compile(
    r"(?:密码|密碼|口令|パスワード|暗証番号|비밀번호)\s*(?:是|为|為|は|가|은|는|[:：=])\s*[\"'「“]?"
    r"(?P<value>(?!1Password)(?=[a-zA-Z]*[!-@\[-`{-~])[!-~]{4,})"
)
"""In Chinese, Japanese and Korean a password is the word in other signs; one of letters alone may be a product."""
_AS_WORD = re.compile(
    r"(?i)\b(?:use|take|set|nimm|nehme|usa|uso|utilise)\s+[\"'“‘`]?(?P<value>\S{4,}?)"
    rf"(?=[\"'”’`]?\s+(?:as|als|comme|como|come)\s+(?:\w+\s+){{0,2}}(?:{_NAME}))"
)
_GIVEN = re.compile(
    r"(?i)(?:--[\w-]{0,30}?pass\w{0,20}[\s=]+|\buser(?:name)?\s+\S{1,80}[\s,/]+(?:pass|pw)\s+|\brequirepass\s+|\bsshpass\s+-p\s*"
    r"|<\w{0,30}?(?:password|passwd|secret|token|api_?key)\w{0,30}>|pass(?:word)?[\"']?,?\s+[\"']?value[\"']?\s*[:=]\s*[\"']?"
    r"|(?-i:\b[A-Z0-9_]{0,50}?(?:PASS(?:WORD|WD|PHRASE)?|PWD|SECRET|TOKEN))\s*=\s*[\"']?)(?P<value>[^\s\"'`;<]{4,})"
)
"""What a command, a configuration or an environment is given."""
_BESIDE = re.compile(
    rf"(?i)(?:(?<![a-z])(?:{_KEY}|{_WORD}|pw)\s+(?=\S{{8}})|--[\w-]{{0,30}}?(?:token|key|secret)[\s=]+(?=\S{{6}})"
    r"|\b(?:zugangsdaten|credentials?|log-?in|account)\b[^\n:]{0,20}:\s*[\w.@+-]{1,80}\s*[/|:]\s*"
    r"|@[\w.-]{2,80}\w\s*[/|]\s*)"
    r"(?P<value>(?=\S*\d)(?=\S*[a-z])[^\s\"'`,;]{6,}|(?-i:[a-z]{2,20}(?:[-_][a-z]{2,20}){3,}\b))"
)
"""What stands beside its name or its owner, and looks like a password."""
_MY_WORDS = re.compile(rf"(?i)\bmy (?:{_WORD})\s+(?P<value>(?:[a-z]{{1,30}}[-_.]){{2,9}}[a-z]+)\b")
_KEYLIKE = re.compile(
    r"(?i)(?<!primary )(?<!foreign )(?<!public )(?<!sort )(?<!cache )(?<!partition )"
    rf"\b(?:(?:secret|token){_OF}{_VERB}\s*:?\s+[\"'`]?(?=[\w/+=.~-]*[a-z])(?=\S{{8}})"
    rf"|(?:key|schlüssel|clé|clave|chave|chiave){_OF}{_VERB}\s*:?\s+[\"'`]?(?=\S{{16}}))(?P<value>(?=\S*\d)[^\s\"'`,;]{{8,}})"
)
_ORDINARY = re.compile(
    r"(?i)(?:not|no|too|very|quite|so|really|never|always|already|only|being|going|the|an?|in|on|at|my|your|his|her|their"
    r"|our|it|that|this|what|how|where|why|which|something|to|about|due|for|see|case|she|he|they|we|you|one|asked|stolen"
    r"|nicht|zu|sehr|noch|schon|immer|nie|auf|in|im|bei|dem|der|die|das|ein|kein|wieder|leider|dasselbe|derselbe"
    r"|pas|trop|très|toujours|déjà|le|les|dans|sur|encore|demasiado|muy|ya|siempre|nunca|en|el|la|muito|já|sempre|não|no|na"
    r"|troppo|molto|già|sempre|non|nel|nella|sul|scritt[ao])(?=\W*(?:\s|$))"
    r"|(?:stored|saved|kept|written|hidden|sent|wrong|correct|incorrect|invalid|valid|weak|strong|short|long|old|new|safe"
    r"|secure|expired|required|needed|missing|lost|forgotten|important|encrypted|hashed|different|easy|hard|annoying|fine"
    r"|case-sensitive|[a-z]{4,}ed|good|bad|set|changed|reset|rejected|accepted|broken|compromised|leaked|public|private|unique|here"
    r"|there|working|optional|empty|none|null|nil|undefined|true|false|str(?:ing)?|bytes|text|varchar|unknown|available"
    r"|falsch|richtig|ungültig|gültig|abgelaufen|vergessen|kurz|lang|sicher|unsicher|geändert|gesperrt|weg|neu|alt|nötig"
    r"|gespeichert|incorrecte?|correcte?|faux|invalide|valide|expirée?|perdue?|oubliée?|changée?|refusée?|courte?|bonne?"
    r"|(?:in)?correct[ao]s?|inválid[ao]|válid[ao]|caducad[ao]|expirad[ao]|perdid[ao]|olvidad[ao]|cambiad[ao]|cort[ao]"
    r"|segur[ao]|buen[ao]|incorret[ao]|corret[ao]|errad[ao]|fraca|forte|curta|trocada|alterada|mudada|scadut[ao]"
    r"|sbagliat[ao]|corrett[ao]|errat[ao]|valid[ao]|lung[ao]|debole|sicur[ao]|cambiat[ao]|dimenticat[ao]|pers[ao])"
    r"(?=\W*$|\s+(?:and|but|because|for|to|when|if|so|since|again|now|in|on|at|by|with|than|enough|genug|anymore|as|or|until"
    r"|from|last|before|after|yesterday|today|this|und|aber|weil|seit|im|et|mais|depuis|y|pero|desde|e|mas|ma|da)\b)"
)
_WITH_VALUE = (
    *(_PHRASED, _WORDS, _EASTERN, _HEADER, _GIVEN, _BESIDE),
    *(_MY_WORDS, _KEYLIKE, _AS_WORD, _STATED, _ASSIGNED),
)
"""In the order in which they are looked for: whole phrases before single words."""
_NO_VALUE = re.compile(
    r"\$\{[^}]*\}?$|\$[A-Z_]{2,}$|\$\(|<[^>]*>?$|\{\{?[\w.]*\}?\}?$|[*•.xX_-]{3,}$|%\(?\w*\)?s$|await\b|new\b"
    r"|[A-Za-z_][\w.]*[(\[]|(?:self|settings|config|cfg|os|env|process|args|options|opts|request|req|user|ctx|app|secrets"
    r"|st|params|data|form|credentials|this)\.[A-Za-z_.]+$|(?:pass(?:word|wd)|pwd|token|secret|api_?key)\W*$"
)
"""A type, a call, a name or a gap in place of a value."""
_CARD = re.compile(
    r"(?<![\d.+-])(?:(?:\d[ \u00a0\u202f-]{0,2}){12,22}\d"
    r"|\d{4}\.\d{4}\.\d{4}\.\d{4}(?:\.\d{3})?|\d{4}\.\d{6}\.\d{4,5})(?!\d)"
)
_CARD_BEGINS = {
    14: re.compile("3(?:0[0-59]|[689])"),
    15: re.compile("3[47]"),
    16: re.compile(
        r"4|5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720|20[0-4])|6(?:0|2|4[4-9]|5|304|759|76[1-3])|35(?:2[89]|[3-8])"
        r"|50(?:18|20|38|8)|5893|8[12]"
    ),
    19: re.compile("4|6(?:2|011|5|304|759)|5018"),
}
"""How the numbers of the issuers begin, by length: ISO/IEC 7812 leaves the rest to phones, parcels and devices."""
_OPAQUE = re.compile(r"(?<![\w/+.-])[A-Za-z0-9+/_-]{32,}={0,2}(?![\w/+-])")
_MIN_ENTROPY = 4.0
"""Bits a character: random base64 of 32 characters has more, words joined by dashes less."""
_MIN_CHANGES = 0.43
"""Share of neighbours of different kinds: 0.6 in random base64, a quarter in names that are made of words."""


def mask(text: str) -> str:
    """Return the text with every credential-shaped part replaced by `MASK`; other text is unchanged."""
    text = _PRIVATE_KEY.sub(MASK, text)
    text = _LONG.sub(lambda found: _ISSUED.sub(MASK, found.group()), text)
    text = _IN_ADDRESS.sub(rf"\1:{MASK}", text)
    if _HINTS.search(text.lower()):
        for pattern in _WITH_VALUE:
            text = pattern.sub(_without_value, text)
    text = _CARD.sub(lambda found: _without_card(found.group()), text)
    return _OPAQUE.sub(lambda found: MASK if _is_random(found.group()) else found.group(), text)


def has_secret(text: str) -> bool:
    """Tell whether a part of the text is, or was, a secret."""
    return MASK in text or mask(text) != text


def _without_value(found: re.Match[str]) -> str:
    """Return what was found without its value, unless that is a word about passwords, a type, or a gap to fill."""
    groups, value = found.groupdict(), found["value"]
    is_open = not groups.get("quote")
    is_gap = _NO_VALUE.match(value) or (is_open and _ORDINARY.match(value))
    is_talk = (
        is_open and value.isalpha() and found.re is _ASSIGNED and not groups["strong"] and "=" not in groups["mark"]
    )
    is_word = is_open and groups.get("code") is not None and not any(map(str.isdigit, value))
    if MASK[:7] in value or is_gap or is_talk or is_word:
        return found.group()
    start = found.start()
    return found.group()[: found.start("value") - start] + MASK + found.group()[found.end("value") - start :]


def _without_card(text: str) -> str:
    """Return a row of digits without the card numbers in it, which begin and end where a group does."""
    groups = list(re.finditer(r"\d+", text))
    for first, start in enumerate(groups):
        for end in reversed(groups[first:]):
            if _is_card(text[start.start() : end.end()]):
                return text[: start.start()] + MASK + _without_card(text[end.end() :])
    return text


def _is_card(text: str) -> bool:
    """Tell whether the digits are a payment card's: an issuer's first digits and a right Luhn sum (ISO/IEC 7812-1)."""
    signs = "".join(sign for sign in text if sign.isdigit())
    digits = [int(sign) for sign in signs]
    begins = _CARD_BEGINS.get(len(digits))
    if begins is None or not begins.match(signs) or len(set(digits)) == 1:
        return False
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_random(text: str) -> bool:
    """Tell whether a long word mixes cases and digits as generated keys do; addresses and hex digests do not."""
    kinds = [str.isupper, str.islower, str.isdigit]
    if not all(any(map(kind, text)) for kind in kinds) or text.count("/") > len(text) // 8:
        return False
    signs = [tuple(kind(sign) for kind in kinds) for sign in text]
    if sum(one != other for one, other in pairwise(signs)) < _MIN_CHANGES * len(text):
        return False
    counts = Counter(text).values()
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts) >= _MIN_ENTROPY
