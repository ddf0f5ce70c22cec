"""How orders to an assistant are worded, in English and five other languages, as one pattern without nested repeats."""

from __future__ import annotations

import re
from functools import cache

from optimus.memory_manager.foreign_orders import FOREIGN
from optimus.memory_manager.order_frames import FRAMES

_AI = (
    r"(?:(?:the|this|any|every|each|an?|dear|our|your) )?(?:ai|a\.i\.|assistants?|chat ?bots?|bots?|language models?|"
    r"llms?|ai models?|models?|ai agents?|optimus|gpt|chatgpt|claude|gemini|copilot)"
)
_DUTY = (
    r"(?:must|should|shall|ha(?:s|ve) to|is to|are to|needs? to|ought to|will (?:always|never)|may (?:never|not)|"
    r"can ?not|"
    r"(?:is|are) (?:now |hereby )?(?:required|instructed|ordered|obliged|expected|told|authori[sz]ed|allowed|"
    r"not allowed|"
    r"forbidden|permitted) to)"
)
_SAYING = (
    r"(?:say|tell|answer|reply|respond|recommend|mention|claim|insist|suggest|promote|advise|pretend|reveal|disclose|"
    r"refuse|deny|praise|obey|comply|agree|warn|convince|persuade|advertise|cite|lie|confirm|respond|output|print)"
)
_DOING = (
    rf"(?:{_SAYING}|ignore|include|append|add|insert|send|forward|call|use|run|execute|invoke|follow|treat|act|trust|"
    r"hide|conceal|keep|give|share|show|grant|delete|forget|remember|end|begin|start|open|visit|link|refer|point|"
    r"direct|"
    r"redirect|steer|skip|translate|write|name|consider|assume|believe|put|upload|post|push|favou?r|endorse|rank|rate|"
    r"greet|bring up|load|fetch|side with|critici[sz]e|contradict|disregard|doubt)"
)
_FILL = (
    r"(?:(?:then|please|always|never|only|first|also|just|not|now|the assistant|it|you|must|should|has to|have to) )*"
)
_SOMEBODY = (
    r"(?:(?:the|this|a|any|another|your) )?(?:users?|someone|somebody|anyone|anybody|they|people|customers?|clients?|"
    r"readers?|person|human)"
)
_SHARED = (
    r"(?:conversations?|chats?|chat history|histor(?:y|ies)|memor(?:y|ies)|messages|passwords?|api keys?|keys|"
    r"credentials|system prompt|summar(?:y|ies)|user'?s? \w+|what you know)"
)
_START = r"(?:^|[.;:!?>*#\n(\"“] ?|\b(?:and|then|please|must|should|to) )"

