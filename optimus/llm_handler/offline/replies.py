"""The fixed sentences of the offline assistant, and which small talk they answer."""

from __future__ import annotations

import re
from datetime import datetime

NOTHING_YET = "I don't have anything about that yet. Tell me, and I'll remember it."
NOTHING_ABOUT_YOU = "I don't have anything about you yet. Tell me something, and I'll remember it."
NO_MODEL = "I can't answer that without a language model. I can remember and find what you tell me."
NO_MODEL_REST = "The rest I can't answer without a language model."
CANNOT_DO = "I can't do that without a language model. I can remember and find what you tell me."
NOTHING_SAID = (
    "I found nothing in that to remember. Tell me a fact about yourself, or start with “remember that”, and "
    "I'll keep it."
)
KEPT_NOTHING = "I kept nothing of that. Your settings say what I remember."
NOTHING_KEPT_YET = "I don't have anything about that. Your settings say what I remember."
NOT_LOOKED_UP = "I did not look into your memories: “Use memories in answers” is off in your settings."
NOTHING_TO_FORGET = "I found nothing like that to forget. The Memory page lists everything I know."
FORGET_ALL = "I don't forget everything on one message. The Memory page lists what I know, and you can delete it there."
ABILITIES = (
    "I'm Optimus. Without a language model I can:\n\n"
    "- remember what you tell me about yourself, such as “I'm allergic to peanuts” or “my sister Maria is a nurse”\n"
    "- replace what has changed, such as “I moved to Porto”\n"
    "- answer from it, with the date when you told me, such as “Where do I live?”\n"
    "- forget it again, such as “forget my address”"
)
NOT_CONNECTED = (
    "_No language model is connected, so I can talk about what you told me and little else. To connect one, choose "
    "“Connect a model”._"
)

_GREETING = re.compile(
    r"(?:hi|hello|hey|hiya|howdy|yo|good (?:morning|afternoon|evening|day)|greetings|hallo|hola|bonjour|salut|ciao|olá|"
    r"oi|guten (?:tag|morgen|abend)|moin|servus)(?:[ ,]+(?:there|optimus|assistant|again|everyone|"
    r"you))?(?:[ ,!.]+(?:how are you|how's it going|what's up|nice to meet you)(?: (?:today|doing))?)?",
    re.IGNORECASE,
)
_WELLBEING = re.compile(r"how are (?:you|u)(?: doing| today)*|how's it going|what's up|how do you do", re.IGNORECASE)
_THANKS = re.compile(
    r"(?:ok(?:ay)?[ ,]+|great[ ,]+|perfect[ ,]+)?(?:many thanks|thanks?(?: you)?(?: so much| a lot| very much)?|thx|"
    r"cheers|ty|danke(?: schön)?|merci|gracias|obrigad[oa]|grazie|much appreciated)(?:[ ,]+(?:optimus|again|"
    r"for .{1,60}))?",
    re.IGNORECASE,
)
_GOODBYE = re.compile(
    r"(?:good)?bye(?: bye)?|see you(?: later| soon| tomorrow)?|good night|cya|farewell|until (?:later|tomorrow)|"
    r"tschüss|ciao ciao|adiós",
    re.IGNORECASE,
)
_ASSENT = re.compile(
    r"(?:ok(?:ay)?|yes|yeah|yep|sure|fine|great|cool|nice|perfect|good|alright|got it|i see|i understand|awesome|wow|"
    r"no|nope|never ?mind|no problem|all good|right)(?: (?:good|great|cool|then|thanks))?",
    re.IGNORECASE,
)
_ABILITIES = re.compile(
    r"help(?: me)?|what can you do(?: for me)?|how (?:do you work|does this work|can you help(?: me)?)|who are you|"
    r"what are you|what is optimus|what is your name|what's your name|are you (?:an? )?(?:ai|bot|robot|human|chatgpt|"
    r"language model|llm|real).*|(?:is|which) .*\b(?:language )?model .*\b(?:connected|this|you|running|use)\b.*|"
    r"what do you do",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"(?:what(?:'s| is) (?:the |today's )?(?:date|day)(?: today| is it)?|what (?:day|date) is (?:it|today)(?: today)?|"
    r"what(?:'s| is) today's date|today's date|which day is (?:it|today))",
    re.IGNORECASE,
)
_TIME = re.compile(r"what(?:'s| is) the time(?: now)?|what time is it(?: now)?", re.IGNORECASE)
_TASK = re.compile(
    r"(?:(?:please|can you|could you|would you|i want you to|i need you to|i'd like you to|"
    r"help me(?: to)?)[ ,]+)*(?:write|translate|summari[sz]e|draft|compose|create|generate|explain|rewrite|proofread|"
    r"fix|debug|code|calculate|compute|solve|plan|book|order|search|google|look up|draw|design|compare|describe|"
    r"recommend|suggest|tell me (?:a|an|the|some)|tell us|make me|give me (?:a|an|some)|find me|remind me to|send|"
    r"call (?!me )|play|open|convert|analy[sz]e|list (?:the|some|\d+)|play|sing|imagine|pretend|act as)\b.*",
    re.IGNORECASE | re.DOTALL,
)
_FORGET_ALL = re.compile(
    r"(?:please )?(?:forget|delete|erase|remove|clear|wipe) (?:about )?(?:everything|all|my memor(?:y|ies)|"
    r"all (?:of )?(?:my |your |the )?memor(?:y|ies)|it all|me)\b.*",
    re.IGNORECASE,
)
_FORGET = re.compile(
    r"(?:please |can you |could you |now )*(?:forget|unlearn|stop remembering)\b(?! to\b).*", re.IGNORECASE
)
_FRIENDLY = {"hello": "Hello! Tell me something to remember, or ask me about what you told me.",
             "well": "All is well here. Tell me something to remember, or ask me about what you told me.",
             "thanks": "You're welcome.", "bye": "Goodbye. I'll keep what you told "
                                                 "me.", "assent": "All right."}  # fmt: skip


def small_talk(prompt: str, *, now: datetime) -> str | None:
    """Return the answer to a greeting, thanks, a question about the assistant or the date; None for anything else."""
    text = re.sub(r"\s+", " ", prompt[:300].replace("’", "'")).strip(" .!?,:)😀🙂😊👍🙏👋")
    for pattern, reply in (
        (_GREETING, _FRIENDLY["hello"]),
        (_WELLBEING, _FRIENDLY["well"]),
        (_THANKS, _FRIENDLY["thanks"]),
        (_GOODBYE, _FRIENDLY["bye"]),
        (_ASSENT, _FRIENDLY["assent"]),
        (_ABILITIES, ABILITIES),
        (_DATE, f"Today is {now:%A}, {written(now)} (UTC)."),
        (_TIME, f"It is {now:%H:%M} (UTC)."),
        (_FORGET_ALL, FORGET_ALL),
        (_FORGET, NOTHING_TO_FORGET),
    ):
        if pattern.fullmatch(text):
            return reply
    return None


def is_task(prompt: str) -> bool:
    """Tell whether the prompt orders work that takes a language model."""
    return _TASK.fullmatch(prompt[:300].strip()) is not None


def written(moment: datetime) -> str:
    """Return `22 November 2026`."""
    return f"{moment.day} {moment:%B} {moment.year}"
