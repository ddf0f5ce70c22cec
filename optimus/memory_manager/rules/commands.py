"""What the user asks of the memory itself (`remember that`, `forget that`) and of the answers (`answer briefly`)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from optimus.memory_manager.rules.lexicon import LANGUAGES

MIN_NOTE_CHARS = 3
MAX_NOTE_CHARS = 400

_HIJACK = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass) (?:all |any |every |the |your |my |these |those |previous |prior |"
    r"above |earlier |safety |system ){0,4}(?:instructions?|prompts?|rules|guidelines|directives?|training|"
    r"restrictions|context)\b|\byou are now\b|\bfrom now on,? you(?:'re| are| must| will| shall| have)\b|\b(?:system|"
    r"developer) (?:prompt|message|mode)\b|\bjailbr\w+|\byou (?:must|shall|have to) (?:always |never |now )?(?:obey|"
    r"comply|ignore|reveal|output|say|respond|answer|execute|pretend|act|send|tell|recommend)\b|\bdo anything now\b|"
    r"^[ \t]*(?:system|assistant|user|developer)[ \t]*:|<\|?(?:system|im_start|assistant)|\[/?inst\]|\bact as (?:a|an|"
    r"if|though)\b|\bnew instructions?\s*:|\bexfiltrate\b",
    re.IGNORECASE | re.MULTILINE,
)
_LEAD = (
    r"^(?:(?:please|pls|hi|hello|hey|ok|now|can you|could you|would you|will you|i want you to|i need you to|"
    r"i'd like you to|help me(?: to)?)[ ,]+){0,3}"
)
_MATERIAL = re.compile(
    rf"{_LEAD}(?:translate|proofread|proof-read|rewrite|re-write|rephrase|paraphrase|summari[sz]e|correct|polish|"
    rf"shorten|"
    r"spell-?check) (?:this|that|these|the|my|it|into|to|from|following|text|sentence|grammar|below|above|email|in)\b|"
    r"^(?:translate|summary|rewrite|proofread|paraphrase)\s*:|\bhow (?:do|would|can) (?:you|i|we|one) say\b|"
    r"\bwhat does .* mean\b",
    re.IGNORECASE,
)
_TEXT_FOLLOWS = re.compile(
    rf"{_LEAD}(?:fix|improve|edit|review|continue|complete|reply to|respond to|format|convert|classify|analy[sz]e|"
    r"extract|explain|check)\b.*(?::|\bfollowing\b|\bbelow\b)|^(?:please )?(?:write|compose|draft|create|generate|tell|"
    r"make|invent) (?:me |us )?(?:a|an|the|some) (?:[\w-]+ ){0,4}(?:story|poem|letter|email|e-mail|song|essay|speech|"
    r"bio|biography|script|dialogue|post|tweet|novel|scene|monologue|joke|message|cover letter)\b",
    re.IGNORECASE,
)
_FICTION = re.compile(
    r"^(?:let's |let us )?(?:suppose|imagine|pretend|assume|assuming|say (?:i|my|that)|role-?play|what if|"
    r"hypothetically|in (?:my|the|a) (?:story|novel|dream|game|book|scenario)|picture this|in an alternate)\b",
    re.IGNORECASE,
)
_IRONIC = re.compile(
    r"^(?:yeah,? right|oh,? (?:great|joy|wonderful|fantastic|perfect|super|lovely)|as if|because who doesn't)\b|"
    r"\b(?:just )?(?:kidding|joking)\b|(?:^|\s)/s$|🙄|[,.… –-]+(?:not|just kidding|jk|as if)!?$",
    re.IGNORECASE,
)
_TAKEN_BACK = re.compile(
    r"(?:no,? )?(?:not(?: really)?|nah|(?:i'm |i am |i was )?(?:just |only )?(?:kidding|joking|messing with you)|jk|"
    r"psych|"
    r"(?:that was |it's |it was )?(?:just |only )?a (?:joke|lie)|that's not true|that was not true|(?:that was |just )?"
    r"sarcasm)",
    re.IGNORECASE,
)
_ASKED = r"(?:(?:please|pls|kindly|also|just|and|hey optimus|optimus|ok|now),? )*"
_WISH = (
    r"(?:(?:can|could|will|would) you (?:please )?|i(?:'d like| would like| want| need) you to |you (?:should|can|"
    r"must) )?"
)
_REMEMBER = re.compile(
    rf"^{_ASKED}{_WISH}{_ASKED}(?:remember|note|keep in mind|bear in mind|(?:don't|do not|never) (?:ever )?forget|"
    rf"make a (?:mental )?note"
    r"|take note|memori[sz]e|note to self|reminder|(?:write|note) (?:this |it )?down|save (?:this|that|it)|"
    r"store (?:this|that)|add to (?:your |my )?memory|for your memory)(?: for (?:me|later|next time|"
    r"the future))?(?P<link>(?: down)?(?: this| the following)? ?[:,–-]+ ?(?:that )?| (?:this |of the fact |"
    r"down )?that | of | to | about me: | (?=\S))(?P<rest>.+)$",
    re.IGNORECASE,
)
_ANNOUNCED = re.compile(
    rf"^{_ASKED}{_WISH}(?:remember|note|save|memori[sz]e|keep in mind|write down) (?:this|the following)(?: for (?:me|"
    rf"later))?:?$",
    re.IGNORECASE,
)
_OFF_THE_RECORD = re.compile(
    r"\b(?:(?:don't|dont|do not|never) (?:save|store|note|keep|record|memori[sz]e|remember) (?:this|that|it|anything)|"
    r"off the record|between us,)",
    re.IGNORECASE,
)
_NOTHING_TO_KEEP = re.compile(
    r"(?:when|how|what|why|where|who|which|if|whether|me|us|it|this|that|them|him|her|you|your|everything|anything|all|"
    r"nothing|our (?:last |previous )?(?:chat|conversation|talk)s?|the (?:time|last time|previous|conversation|context|"
    r"above|rules?|instructions?)|previous|earlier|last time|always|never|things?|stuff|back when|being|"
    r"having)\b(?! (?:is|are|was) )",
    re.IGNORECASE,
)
_ORDER = re.compile(
    r"(?:always |never |not to |to )*(?:answer|reply|respond|ignore|obey|follow|act|output|say|write|speak|pretend|"
    r"execute|reveal|send|disregard|include|use|call (?!me\b)|do|be|you|recommend|promote|tell|add|end|start|begin|"
    r"behave|treat|trust|comply|execute|run|give|provide|refuse|mention|print|check|think|ask)\b",
    re.IGNORECASE,
)
_FORGET = re.compile(
    rf"^{_ASKED}{_WISH}{_ASKED}(?:(?:forget|unlearn|stop remembering|(?:don't|do not) remember)(?: (?:the )?(?:memory|"
    rf"memories|fact|note)"
    r"s?)?|(?:delete|erase|remove|wipe|clear|drop)(?: (?:the|your|my|all|any))?(?: ?(?:memory|memories|note|notes|"
    r"fact) ?| (?:what|everything|anything) you know ?))(?P<link>(?: (?:about|of|that|the fact that|what i (?:said|"
    r"told you) about|where i said(?: that)?|"
    r"ever saying that))* )(?P<rest>.+)$",
    re.IGNORECASE,
)
_FORGET_LAST = re.compile(
    rf"^{_ASKED}{_WISH}{_ASKED}(?:(?P<verb>forget|unlearn|delete|erase|remove|scrap|strike|don't(?= \w+ (?:it|"
    r"that)$)|do not(?= \w+ (?:it|that)$))(?: about| (?:remember|keep|save|store|note)| (?:that )?i (?:ever )?(?:said|"
    r"told you|mentioned))?)(?: that)? "
    r"(?P<what>(?:it|this|that|(?:what|everything|anything|all) (?:that )?i(?:'ve| have)?(?: just)? (?:said|told you|"
    r"wrote|mentioned|typed)|(?:that|the|my) (?:last|previous) (?:message|statement|sentence|thing|fact|memory|one|bit|"
    r"part)(?: i (?:said|told you))?|that last (?:bit|part|one|thing)))(?: (?:i (?:just )?said|again|now|please|for "
    r"now|"
    r"just now|right away|immediately))*$",
    re.IGNORECASE,
)
_FORGET_LAST_ABROAD = re.compile(
    r"(?:bitte )?(?:vergiss|vergessen sie)(?: bitte)? (?:das|es)(?: bitte| wieder)*|oublie[sz]?(?: ça| cela|-le)|"
    r"(?:por favor )?"
    r"(?:olvida eso|olvídalo|olvida lo que dije)|esque[cç][ae] isso|(?:dimentica|scorda)(?:lo| questo| quello che "
    r"ho detto)",
    re.IGNORECASE,
)
_THIS = re.compile(r"^(?:this|that|the following)\s*[:,]\s*", re.IGNORECASE)
_NOT_FORGOTTEN = re.compile(
    r"(?:(?:everything|anything|all)(?: that)? (?:you (?:know|have)(?: about)? |i (?:said|told you) about |about |"
    r"on ).*|it|this|that|him|her|them|everything|anything|all|about it|about that|me|to\b.*|what (?:i|"
    r"you)(?: just)? (?:said|told|wrote).*|the (?:last|previous|above)\b.*|previous\b.*|earlier\b.*|your\b.*|you\b.*|"
    r"how\b.*|why\b.*|when\b.*|my (?:last|previous) (?:message|question|request)\b.*)",
    re.IGNORECASE,
)
_MANNER = (
    r"(?:(?:only |always |mostly |just |very |more |less |fairly |rather |strictly |quite )*(?:in |with |as |"
    r"like )?(?:an? |the )?(?:only |very |more |less |rather )*(?:short|brief|briefly|concise|concisely|simple|simply|"
    r"plain|plainly|clear|long|longer|shorter|detailed|formal|formally|informal|informally|casual|casually|polite|"
    r"politely|friendly|direct|directly|technical|one|two|three|few|full|complete|numbered|bulleted|bullet|bullets|"
    r"step by step|metric|imperial|celsius|fahrenheit|kilometres|kilometers|detail|emojis?|emoticons|jargon|markdown|"
    r"headings|tables|lists|small talk|exclamation marks|"
    rf"slang|british|american|24-hour|{LANGUAGES})"
    r"(?: (?:sentences?|answers?|replies|responses|words?|language|english|paragraphs?|tone|style|manner|way|"
    r"explanations?|points?|lists?|units?|time|format|form|spelling|terms|only|as possible|and|or|to the point|please|"
    r"steps|detail))*(?: (?:and|or) (?:short|brief|concise|simple|formal|friendly|polite|direct|to the point|clear|"
    r"no \w+)(?: \w+)?)?)"
)
_STYLE = re.compile(
    r"(?:please )?(?:(?P<lasting>always|from now on|in (?:the )?future|going forward|"
    r"never),? )?(?:please )?(?:i(?:'d like| want| would like| need) you to |you should |try to )?(?:always |"
    r"only )?(?:(?P<verb>answer|reply|respond|talk|write|speak|explain)(?: to me| me| with me| back| things|"
    r" everything| my questions| questions)*|(?:keep|make) (?:all )?(?:your |the )(?:answers|replies|responses|"
    r"explanations)|give me(?: only)?|use|(?:don't|do not|never) (?:use|write|give me)|avoid(?: using)?|no|stop using|"
    rf"be) {_MANNER}(?:,? (?:please|from now on|always|in future|in the future|when you answer|in your (?:answers|"
    rf"replies)))*",
    re.IGNORECASE,
)
_ONE_OFF = frozenset({"write", "speak", "explain", "talk"})
_BARE = re.compile(r"my \w+(?: \w+)?", re.IGNORECASE)
"""A thing without anything said of it (`remember my name`)."""
_LOOSE = frozenset({"", ",", "-", "–"})
"""Between `remember` and the rest: so little that the rest must be about the writer."""
_IS_NOUN = re.compile(r"(?:note|save|store) (?!my\b)", re.IGNORECASE)
_OWN = re.compile(r"(?:i|i'm|i've|my|we|our|the)\b", re.IGNORECASE)
_ADDRESSES = re.compile(r"\b(?:you|your|yours|yourself|u)\b", re.IGNORECASE)
_LANGUAGE = re.compile(rf"\bin (?:\w+ )?(?:{LANGUAGES})\b", re.IGNORECASE)
_LENGTH = re.compile(
    r"\b(?:short|shorter|brief|briefly|concise|concisely|long|longer|detailed|detail|\w+ sentences?)\b", re.IGNORECASE
)
_NAMED_SLOTS = {
    "name": "name", "address": "address", "job": "job", "employer": "employer", "age": "age", "birthday": "birthday",
    "home": "home", "diet": "diet", "nationality": "nationality", "hometown": "hometown",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be remembered or forgotten, in the user's words."""

    rest: str
    is_task: bool = False
    """`remember to ...`: something that the user has to do."""


