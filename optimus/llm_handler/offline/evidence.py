"""What a raw message is worth as an answer: only a plain statement may answer, everything else is at most quoted."""

from __future__ import annotations

import re

from optimus.llm_handler.offline.question import read_question
from optimus.llm_handler.offline.words import content
from optimus.models import Memory

_FICTION = re.compile(
    r"\b(?:novels?|stor(?:y|ies)|books?|movies?|films?|dreams?|dreamt|dreamed|games?|plays?|scripts?|poems?|songs?|lyrics|"
    r"scenes?|characters?|hero(?:ine)?s?|protagonist|fiction\w*|role-?play\w*|imagin\w+|pretend\w*|suppose|hypothetical\w*|"
    r"what if|translate|proofread|rewrite|quote|kidding|joking|just a joke|sarcas\w+|/s)\b|yeah,? right|\bnot!$|🙄",
    re.IGNORECASE,
)
_NOT_PLAIN = re.compile(
    r"\b(?:says?|said|saying|tells?|told|thinks?|thought|claims?|claimed|believes?|believed|heard|wrote|asks?|asked|"
    r"wonders?|wondered|mentioned|according to|apparently|allegedly|supposedly|rumou?r\w*|people say|they say|if|"
    r"unless|"
    r"wish\w*|would|could|might|may(?! \d)|maybe|perhaps|probably|possibly|almost|nearly|should|i'd|as if|like i'm|"
    r"hope to|"
    r"want to|used to|no longer|any ?more|not|never|don't|doesn't|didn't|isn't|aren't|wasn't|won't|can't|haven't|"
    r"hasn't|"
    r"forget|remember|false|untrue|lied?|lying|wrong)\b|[\"“”„«»?]",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")


def tells(memory: Memory) -> bool:
    """Tell whether a raw message says something; a question asked earlier is no answer."""
    return read_question(memory.text) is None and bool(content(memory.text))


def states_plainly(text: str, asked: frozenset[str]) -> bool:
    """Tell whether a message states what it says of the asked words as a fact of its writer's life.

    What somebody else says, what is only imagined, wished, supposed or denied, and what is quoted is none.
    """
    if _FICTION.search(text):
        return False
    sentences = [match[0] for match in _SENTENCE.finditer(text.replace("’", "'")) if content(match[0]) & asked]
    return bool(sentences) and not any(_NOT_PLAIN.search(sentence) for sentence in sentences)
