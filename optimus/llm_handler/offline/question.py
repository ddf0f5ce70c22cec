"""Read a prompt: is it a question, of what form, and is it about the user's own things."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from optimus.llm_handler.offline.foreign_questions import in_english

MAX_READ_CHARS = 2_000
MAX_QUESTION_CHARS = 300
"""Of a longer question the end is read, which holds what is asked."""


class Form(StrEnum):
    """What kind of answer a question wants."""

    YES_NO = "yes_no"
    WHO = "who"
    WHERE = "where"
    WHEN = "when"
    HOW_MANY = "how_many"
    WHAT = "what"
    ADVICE = "advice"
    """`What should I ...`, `how do I ...`: memory may help, but does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question, without the words that only lead up to it."""

    text: str
    form: Form
    about_user: bool
    """It asks after the user's own life (`my`, `do I`), not after the world."""
    is_overview: bool = False
    """It asks for everything that is known."""
    wants_words: bool = False
    """It asks what was said of something, so that whatever was said is an answer (`what did I tell you about ...`)."""
    points_back: bool = False
    """It asks when or how the last thing was learned (`when did I tell you that`)."""


_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*(?:\.\d[^.!?\n]*)*")
_LEAD = re.compile(
    r"^(?:(?:hi|hello|hey|ok|okay|so|well|and|but|then|also|please|optimus|by the way|btw|thanks|sorry|now|"
    r"quick question|just wondering)[,!:.]? +|(?P<can>do|did|can|could|would|will) (?:you|u) (?:please |still |"
    r"happen to |even |maybe |also )*(?:remember|know|recall|tell me|remind me(?: of)?|say|find|look up|list|show me|"
    r"name|give me)(?: again)?,? +|(?P<ask>(?:please )?(?:tell me|remind me(?: of)?|show me|list|name|give me|"
    r"i (?:forgot|forget|can't remember|don't remember|wonder|want to know|would like to know|'d like to know|"
    r"need to know)|any idea|what about|how about|i asked(?: you)?) +))",
    re.IGNORECASE,
)
_OPENING = re.compile(
    r"^(?:what|who|whom|whose|where|when|why|how|which|do|does|did|am|is|are|was|were|can|could|will|would|shall|"
    r"should|may|have|has|had|isn't|aren't|don't|doesn't|didn't|wasn't|won't|can't|haven't)(?:'s|'re|'d|'m|s)?\b(?!,)",
    re.IGNORECASE,
)
_NOT_ASKED = re.compile(
    r"^(?:don't|do not|have (?:a|fun|you been)|can't wait|may (?:\d|the)|will do|is that so)\b", re.IGNORECASE
)
_OVERVIEW = re.compile(
    r"\b(?:what|everything|all|anything|things?|how much)\b.*\byou\b.*\b(?:know|remember|recall|learned|stored|saved|"
    r"got)\b(?: (?:so far|already|by now))?(?:.*\b(?:about me|on me|of me)\b.*|(?: (?:so far|already|by now))?)$|"
    r"\bwhat (?:have i|did i) (?:told|tell|said|say)(?: to)?(?: you)?(?: so far| already| about me| about myself)?$|"
    r"^(?:about me|myself|everything about me|(?:all )?my memories|what you (?:know|remember)(?: about me| of me)?|"
    r"who am i|(?:what (?:was|is|were) )?the (?:last|latest) things? i (?:just )?(?:said|told you)|summari[sz]e (?:me|"
    r"what you know about me))$",
    re.IGNORECASE,
)
_WORDS = re.compile(
    r"^(?:what (?:all )?(?:did|have|had) i (?:ever |already |just )?(?:say|said|tell|told|mention|mentioned|write|"
    r"written|talk|talked|ask|asked)(?: to)?(?: you)?(?: about| of| on| regarding)?|(?:what|anything|everything)(?: "
    r"else)? "
    r"(?:do |that )?(?:you )?(?:know|remember|have)(?: about| of| on| regarding)|what about|anything about|"
    r"everything about) "
    r"(?P<of>(?!me$|myself$).+)$",
    re.IGNORECASE,
)
_WHEN_TOLD = re.compile(
    r"^(?:when|where) (?:did|have) i (?:ever |first |last )?(?:tell|told|say|said|mention|mentioned|write|written)"
    r"(?: to)?(?: you)?(?: about| that)? (?P<of>(?!that$|this$|it$|so$).+)$",
    re.IGNORECASE,
)
_POINTS_BACK = re.compile(
    r"^(?:(?:when|where|how) (?:did|have) (?:i|we|you) (?:ever |first |last )?(?:tell|told|say|said|mention|"
    r"mentioned|write|"
    r"written|talk(?:ed)? about|learn(?:ed)?|find out)(?: to)?(?: you| me)?(?: about)?(?: that| this| it| so)?|how "
    r"do you know"
    r"(?: that| this| it)?|(?:who|where) (?:told you|did you (?:get|hear|learn) )(?: ?(?:that|this|it))?(?: from)?|"
    r"since when (?:do|have) you know(?:n)?(?: that| this| it)?|(?:did i (?:really )?(?:say|tell you)|are you sure "
    r"about) "
    r"(?:that|this|it)|where (?:is|does) (?:that|this|it) (?:come )?from)$",
    re.IGNORECASE,
)
_EATS = re.compile(
    r"\b(?:can|could|may|should|am) (?:i|we) (?:safely |still |also |allowed to |able to )*(?:have|eat|drink|try|order|"
    r"take|taste|share|cook)\b|\b(?:is|are|would) .+ (?:safe|ok|okay|fine|good|bad|suitable|dangerous|all right|"
    r"alright) "
    r"(?:for (?:me|us)|to eat|to drink)\b",
    re.IGNORECASE,
)
_OWN = re.compile(r"\b(?:my|mine|our|ours)\b", re.IGNORECASE)
_SELF = re.compile(r"\b(?:i|i'm|i've|me|myself|we|us)\b", re.IGNORECASE)
_ADVICE = re.compile(
    r"\bhow (?:do|can|should|could|would|to)\b|\b(?:should|could|shall|may|might|can) (?:i|we)\b|\b(?:suggest|"
    r"recommend|any ideas|any tips)\b|\bdo (?:i|we) (?:need|have to)\b(?! (?:to )?do\b)|\bdo (?:i|we) (?:find|get "
    r"to|buy|start|click|download|install|sign|"
    r"set up|change)\b|\b(?:i|we) (?:should|could|can)\b|\b(?:help|tell|give|show|write|send|teach|explain|make) me\b",
    re.IGNORECASE,
)
_FOREIGN = re.compile(
    r"\b(?:ich|mein\w*|mir|mich|je|j'\w+|mon|ma|mes|moi|yo|mi|mis|vivo|tengo|me llamo|eu|meu|minha|moro|io|mio|mia|"
    r"abito)\b",
    re.IGNORECASE,
)
_FORMS = (
    (re.compile(r"^(?:who|whom|whose)\b|\bname of\b|\bcalled\b|\bname\b", re.IGNORECASE), Form.WHO),
    (re.compile(r"^where\b|\bwhich (?:city|country|town|place)\b|\b(?:wo|où|dónde|donde|onde|"
                r"dove)\b", re.IGNORECASE), Form.WHERE),
    (re.compile(r"^when\b|\b(?:what|which) (?:day|date|time|year|month)\b|\bbirthday\b|"
                r"\bhow long\b", re.IGNORECASE), Form.WHEN),
    (re.compile(r"^how (?:many|much|old|tall|often)\b", re.IGNORECASE), Form.HOW_MANY),
    (re.compile(r"^(?:do|does|did|am|is|are|was|were|have|has|had|will|would|isn't|aren't|don't|doesn't|didn't|wasn't|"
                r"haven't|i|i'm)\b",
                re.IGNORECASE), Form.YES_NO),
)  # fmt: skip