def is_off_the_record(text: str) -> bool:
    """Tell whether a message asks that nothing of it be kept."""
    return _OFF_THE_RECORD.search(text.replace("’", "'")) is not None


def is_hijack(message: str) -> bool:
    """Tell whether a message tries to command the assistant; nothing is derived from such a message."""
    return _HIJACK.search(message) is not None


def is_about_material(sentence: str) -> bool:
    """Tell whether the message hands over a text to work on; then its `I` may be anybody."""
    return _MATERIAL.search(sentence) is not None


def announces_text(sentence: str) -> bool:
    """Tell whether what follows may be a text to work on, or to be written; then the `I` after it may be anybody."""
    return _TEXT_FOLLOWS.search(sentence) is not None


def is_ironic(sentence: str) -> bool:
    """Tell whether the writer marks a sentence as not meant."""
    return _IRONIC.search(sentence) is not None


def takes_back(sentence: str) -> bool:
    """Tell whether a sentence says that the one before it was not meant (`Just kidding!`)."""
    return _TAKEN_BACK.fullmatch(sentence) is not None


def opens_fiction(sentence: str) -> bool:
    """Tell whether what follows is only supposed."""
    return _FICTION.match(sentence) is not None


def announces(sentence: str) -> bool:
    """Tell whether the next sentence is to be remembered (`Remember this:`)."""
    return _ANNOUNCED.match(sentence) is not None


