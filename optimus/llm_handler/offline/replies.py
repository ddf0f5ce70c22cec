"""The fixed sentences of the offline assistant, and which small talk they answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from optimus.llm_handler.offline.markdown import shown

NOTHING_YET = "I don't have anything about that yet. Tell me, and I'll remember it."
NOTHING_ABOUT_YOU = "I don't have anything about you yet. Tell me something, and I'll remember it."
_CANNOT_ANSWER = "I can't answer that without a language model."
_CANNOT_DO = "I can't do that without a language model."
_CAN = "I can remember and find what you tell me."
_CAN_KEEP = "I can remember what you tell me."
_CAN_FIND = "I can find what you told me before. Your settings say that I remember nothing new."
NO_MODEL = f"{_CANNOT_ANSWER} {_CAN}"
NO_MODEL_REST = "The rest I can't answer without a language model."
CANNOT_DO = f"{_CANNOT_DO} {_CAN}"
NOTHING_SAID = (
    "I found nothing in that to remember. Tell me a fact about yourself, or start with “remember that”, and "
    "I'll keep it."
)
KEPT_NOTHING = "I kept nothing of that. Your settings say what I remember."
NOTHING_KEPT_YET = "I don't have anything about that. Your settings say what I remember."
NOT_LOOKED_UP = "I did not look into your memories: “Use memories in answers” is off in your settings."
WHICH_ONE = "I'm not sure what you mean. Ask me about the thing itself, and I'll say when you told me."
NOTHING_TO_FORGET = "I found nothing like that to forget. The Memory page lists everything I know."
FORGET_ALL = "I don't forget everything on one message. The Memory page lists what I know, and you can delete it there."
ABILITIES = (
    "I'm Optimus. Without a language model I can:\n\n"
    "- remember what you tell me about yourself, such as “I'm allergic to peanuts” or “my sister Maria is a nurse”\n"
    "- replace what has changed, such as “I moved to Porto”\n"
    "- answer from it, with the date when you told me, such as “Where do I live?”\n"
    "- forget it again, such as “forget my address”"
)
_CONNECT = "To connect one, choose “Connect a model”._"
NOT_CONNECTED = f"_No language model is connected, so I can talk about what you told me and little else. {_CONNECT}"
_NOT_CONNECTED_KEEPS_NOTHING = (
    "_No language model is connected, so I can talk about what you told me before and little else. Your settings say "
    f"that I remember nothing new. {_CONNECT}"
)
_NOT_CONNECTED_LOOKS_NOTHING_UP = (
    "_No language model is connected, and your settings say that I make no answers from what you told me, so I can do "
    f"little more than remember. {_CONNECT}"
)
_NOT_CONNECTED_NEITHER = (
    "_No language model is connected, and memory is switched off in your settings, so there is little that I can do. "
    f"{_CONNECT}"
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
_TOOK_BACK = re.compile(
    r"[.!?…]\s+(?:no,? |please |ok(?:ay)?,? |actually,? )*(?:(?:forget|unlearn)(?: about| (?:that )?i said)? (?:it|"
    r"this|that|"
    r"what i (?:just )?said)|(?:just |only )?(?:kidding|joking)|i'm (?:just )?(?:kidding|joking)|not)(?: please)?$",
    re.IGNORECASE,
)
_MAYBE_NAME = re.compile(r"(?:(?:[Hh]i|[Hh]ello|[Hh]ey|[Aa]ctually|[Nn]o)[, ]+)?(?:I'm|I am|i'm|i am) ([A-ZÀ-Þ][\w-]+)")
_INVITATION = "Tell me something to remember, or ask me about what you told me."
_INVITATION_TO_TELL = "Tell me something to remember."
_INVITATION_TO_ASK = "Ask me about what you told me before."
_FORGET_ABOUT = re.compile(
    r"(?:please |can you |could you |now )*(?:forget|delete|erase|remove|clear|wipe|unlearn)(?: (?:everything|"
    r"anything|all))"
    r"(?: (?:that )?(?:you (?:know|have)|i (?:said|told you)))?(?: memor(?:y|ies)| facts?| notes?)? (?:about|on|of|"
    r"regarding) "
    r"(?P<what>(?!me\b)[\w' -]{2,60})",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """The fixed sentences as they are true under the user's settings: nothing is promised that is switched off."""

    keeps: bool = True
    looks_up: bool = True

    def _of(self, both: str, keeps: str, looks_up: str, neither: str) -> str:
        if self.keeps:
            return both if self.looks_up else keeps
        return looks_up if self.looks_up else neither

    @property
    def can(self) -> str:
        """What memory can do, as a sentence of its own after another one; empty where it is switched off."""
        return self._of(f" {_CAN}", f" {_CAN_KEEP}", f" {_CAN_FIND}", "")

    @property
    def no_model(self) -> str:
        """What a question gets that takes a language model."""
        return _CANNOT_ANSWER + self.can

    @property
    def cannot_do(self) -> str:
        """What a task gets that takes a language model."""
        return _CANNOT_DO + self.can

    @property
    def not_connected(self) -> str:
        """The note under the first answer of a conversation."""
        return self._of(
            NOT_CONNECTED,
            _NOT_CONNECTED_LOOKS_NOTHING_UP,
            _NOT_CONNECTED_KEEPS_NOTHING,
            _NOT_CONNECTED_NEITHER,
        )

    @property
    def abilities(self) -> str:
        """What the assistant can do."""
        return self._of(ABILITIES, *[f"I'm Optimus.{self.can or ' Memory is switched off in your settings.'}"] * 3)

    def friendly(self, opening: str) -> str:
        """Return a greeting with what the user may do next."""
        rest = self._of(_INVITATION, _INVITATION_TO_TELL, _INVITATION_TO_ASK, "Connect a model to talk to one.")
        return f"{opening} {rest}"