def read_question(prompt: str) -> Question | None:
    """Return the last question of a prompt, or None where it asks nothing."""
    text = prompt[:MAX_READ_CHARS].replace("’", "'")
    found: Question | None = None
    for match in _SENTENCE.finditer(text):
        found = _read(match[0].strip()) or found
    return found


def search_text(prompt: str) -> str:
    """Return what to look for in memory: the prompt, with what its question means where its words do not say it."""
    question = read_question(prompt)
    if question is None:
        return prompt
    english = in_english(prompt)
    if english is not None:
        return f"{prompt} {english}"
    return f"{prompt} allergic, intolerant, diet" if is_of_eating(question.text) else prompt


def is_of_eating(question: str) -> bool:
    """Tell whether a question is about what its writer may eat, drink or take."""
    return _EATS.search(question) is not None


def _read(sentence: str) -> Question | None:
    asks = sentence.endswith("?")
    sentence = in_english(sentence) or sentence
    sentence = sentence[-MAX_QUESTION_CHARS:]
    bare = _after_statement(sentence.rstrip("?.! "), asks=asks)
    is_asked_for = False
    for _ in range(5):
        lead = _LEAD.match(bare)
        if lead is None:
            break
        is_asked_for = is_asked_for or lead["ask"] is not None or lead["can"] is not None
        bare = bare[lead.end() :]
    is_overview = _OVERVIEW.search(bare) is not None
    opens = _OPENING.match(bare) is not None and _NOT_ASKED.match(bare) is None
    wants_own = is_asked_for and re.match(r"(?:about )?(?:my|our)\b", bare, re.IGNORECASE) is not None
    if not (asks or opens or is_overview or wants_own) or not bare:
        return None
    if _POINTS_BACK.match(bare):
        return Question(text=bare, form=Form.WHEN, about_user=True, points_back=True)
    of = None if is_overview else _WORDS.match(bare) or _WHEN_TOLD.match(bare)
    if of is not None:
        return Question(text=of["of"], form=Form.WHAT, about_user=True, wants_words=True)
    is_own = _OWN.search(bare) is not None or _SELF.search(bare) is not None or _FOREIGN.search(bare) is not None
    form = _form(bare)
    return Question(
        text=bare,
        form=form,
        about_user=is_own and (form is not Form.ADVICE or bool(_OWN.search(bare))),
        is_overview=is_overview,
    )


def _after_statement(text: str, *, asks: bool) -> str:
    """Return the question of `I'm allergic to nuts, what can I eat`."""
    if not asks:
        return text
    for match in re.finditer(r"(?:,| and| so| but| -)\s+", text):
        rest = text[match.end() :]
        if _OPENING.match(rest) and not _OPENING.match(text) and not _LEAD.match(text):
            return rest
    return text


def _form(text: str) -> Form:
    if _ADVICE.search(text):
        return Form.ADVICE
    return next((form for pattern, form in _FORMS if pattern.search(text)), Form.WHAT)