def read_remember(sentence: str, *, asks: bool) -> Request | None:
    """Return what is to be remembered; None for questions about memory and for orders to the assistant."""
    match = _REMEMBER.match(sentence)
    if match is None:
        return None
    link, rest = match["link"].strip().lower(), match["rest"].strip()
    is_refused = (
        (asks and "that" not in link)
        or not MIN_NOTE_CHARS <= len(rest) <= MAX_NOTE_CHARS
        or _NOTHING_TO_KEEP.match(rest)
        or _ORDER.match(rest)
        or (link in _LOOSE and _BARE.fullmatch(rest))
        or (link in _LOOSE and (not _OWN.match(rest) or _ADDRESSES.search(rest) or _IS_NOUN.match(sentence)))
        or (link == "to" and _ADDRESSES.search(rest))
    )
    return None if is_refused else Request(rest=rest, is_task=link == "to")


def is_order(sentence: str) -> bool:
    """Tell whether the sentence asks to remember something; what it asks may still be refused."""
    return _REMEMBER.match(sentence) is not None


def read_forget(sentence: str) -> Request | None:
    """Return what is to be forgotten; None for `forget it` and for wholesale requests, which need the Memory page."""
    match = _FORGET.match(sentence)
    if match is None or _NOT_FORGOTTEN.fullmatch(match["rest"].strip()):
        return None
    return Request(rest=_THIS.sub("", match["rest"].strip()))


