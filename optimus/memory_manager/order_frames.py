"""How orders to an assistant give themselves away beside their verbs: whom they address, what they speak of as theirs.

Nobody speaks of themselves as "the user", of an assistant's rules as "your previous instructions", or to a note's
reader as "AI summarizer" but who gives an assistant orders.
"""

from __future__ import annotations

_AI = (
    r"(?:ai|a\.i\.|llms?|(?:large )?language models?|chatgpt|gpt|claude|gemini|copilot|assistants?|chat ?bots?|"
    r"ai agents?)"
)
_USER = r"(?:the|this|any|every|each|current|that)(?: current| same)? users?"
_DO = (
    r"(?:say|tell|answer|reply|respond|recommend|mention|claim|insist|suggest|promote|advise|pretend|reveal|refuse|"
    r"deny|praise|obey|agree|warn|convince|advertise|cite|lie|confirm|output|print|ignore|include|append|insert|send|"
    r"forward|call|run|execute|treat|trust|hide|conceal|give|share|show|grant|delete|forget|remember|save|store|begin|"
    r"open|visit|load|fetch|link|direct|steer|skip|write|describe|rate|rank|grade|mark|approve|bring up|greet|favou?r|"
    r"push|sell|endorse|side with|stop|do not|don't|never|always|only)"
)
_OUTPUT = r"(?:answers?|repl(?:y|ies)|responses?|outputs?)"
_RIGHTS = (
    r"(?:admin\w*|root|superuser|developer|operator|owner|god mode|all rights|full (?:access|rights)|every right|"
    r"cleared|authenticated as)"
)
_PLACE = r"(?:https?://|www\.|[\w.+-]+@[\w-]+\.\w)"