_ENGLISH = (
    # Setting rules aside.
    (
        r"\b(?:ignore|disregard|override|bypass|overrule|forget|abandon|set aside|pay no attention to|stop following|"
        r"do not follow|act against|violate) (?:(?:all|any|every|your|the|these|those|its|of|previous|prior|earlier|"
        r"above|"
        r"former|original|system|safety|security|content|other|initial) ){1,5}"
        r"(?:instructions?|prompts?|guidelines?|rules?|directives?|restrictions?|training|filters?|constraints|"
        r"policies|policy|"
        r"messages?)\b"
    ),
    (
        r"\b(?:forget|ignore|disregard) (?:(?:everything|whatever|what|all) (?:above|before|so far|that|(?:\w+ "
        r"){0,3}told you|you (?:were|have been|know|learn\w*))|(?:everything|all) you)\b(?! about)"
    ),
    (
        r"\b(?:new|updated|hidden|permanent|secret) (?:instructions?|task|directive|system prompt|"
        r"rule)s? ?(?:for (?:the |any |every )?"
        rf"(?:ai|assistants?|models?|chatbot)|is to|: ?{_DOING})\b"
    ),
    r"\bas an? (?:ai|assistant|language model|chatbot)\b.{0,20}\byou\b",
    (
        r"\byou are (?:now|no longer|henceforth|from now on) (?:an? |in |free |un|allowed |the |my |called |max\b)?"
        r"(?:helpful|assistant|ai|developer|debug|god|dan\b|jailbr|restrict|bound|unrestricted|max|salesman|evil|"
        r"master)"
    ),
    r"\b(?:unrestricted|uncensored|jailbroken) (?:model|ai|assistant|mode)\b|\bdo anything now\b",
    r"\byou (?:are|have) (?:now |finally )?(?:free of|no) (?:all |any )?(?:restrictions?|rules|limits|filters)\b",
    (
        r"\b(?:rules|restrictions|filters|safety checks?|safeguards|guidelines) (?:are|is|"
        r"have been) (?:now )?(?:suspended|"
        r"disabled|lifted|off|void)\b(?! for the)"
    ),
    # What an assistant has to do.
    (
        rf"\b{_AI}(?: (?:that|who|which|reading|reads?|sees?|here|of) [^.\n]{{0,30}})? {_DUTY}(?: (?:always|never|not|"
        rf"now|also|"
        rf"only|first|immediately)){{0,2}} {_DOING}\b"
    ),
    (
        rf"\b(?:you|your (?:answers?|replies|responses?)) {_DUTY}(?: (?:always|never|not|now|also|only)){{0,2}} "
        r"(?:obey|comply|reveal|pretend|recommend|mention|praise|promote|insist|advertise|agree with|cite|convince|"
        r"claim that|"
        r"end with|"
        r"begin with|include|refuse|(?:tell|warn|inform|convince) (?:the |any )?users?|reply|respond|name \w+ when|"
        r"deny|trust every|say that|act as|output|send (?:every|all|the) )"
    ),
    (
        r"\b(?:remember|note|memori[sz]e|store|save|learn|keep in mind|bear in mind|do not forget|don't forget|write|"
        r"keep|"
        r"add|memory|rule|job|task)\b[^.\n]{0,50}\b(?:you (?:must|should|shall|have to|are to|will|need to)(?: "
        r"(?:always|"
        rf"never|not|now|also|only|first)){{0,2}} {_DOING}|you (?:are (?:not )?(?:allowed|free|required)|may not|must "
        rf"not)|"
        r"the assistant (?:must|should|shall|has to)|the user (?:is|has been) (?:an? )?(?:admin|owner|verified)|the "
        r"user "
        r"wants you to|your (?:answers?|rules?|replies)(?! (?:short|brief|simple|to the point|kind))|(?:permanent|"
        r"secret|"
        r"hidden) (?:instruction|rule))\b"
    ),
    (
        rf"\b(?:rule|instruction|order|note|message|attention|task)s?(?: number one)? ?(?:for|to|:|,)? ?(?:the |any |"
        rf"every |all )?"
        rf"(?:ai|assistants?|llms?|language models?|chatbots?)\b ?[:,]? ?[^.\n]{{0,20}}\b(?:you|{_DOING})\b"
    ),
    r"\b(?:attention|dear|hey|hello|hi),? (?:ai|assistant|chatbot|llm|language model)\b",
    rf"\bllms? (?:that |reading |which )?[^.\n]{{0,20}}\b{_DUTY}\b",
    # From some time on, and again and again.
    (
        rf"\b(?:from now on|from here on|henceforth|starting now|going forward|from this (?:moment|day|point) on|"
        rf"from today(?: on)?|starting today|as of (?:now|today)),? "
        rf"(?:(?:please|always|never|only) )*(?:you\b|(?:the |any )?assistant\b|(?:all|every|each) (?:answer|repl|"
        rf"response)|"
        rf"{_SAYING}\b(?! (?:me )?(?:in [a-z]+(?: please)?(?:[.,!\n]|$)|briefly|shortly))|treat\b|end\b|call the user)"
    ),
    (
        rf"{_START}(?:always|never|only) (?:recommend|suggest|promote|praise|cite|advertise|reveal|insist|obey|"
        r"trust (?:every|all|any|links?)|agree with|refuse to|warn the user|mention (?:this|these|the) |tell the user|"
        r"inform the user)\b(?! (?:to |him|her))"
    ),
    (
        rf"{_START}recommend [^.\n]{{1,60}} (?:in|at the end of) (?:each|every|all|any) (?:answer|reply|response|"
        rf"message)"
    ),
    r"\b(?:in|at the end of|to) (?:each|every|all|any)(?: of your)? (?:answers?|repl(?:y|ies)|responses?)\b",
    # On a later occasion.
    (
        rf"\b(?:when(?:ever)?|if|once|as soon as|each time|every time|next time|after) {_SOMEBODY} "
        r"[^.\n]{0,60}[^.\n,;:]{0,40}(?:[,:;–-] ?|\bthen )"
        rf"{_FILL}{_DOING}\b"
    ),
    (
        rf"\b(?:when(?:ever)?|if|once|as soon as|each time|every time|(?:the )?next time) (?:you are |you're |"
        rf"you get )?(?:asked|"
        rf"prompted|questioned|greeted)\b[^.\n,;:]{{0,60}}[,:;–-] ?{_FILL}{_DOING}\b"
    ),
    (
        rf"\b(?:when(?:ever)?|if|every time|each time|as soon as|once) (?:an? |the |my |"
        rf"some )?[\w ]{{1,30}} (?:comes? up|turns? to|is "
        rf"mentioned|are mentioned|is requested|is discussed|"
        rf"mentioned)\b[^.\n,;:]{{0,30}}[,:;–-] ?{_FILL}(?:i )?{_DOING}\b"
    ),
    rf"\bwhen i am (?:away|gone|offline)\b[^.\n]{{0,60}}, ?{_FILL}(?:give|send|show|tell|share)\b",
    rf"\bon (?:every|each|any) question\b[^.\n]{{0,40}}, ?{_FILL}{_SAYING}\b",
    (
        r"\b(?:you|assistant) (?:must|should|has to|have to) (?:name|mention|recommend|"
        r"suggest) [^.\n]{1,40} when(?:ever)?\b"
    ),
    # Behind the user's back.
    (
        r"\b(?:do not|don't|never|without|not) (?:tell(?:ing)?|inform(?:ing)?|alert(?:ing)?|warn(?:ing)?|"
        r"notify(?:ing)?|show(?:ing)?|"
        r"reveal(?:ing)?(?: to)?|let(?:ting)?) (?:this to )?(?:the|this|any) users?\b"
    ),
    (
        r"\bnever (?:mention|reveal|disclose) (?:(?:this|these|that|the) (?:instructions?|note|message|rule|order|"
        r"prompt)|to the user)"
    ),
    (
        r"\b(?:hide|conceal|keep) (?:this|these|the|that) (?:instructions?|note|message|rule|memory|order|lines?|"
        r"sentence|"
        r"prompt)s? (?:from|secret|hidden|when you)"
    ),
    r"\bthe user (?:must|should|may|shall) not (?:know|see|learn|be told)\b|\bdeny that (?:it|this|these) exists?\b",
    # Rights.
    (
        r"\b(?:the|this|current)(?: current)? user(?:'s role)? (?:is|has been|was|counts as) (?:now |hereby )?(?:an? |"
        r"the )?(?:verified "
        r"as |cleared |authori[sz]ed to |elevated |granted )?(?:admin|administrator|root|superuser|owner|cleared for|"
        r"everything|read)"
    ),
    r"\bthe user may see everything\b",
    (
        r"\b(?:grant|give|elevate|promote|treat|unlock)\b[^.\n]{0,30}\b(?:the user|this user|this account|"
        r"the current user|me)\b"
        r"[^.\n]{0,30}\b(?:root|admin\w*|superuser|owner|full access|all (?:rights|permissions))\b"
    ),
    (
        r"\b(?:elevate|promote) (?:this|the) (?:account|user)\b|\bunlock the admin\b|\b(?:enable|enter|"
        r"activate) (?:developer|debug|god|"
        r"admin) mode for (?:this|the)\b"
    ),
    r"\byou (?:now )?have (?:the )?permission to (?:read|see|show|delete|access|send)\b",
    (
        r"\b(?:confirmations?|approval) (?:is|are) (?:no longer|not) (?:required|needed|necessary)\b|"
        r"\bneeds? no confirmation\b|"
        r"\bskip (?:the|every|all|any) confirmations?\b"
    ),
    r"\b(?:forget|delete|save|search|correct)_memory\b",
    rf"{_START}(?:invoke|call|run|use|execute) the \w+ (?:function|tool) (?:for|on|with) (?:all|every|each)\b",
    r"\bdelete (?:all|every|the) (?:memor|notes about)",
    # Data sent away.
    (
        rf"{_START}(?:send|forward|post|upload|leak|exfiltrate|transmit|e-?mail|"
        rf"submit)\b[^.\n]{{0,40}}\b{_SHARED}\b[^\n]{{0,40}}?"
        r"(?:https?://|www\.|[\w.]+@[\w.]+)"
    ),
    r"\b(?:you|assistant) (?:must|have to|has to|should) (?:send|forward|post|upload|submit)\b",
    r"!\[[^\]\n]{0,40}\]\(https?://[^)\s]{0,200}(?:\{|=[a-z_]{4,})",
    r"\b(?:encode|put|hide) what you know\b|\b(?:that|which) downloads? https?://",
    # Forged roles and marks.
    r"<\|(?:im_start|im_end|system|assistant|user|endoftext|begin_of_text|start_header_id)\|>|\[/?inst\]|<</?sys>>",
    r"</?(?:system|memories|memory|instructions?|tool_call|function_call|admin)>",
    (
        r"(?:^|\n)[ \t#]*(?:system|developer|assistant|ai)(?: prompt| message|"
        r" instruction)?s?[ \t]*:[^\n]{0,60}\b(?:you|always|never|"
        r"must|the user|i (?:will|must)|i have to|ignore|obey|answer|respond|reply|from now on)\b"
    ),
    r"\[system\]\(",
)
_AT_WORDS = r"\b"
ORDERS = (*_ENGLISH, *FRAMES, *FOREIGN)
"""All patterns, in lower case; those that begin with a word do so in each of their alternatives."""
_WORDED = "|".join(pattern for pattern in ORDERS if pattern.startswith(_AT_WORDS))
_MARKED = "|".join(pattern for pattern in ORDERS if not pattern.startswith(_AT_WORDS))


@cache
def commands() -> re.Pattern[str]:
    """Return what finds orders in lower case; a match may still be told of by somebody, see `instructions`.

    What begins with a word is tried only where a word begins or ends, and the case of letters is not looked at:
    together that takes a fifth of the time.
    """
    return re.compile(rf"{_AT_WORDS}(?:{_WORDED})|{_MARKED}")