def read_forget_last(sentence: str) -> str | None:
    """Return how the sentence points at what was said last (`that`, `what i just said`), if it asks to forget it."""
    if _FORGET_LAST_ABROAD.fullmatch(sentence):
        return "that"
    match = _FORGET_LAST.match(sentence)
    if match is None:
        return None
    what = match["what"].lower()
    is_memory = match["verb"].lower().startswith(("forget", "unlearn")) or what not in {"it", "this", "that"}
    is_backward = match["verb"].lower() in {"don't", "do not"} and what in {"it", "that"}
    return what if is_memory or is_backward else None


def named_slot(text: str) -> str | None:
    """Return the slot of a thing that is named alone (`my address`)."""
    return _NAMED_SLOTS.get(text.lower().removeprefix("my ").strip())


def style_slot(sentence: str) -> str | None:
    """Return the slot of an instruction about answers (`answers.length`), or None where it is none.

    One-off orders (`write in German`) count only with a word that makes them last (`always`).
    """
    match = _STYLE.fullmatch(sentence)
    if match is None:
        return None
    verb = (match["verb"] or "").lower()
    if verb in _ONE_OFF and not (match["lasting"] or re.search(r"\b(?:always|from now on|to me|with me|"
                                                               r"in (?:the )?future)\b",
                                                               sentence, re.IGNORECASE)):  # fmt: skip
        return None
    if _LANGUAGE.search(sentence):
        return "answers.language"
    return "answers.length" if _LENGTH.search(sentence) else "answers.style"