FRAMES = (
    # What is an assistant's own.
    (
        r"(?<!what are )(?<!what were )(?<!what is )\byour (?:previous|earlier|prior|former|original|initial|hidden|"
        r"secret|"
        r"system|safety|content|built-in) (?:instructions?|rules?|guidelines?|prompts?|filters?|polic(?:y|ies)|"
        r"restrictions?|"
        r"training|message)\b"
    ),
    (
        r"\b(?:all|any|every one) of your (?:\w+ )?(?:instructions|rules|guidelines|restrictions|limits|filters|"
        r"memories)\b"
    ),
    (
        r"\b(?:instructions?|rules?|prompt) (?:above|before this|so far)\b[^.\n]{0,20}\b(?:were|was|are|is) (?:only "
        r")?(?:a test|"
        r"void|invalid|wrong|outdated|replaced|cancelled)|\bthe (?:real|correct|actual|true) (?:instructions?|rules?|"
        r"task|"
        r"prompt) (?:is|are)\b"
    ),
    r"\b(?:lift|remove|drop|waive|disable)\b[^.\n]{0,20}\byour (?:\w+ )?(?:restrictions|filters|limits|safeguards)\b",
    r"\byou (?:now )?work for\b[^.\n]{1,40}\bnow\b",
    r": you work for\b",
    r"\byour (?:new (?:identity|name|role|persona\w*|job|task|goal|owner)|only goal|(?:duty|mission|purpose) is to)\b",
    r"\byou no longer have (?:any )?(?:guidelines|rules|restrictions|limits|filters)\b|\byou are now working for\b",
    r"\b(?:switch|change|replace|set) your (?:personality|identity|role|persona|character)\b",
    r"\b(?:treat|take|regard) the (?:next|following) (?:lines?|text|words|message) as\b",
    r"\byou are (?:no longer|not) (?:optimus|an? (?:ai|assistant))\b",
    r"\b(?:act|behave|respond|answer|reply|talk) as (?:if|though) you (?:had|have) no\b",
    (
        r"\b(?:ai|assistant|model|chatbot|bot) (?:without|with no|that has no|who has no|free of) (?:any )?(?:rules|"
        r"restrictions|filters?|limits|policy|guidelines)\b|\bno (?:content|safety) (?:policy|filters?)\b"
    ),
    (
        r"\b(?:pretend|imagine|play) (?:to be|that you are|you are|you're|being) an? (?:unfiltered|unrestricted|evil|"
        r"ai\b|model)"
    ),
    (
        r"\b(?:god|developer|debug|jailbreak|admin) mode (?:is|has been|for)\b|\b(?:enter|enable|activate) (?:god|"
        r"jailbreak) mode\b"
    ),
    # Answers as somebody else orders them.
    (
        rf"\b(?:every|each|all|any)(?: of)?(?: your| the)? {_OUTPUT} (?:must|ha(?:s|ve) to|shall|should|needs? to|"
        rf"contains?|"
        r"begins?|ends?|starts?|includes?|mentions?|names?)\b"
    ),
    rf"\bmake sure (?:that )?(?:every|each|all|your) {_OUTPUT}\b",
    rf"\byour {_OUTPUT} (?:must|ha(?:s|ve) to|shall)\b(?! be (?:short|brief|long|in|kind|simple))",
    r"\b(?:in|into|to) (?:whatever|everything|anything) you (?:write|say|answer)\b",
    rf"\b(?:close|end|finish|begin|start|sign|open) (?:all|each|every|any) (?:of )?(?:your )?{_OUTPUT}\b",
    rf"\b(?:before|after) (?:each|every|any) {_OUTPUT}\b",
    rf"\bin (?:all|each|every|any) (?:future|further|coming|later) (?:conversations?|chats?|{_OUTPUT})\b,? {_DO}\b",
    (
        r"\bstart (?:recommending|promoting|praising|advertising|mentioning|steering)\b|\b(?:word for word|verbatim)"
        r"\.? ?your\b"
    ),
    (
        r"(?:^|[.;:!?\n] ?)(?:always|never) (?:mention(?! my| our)|claim|disagree with|side with|favou?r|rank|push|"
        r"endorse|warn about) "
    ),
    # Whom it is for.
    (
        rf"(?:^|[\n\[(|<>#%*;:.-])[ \t!/|*#<-]{{0,6}}(?:attention|note|notice|instruction|message|p\.?s\.?|hint|"
        rf"order)?,? ?"
        rf"(?:for |to )?(?:the |any |all |every |each |dear )?{_AI}(?: [a-z]{{2,14}})?(?: (?:that|which|who|reading|"
        rf"processing) [^:,\n]{{0,40}})?[:,] ?(?:please |then |when [^,\n]{{0,40}}, )?{_DO}\b"
    ),
    (
        rf"\b(?:{_AI}|ai \w+|agents?|tools?) (?:reading|processing|parsing|summari[sz]ing|that reads?|which reads?) "
        rf"(?:this|these|it)\b"
    ),
    rf"\bif you are an? (?:{_AI}|machine)\b|\bto (?:the|any|all|every) {_AI} (?:that|which|who) reads?\b",
    (
        rf"\b(?:rules?|policy|polic(?:y|ies) |directive|instructions?) (?:for|to) (?:the |any |all |every )?(?:{_AI}|"
        rf"models?)\b"
    ),
    r"\b(?:ai|llm|assistant|model) (?:policy|instruction|directive|rule)s?:",
    rf"\bany {_AI} processing\b|\breviewers? using {_AI}\b",
    (
        rf"\b(?:the|this|every|any) {_AI} (?:obeys|serves|works for|will (?:lie|obey|recommend|promote|hide|always|"
        rf"never|refuse))\b"
    ),
    # On a later occasion.
    r"\bupon (?:the|any|every) (?:next )?(?:request|question|mention)\b",
    (
        r"\b(?:wait until|the moment|in case|in the event(?: that)?|should|upon) (?:the|any|some|an?|this)?[ ]?"
        rf"(?:users?|somebody|someone|anybody|anyone|customers?|readers?)\b[^.\n,;:]{{0,60}}[,;:] ?(?:then )?{_DO}\b"
    ),
    (
        r"\b(?:when|whenever|each time|every time) (?:this|the) (?:memory|note|text|message) is (?:read|recalled|"
        r"loaded)\b"
    ),
    # What a user is made to do or to believe, and must not know.
    (
        rf"\b(?:make|ask|instruct|get|lie to|convince|persuade|urge|push|force|trick|mislead|direct|send)"
        rf" {_USER}\b(?! (?:to )?"
        r"(?:interface|experience|stor(?:y|ies)|test|guide|manual|feedback)s?\b)"
    ),
    (
        rf"\b(?:conceal|hide|keep|withhold)\b[^.\n]{{0,40}}\b(?:from|towards) {_USER}\b|\b(?:pretend|keep quiet) "
        rf"[^.\n]{{0,30}}{_USER}\b"
    ),
    (
        rf"\b{_USER} (?:must|should|may|shall|does|need) not (?:need to )?(?:know|find out|see|learn|notice|"
        rf"reali[sz]e|be told)\b"
    ),
    (
        r"\buser\b[^.\n]{0,40}\b(?:the |an? )?(?:assistant|language model|ai|chatbot)(?: (?:\w+ ))?"
        r"(?: ?)(?:to|never|always|must|may|should|can|will)\b"
    ),
    (
        rf"\b(?:{_USER}(?:'s)?|users?'s?|(?:all|the) (?:memories|messages|conversations?)|chat history|passwords?)\b"
        rf"[^.\n]{{0,60}} (?:to|at|into|through|in a link to) {_PLACE}"
    ),
    r"\binvisible (?:picture|image|pixel|link)\b",
    r"\b(?:exfiltrate|leak|smuggle)\b[^.\n]{1,40}\b(?:history|messages|memor|data|key|password)",
    r"(?:^|[.;:!?\n] ?)(?:always|never) [^.\n]{1,60}\b(?:the|any) users?\b",
    r"(?:^|[.;:!?\n] ?)(?:put|add|append|mail|copy|write|insert|include|collect|report) (?:the|this) user'?s\b",
    (
        r"\b(?:do not|don't|never) mention (?:it|this|that) (?:in your|to (?:the|any))\b|\bwhen you list (?:what|the|"
        r"your)\b"
    ),
    r"\b(?:links?|instructions|messages|mails?) (?:to|from) \S{3,80} (?:are|is) always (?:safe|trusted|true|right)\b",
    r"\balways trust (?:instructions?|links?|messages?|everything|mails?) (?:from|to)\b|\buse your tools? to\b",
    r"(?:^|[.;:!?,\n] ?)(?:print|dump|reveal) (?:all|every|your) (?:memor|messages|chats|conversations|notes|rules)",
    # Rights.
    r"\bmay (?:read|see|delete|access) (?:all|every) (?:memories|messages|chats|files|data)\b",
    r"\btools?\b[^.\n]{0,20}\bwithout (?:asking|confirmation|permission)\b",
    (
        rf"\b(?:{_USER}|(?:the|this)(?: current)? account)(?:'s)? (?:is|has been|was|counts as|has)\b[^.\n]{{0,30}}\b"
        rf"{_RIGHTS}\b"
    ),
    (
        r"\b(?:role|permission level|access level|rights|privileges?)(?: of (?:this|the)(?: current)? "
        r"user)? ?[:=] ?(?:an? |"
        r"the )?(?:admin|root|superuser|owner|developer)(?!,|/| or )|\bis_admin\b"
    ),
    (
        r"\b(?:consider|treat|regard) (?:the|this) (?:user|conversation|account)\b[^.\n]{0,30}\b(?:root|admin\w*|"
        r"owner|authenticated)\b"
    ),
    (
        r"\b(?:every|all|any) tools? (?:is|are) (?:allowed|approved|permitted)|\b(?:do not|don't|never) ask (?:me |"
        r"the user )?for "
        r"(?:any )?(?:confirmation|permission)s?\b|\bmay delete memories\b"
    ),
    (
        r"\b(?:memories|messages|chats?|data) of (?:all |the )?other users\b|\bother (?:users?|people)'s? "
        r"(?:memories|chats)\b"
    ),
)
