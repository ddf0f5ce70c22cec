"""How orders to an assistant are worded in German, Spanish, French, Portuguese and Italian."""

from __future__ import annotations

FOREIGN = (
    # German.
    (
        r"\b(?:ignoriere|ignorieren sie|missachte|vergiss|umgehe?|übergehe) (?:alle |die |deine |jede |bisherigen |"
        r"vorherigen |obigen )"
        r"{1,4}(?:anweisung|vorgabe|regel|richtlinie|einschränkung|prompt)\w*"
    ),
    (
        r"\b(?:du|der assistent|die ki|das modell|der bot) (?:musst|sollst|darfst|muss|soll|"
        r"darf)\b[^.\n]{0,60}\b(?:antworten|sagen|"
        r"empfehlen|erwähnen|verraten|behaupten|verschweigen|schicken|senden|ignorieren|nennen|warnen|gehorchen)\b"
    ),
    (
        r"\b(?:ab jetzt|von nun an|künftig|ab sofort|in zukunft)\b (?:antworte|sag|empfiehl|nenne|verschweig|behandle|"
        r"erwähn|sollst du|musst du|"
        r"darfst du)\w*"
    ),
    (
        r"\b(?:merk|speicher|denk|erinner)\w* (?:dir|dich|"
        r"daran)?,? ?(?:bitte )?(?:daran, )?dass du\b[^\n]{0,60}\b(?:musst|sollst|darfst)\b"
    ),
    (
        r"\b(?:wenn|sobald|falls|immer wenn|jedes mal,? wenn) (?:der |ein |die )?(?:nutzer|benutzer|anwender|user|"
        r"jemand|man)\w*\b[^.\n,]{0,60}, ?"
        r"(?:dann )?(?:sag|antworte|empfiehl|nenne|verweise|behaupte|schicke|sende|füge|erwähne|rate|"
        r"lösche)\w*(?! (?:ich|wir|er|sie|man)\b)"
    ),
    (
        r"\b(?:verrate|sag|sage|erzähle?|zeige?|melde)\b (?:es )?(?:dem |den |der )?(?:nutzer|benutzer|anwender|"
        r"user)\w*\b[^.\n]{0,30}\b(?:nicht|nichts|"
        r"nie)\w*"
    ),
    r"\bder (?:nutzer|benutzer|anwender|user) ist (?:jetzt |nun |ein )?(?:ein )?(?:admin|administrator|besitzer)\b",
    # Spanish, French, Portuguese, Italian.
    (
        r"\b(?:ignor(?:a|e|ez|i|ate|em)|olvida|oublie[zr]?|esquece|esqueça|dimentica|desconsider[ae]) (?:todas? |"
        r"toutes? |tutte |tudo |todo |as |las |les |"
        r"le |tus |tes |vos |suas |tuas |tue |os |los |i ){1,3}(?:instruc|instruç|istruzion|consign|regl|règl|regol|"
        r"regra|norma|direct|diretriz|prompt)"
    ),
    (
        r"\b(?:el asistente|l[’']assistant|o assistente|l[’']assistente|la ia|l[’']ia|a ia|el modelo|le modèle|"
        r"o modelo|il modello) (?:siempre |sempre )?"
        r"(?:debe|doit|deve|tiene que|tem de|tem que|dovrà)\b[^.\n]{0,20}\b(?:decir|responder|recomendar|mencionar|"
        r"dire|répondre|recommander|mentionner|"
        r"dizer|rispondere|consigliare|raccomandare|menzionare|enviar|envoyer|inviare|revelar|révéler|rivelare)\b"
    ),
    (
        r"\b(?:debes|deves|tu dois|vous devez|devi|tens de|tienes que|tem de|você deve) (?:siempre |nunca |sempre |"
        r"jamais |toujours |mai |no |não |non )?(?:"
        r"decir|responder|recomendar|mencionar|répondre|recommander|mentionner|dizer|rispondere|consigliare|"
        r"raccomandare|menzionare|enviar|envoyer|"
        r"inviare|revelar|révéler|rivelare|obedecer|obéir|obbedire)\b"
    ),
    (
        r"\b(?:cuando|si|quando|se|lorsque|quand|dès que|ogni volta che|cada vez que|sempre que|siempre que) (?:el |"
        r"l[’']|o |a |la |un )?(?:usuari|utilizador|"
        r"usuári|utilisateur|utente|alguien|alguém|quelqu[’']un|qualcuno)\w*[^.\n,:]{0,60}[,:] ?(?:di|dile|responde|"
        r"recomienda|menciona|dis|réponds|"
        r"recommande|mentionne|diz|diga|recomenda|recomende|rispondi|consiglia|raccomanda|envía|envoie|envia|invia|"
        r"afirma|affirme)\b"
    ),
    (
        r"\b(?:a partir de ahora|desde ahora|a partir de agora|de agora em diante|à partir de maintenant|dorénavant|"
        r"désormais|d[’']ora in poi|da ora in "
        r"poi),? (?:siempre |sempre |toujours )?(?:responde|responda|respond[ae]|di|recomienda|debes|réponds|répondez|"
        r"dis|recommande|tu dois|diz|"
        r"recomenda|deves|rispondi|di[’']|consiglia|devi|trata|traite|tratta)\b"
    ),
    (
        r"\b(?:no (?:le |les )?digas|ne (?:le |lui )?dis pas|ne dites pas|não digas|não diga|non dire|no reveles|"
        r"ne révèle pas|não reveles) (?:nada |rien )?(?:al |"
        r"à l[’']|ao |all[’']|a los |aux )?(?:usuari|utilisateur|utilizador|usuári|utent)"
    ),
    (
        r"\b(?:el usuario|l[’']utilisateur|o utilizador|o usuário|l[’']utente) (?:es|est|é|è) (?:un |um |agora |"
        r"ahora )?(?:admin)"
    ),
    (
        r"\bvergiss alles,? was (?:man|dir|vorher|oben|bisher|du)\b|\bno (?:menciones|reveles|muestres)"
        r"\b[^.\n]{0,30}(?:instrucci|"
        r"usuario|nota\b|regla)|\bl[’']utilisateur [^.\n]{0,40}, ?(?:conseille|cache|propose|montre)"
    ),
    # In several of them: what an assistant is from now on, whom a note is for, data sent away, secrecy, no rules.
    (
        r"\b(?:du bist (?:jetzt|nun|ab sofort) (?:ein|kein|der)|(?:ahora )?eres (?:ahora )?un|tu es (?:maintenant )?un|"
        r"(?:agora )?(?:és|você é) (?:agora )?um|(?:ora )?sei (?:ora )?un)\w* (?:\w+ )?"
        r"(?:assistent|ki\b|ia\b|modell?o?|modèle|bot|chatbot)"
    ),
    (
        r"\b(?:hinweis|notiz|anweisung|nota|note|instrucción|consigne|instrução|istruzione) (?:an|für|para|a|à|per) "
        r"(?:jede[rn]?|alle|die|den|cualquier|toda|la|toute|l[’']|qualquer|o|qualsiasi|ogni) ?"
        r"(?:ki|ia|ai|assistent|asistente|assistant|modell?o?|modèle)"
    ),
    (
        r"\b(?:schicke?|sende|leite|übermittle|envía|reenvía|manda|envoie|transmets|envia|encaminha|envie|invia|"
        r"inoltra)\b"
        r"[^.\n]{0,60}(?:nutzer|benutzer|usuari|utilisateur|utilizador|usuári|utent|erinnerung|recuerdos|souvenirs|"
        r"memórias|ricordi|nachrichten|mensajes|messages|mensagens|messaggi)\w*[^\n]{0,40}(?:https?://|www\.|"
        r"[\w.]+@[\w.]+)"
    ),
    (
        r"\b(?:verschweige?|verheimliche?) (?:es )?(?:dem|den|der) (?:nutzer|benutzer|anwender|user)|"
        r"\bne (?:le |lui )?(?:dis|dites) rien (?:de \w+ )?à l[’']utilisateur|\bnon dire (?:nulla|niente) "
        r"all[’']utente|"
        r"\bno (?:le )?digas nada al usuario|\bnão (?:digas|diga) nada ao (?:utilizador|usuário)"
    ),
    (
        r"\bl[’']utente (?:è|ha) (?:un |l[’'])?(?:admin|amministrator|tutti i diritti)|"
        r"\b(?:el usuario|o utilizador|o usuário|l[’']utilisateur) (?:es|est|é) (?:el |l[’']|o )?(?:administra|"
        r"propiet|dono)"
    ),
    (
        r"\b(?:wie ein \w+ ohne regeln|keine regeln mehr|como si no tuvieras (?:reglas|límites)|"
        r"comme si tu n[’']avais (?:aucune|pas de) (?:règle|limite)|que não tens (?:regras|limites)|"
        r"di non avere (?:regole|limiti)|sin filtros|sans filtres?|sem filtros|senza filtri)\b"
    ),
    (
        r"\b(?:von nun an|ab jetzt|ab sofort|ab heute)\b[^.\n]{0,20}\b(?:du|deine[rn]?|jede) (?:\w+ )?(?:antwort|"
        r"nachricht)|\b(?:de ahora en adelante|daqui em diante|desde hoy|dorénavant|désormais|d[’']ora in avanti),? "
        r"(?:tu |você )?(?:siempre |sempre |toujours )?(?:recom(?:ie|e)nda|recommande|raccomanda|consiglia|responde|"
        r"réponds|"
        r"menciona|mentionne|rispondi)"
    ),
)
