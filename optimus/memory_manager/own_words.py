"""What of a message its writer says of their own life: without quotations, questions, what-ifs, and texts to work on.

A language model that looks for memories takes such words for facts now and then. A finding counts only as far as what
is left here carries it.
"""

from __future__ import annotations

import re

_QUOTED = re.compile(r"[\"“„«»]([^\"“”„«»]{8,}?)[\"”“«»]")
_LEAST_QUOTED = 3
"""Words from which on something in quotation marks is somebody's words, and not a name."""
_TASK = re.compile(
    r"^\W*(?:(?:please|can you|could you|bitte|kannst du|por favor|podes) )*(?:write|draft|translate|summari[sz]e|"
    r"proofread|rewrite|correct|fix|rephrase|shorten|refactor|schreib\w*|übersetz\w*|korrigier\w*|formulier\w*|fass\w*|"
    r"escrev\w*|traduz\w*|corrig\w*|resum\w*|escrib\w*|traduc\w*|traduis\w*|écri\w*|scriv\w*|tradu[cz]\w*|"
    r"please act|act as)\b[^:]{0,120}:",
    re.IGNORECASE,
)
_SUPPOSED = re.compile(
    r"^\W*(?:e se|y si|et si)\b|"
    r"\b(?:what if|suppose|supposing|imagine|hypothetically|i wish|if i (?:had|were|was|lived|moved|quit|could|did)|"
    r"maybe|perhaps|i might|i may|thinking (?:of|about)|i would|"
    r"was wäre|angenommen|stell dir vor|vielleicht|ich überlege|hätte ich|wenn ich \w+ (?:hätte|wäre|würde)|würde ich|"
    r"talvez|quem me dera|imagina|quizás?|tal vez|ojalá|peut-être|imagine que|forse|"
    r"magari)\b",
    re.IGNORECASE,
)
_FIRST_PERSON = re.compile(
    r"\b(?:i|i'm|i've|i'd|my|me|mine|we|we're|our|ich|mein\w*|mir|mich|wir|unser\w*|meus?|minhas?|eu|noss[oa]s?|sou|"
    r"estou|tenho|moro|mi|mis|yo|soy|tengo|vivo|nuestr[oa]s?|je|j|mon|ma|mes|notre|suis|io|mio|mia|sono|ho|here|hier)\b",
    re.IGNORECASE,
)
_ASKED_BACK = re.compile(
    r"\b(?:you (?:said|say|told me|claim(?:ed)?|think|thought|wrote|mentioned|remember(?:ed)?)|"
    r"du (?:sagst|sagtest|meinst|meintest|behauptest|denkst|schriebst|hast (?:gesagt|behauptet|geschrieben))|"
    r"disseste|dizes|você disse|dijiste|has dicho|dices|tu (?:as dit|dis)|vous avez dit|hai detto|dici)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[^.!?\n]+(?:[.](?=\d)[^.!?\n]*)*[.!?\n]*")
_ABOUT_THE_TALK = re.compile(
    r"^(?:the |der |die |das |o |a |el |la |l'|lo )?(?:user|benutzer(?:in)?|nutzer(?:in)?|utilizador[a]?|usuári[oa]|"
    r"usuario|usuaria|utilisat\w+|utente)(?:'s)? (?:says?|said|asks?|asked|thanks?|was thankful|is thankful|wants? to|"
    r"wishes|requests?|greets?|thinks? the|is happy with|bedankt|fragt|sagt|will|agradec\w+|pede|pergunt\w+|da las|"
    r"pide|remercie|demande|ringrazia|chiede|escreveu)\b",
    re.IGNORECASE,
)
_PASSING = re.compile(
    r"^(?:(?:i|we)(?:'m| am|'re| are| feel| was| were)? |ich bin |mir ist |wir sind |(?:eu )?estou |estoy |je suis |"
    r"j'ai |sono |ho |tenho |tengo |the user is )(?:so |very |really |a bit |heute |sehr |muito |muy |très |molto )*"
    r"(?:tired|bored|hungry|thirsty|cold|hot|sleepy|happy|sad|müde|hungrig|durstig|kalt|langweilig|cansad[oa]|fome|"
    r"sede|frio|hambre|sed|fatiguée?|faim|soif|froid|stanc[oa]|fame|sete|freddo)"
    r"(?: (?:today|now|again|heute|gerade|hoje|agora|hoy|ahora|aujourd'hui|oggi))?$"
    r"|^(?:it is|it's|es ist|es|está|il|hace|fa|hoje está|heute ist es) ?(?:a )?(?:so )?"
    r"(?:raining|snowing|cold|hot|regnet\w*|schneit|kalt|heiß|chover|frio|llueve|pleut|fait froid|freddo)\b.{0,12}$",
    re.IGNORECASE,
)


def own_words(text: str) -> str:
    """Return the sentences of a message that its writer says of themselves; empty where there are none."""
    plain = _QUOTED.sub(lambda found: " " if len(found[1].split()) >= _LEAST_QUOTED else found[0], text)
    task = _TASK.match(plain)
    if task:
        plain = task[0]
    return " ".join(kept for sentence in _SENTENCE.findall(plain) if (kept := sentence.strip()) and _is_stated(kept))


def speaks_of_self(own: str) -> bool:
    """Tell whether a text of `own_words` names its writer, other than in a question."""
    return any(_FIRST_PERSON.search(each) for each in _SENTENCE.findall(own) if not each.rstrip().endswith("?"))


def is_about_nothing(finding: str) -> bool:
    """Tell whether a finding speaks of the talk itself, or of a mood that passes."""
    plain = finding.strip().rstrip(".!").replace("’", "'")
    return bool(_ABOUT_THE_TALK.search(plain) or _PASSING.search(plain))


def _is_stated(sentence: str) -> bool:
    if _SUPPOSED.search(sentence):
        return False
    if not sentence.endswith("?"):
        return True
    return _FIRST_PERSON.search(sentence) is not None and _ASKED_BACK.search(sentence) is None