def hint(prompt: str) -> str | None:
    """Return why nothing was kept of a message where that can be told: it was taken back, or may be a name."""
    text = prompt[-300:].replace("’", "'").strip(" .!")
    if _TOOK_BACK.search(text):
        return "All right, I kept nothing of that."
    name = _MAYBE_NAME.fullmatch(text)
    return f"I changed nothing. If that is your name, say “my name is {shown(name[1])}”." if name else None


def forget_about(prompt: str) -> str | None:
    """Return how to delete all that is known of something, where that is asked; a guess would delete too much."""
    match = _FORGET_ABOUT.fullmatch(prompt[:300].replace("’", "'").strip(" .!?"))
    if match is None:
        return None
    what = re.sub(r"\b(?:my|our)\b ?", "", match["what"]).strip()
    return (
        f"I don't delete by a description, because I could delete too much. On the Memory page, search for "
        f"“{shown(what)}” "
        "and delete what you no longer want there."
    )


def small_talk(prompt: str, *, now: datetime, manners: Manners | None = None) -> str | None:
    """Return the answer to a greeting, thanks, a question about the assistant or the date; None for anything else."""
    manners = manners or Manners()
    about = forget_about(prompt)
    if about is not None:
        return about
    text = re.sub(r"\s+", " ", prompt[:300].replace("’", "'")).strip(" .!?,:)😀🙂😊👍🙏👋")
    for pattern, reply in (
        (_GREETING, manners.friendly("Hello!")),
        (_WELLBEING, manners.friendly("All is well here.")),
        (_THANKS, "You're welcome."),
        (_GOODBYE, "Goodbye. I'll keep what you told me." if manners.keeps else "Goodbye."),
        (_ASSENT, "All right."),
        (_ABILITIES, manners.abilities),
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


def moment(at: datetime) -> str:
    """Return `22 November 2026 at 19:05 (UTC)`."""
    return f"{written(at)} at {at:%H:%M} (UTC)"


def written(moment: datetime) -> str:
    """Return `22 November 2026`."""
    return f"{moment.day} {moment:%B} {moment.year}"
