"""Messages that give a secret away, by the hundred: what is written around it is what people write."""

from __future__ import annotations

import base64
import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from tests.corpora.credentials import (
    ALNUM,
    CARDS,
    HEX,
    NAMELESS,
    PEM_KINDS,
    UNMISTAKABLE,
    URL_SAFE,
    card,
    drawn,
    jwt,
    pem,
    pgp,
)

SEED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretText:
    """A message, and what of it must not stay."""

    kind: str
    text: str
    secrets: tuple[str, ...]

    def leaks_in(self, text: str) -> bool:
        """Tell whether a secret, or half of it, stands in a text; of a card number, in whatever groups."""
        if self.kind.startswith("card"):
            return any(_digits(secret) in _digits(text) for secret in self.secrets)
        halves = [(s[: len(s) // 2], s[len(s) // 2 :]) if len(s) >= 16 else (s,) for s in self.secrets]
        return any(part in text for parts in halves for part in parts)


def _digits(text: str) -> str:
    return "".join(c for c in text if c.isdigit())


AROUND = (
    "{}",
    "here you go: {}",
    "Is {} still valid? I keep getting a 401.",
    "I pasted {} into the config and it works now, thanks!",
    "Mein neuer Schlüssel ist {}, bitte merken.",
    'curl -H "Authorization: Bearer {}" https://api.example.com/v1/me',
    "export SERVICE_KEY={}",
    "the old one was {} but I rotated it\nthe rest of the setup is unchanged",
    "```\nclient = Client('{}')\n```",
    "({})",
    '{{"key": "{}", "region": "eu"}}',
    "Remember this: {}.",
)
NAMED = (
    "my API key is {}",
    "API key: {}",
    "api_key={}",
    "{vendor}_API_KEY={}",
    '{{"apiKey": "{}"}}',
    "export {vendor}_TOKEN='{}'",
    "x-api-key: {}",
    "the access token for staging is {} and it never expires",
    "client_secret: {}",
    "secret_access_key = {}",
    "--token {}",
    "https://api.example.com/v1/items?api_key={}&page=2",
    "Der API-Schlüssel lautet {}",
    "La clé d'API est {}",
    "A chave da API é {}",
    "La clave de API es {}",
    "La chiave API è {}",
    "the key for the weather service is {}",
    "auth token {}",
    "ACCESS_KEY: '{}'",
)
SAID = (
    "my password is {}",
    "My password is {}.",
    "the wifi password is {}",
    "the password for the router is {}, in case I forget",
    "password: {}",
    "Password = {}",
    "pw: {}",
    "pwd={}",
    'DB_PASSWORD="{}"',
    "my passphrase is {}",
    'remember that my Netflix password is "{}"',
    "login: ada / password: {}",
    "user ada pass {}",
    "I changed my password to {} yesterday",
    "my new password's {}",
    "use {} as the password",
    "mysqldump -u root --password={} shop",
    "Das Passwort lautet {}",
    "Mein Passwort ist {}.",
    "Passwort: {}",
    "Das WLAN-Passwort ist {}",
    "mein Kennwort ist jetzt {}",
    "Das Kennwort für den Server lautet: {}",
    "Mon mot de passe est {}",
    "Le mot de passe du wifi est {}.",
    "mot de passe : {}",
    "mon mot de passe c'est {}",
    "Mi contraseña es {}",
    "la contraseña del wifi es {}",
    "Contraseña: {}",
    "mi clave de acceso es {}",
    "A minha senha é {}",
    "a senha do wifi é {}",
    "Senha: {}",
    "a minha palavra-passe é {}",
    "La mia password è {}",
    "la password del wifi è {}",
    "Password di casa: {}",
    "la mia parola d'ordine è {}",
)
ASIDE = (
    "my email password is now {}",
    "the pw for the shared drive: {}",
    "netflix: ada@example.com / {}",
    "Hey, the admin password is: {}",
    "Can you save my password {} for later?",
    "my gmail password: {}, my user is ada",
    "the root password of the nas is {}",
    "I set the password to {}",
    "set the password to {} please",
    "My old password was {} and the new one is different",
    'the password to my laptop is "{}"',
    "password - {}",
    "The password? It's {}",
    "my login is ada and my password is {}",
    "username: ada, password: {}",
    '{{"username": "ada", "password": "{}"}}',
    "password = '{}'",
    "spring.datasource.password={}",
    "<password>{}</password>",
    "PGPASSWORD={} psql -h db",
    'PASSWORD="{}" ./run.sh',
    "requirepass {}",
    "- name: DB_PASS\n  value: {}",
    "mein neues passwort lautet {}",
    "Mein Passwort für Amazon ist {}",
    "das passwort fürs wlan ist {}",
    "Merk dir bitte: Passwort {}",
    "Das Admin-Passwort ist {}, das Benutzerpasswort ist anders",
    "WLAN-Schlüssel: {}",
    "Zugangsdaten: ada / {}",
    "Le nouveau mot de passe est : {}",
    "Voici mon mot de passe : {}",
    "mon mdp est {}",
    "mdp: {}",
    "Le mot de passe de mon compte est {}",
    "La contraseña de mi cuenta es {}",
    "mi contraseña nueva es {}",
    "La contraseña es: {}",
    "recuerda que mi contraseña de Netflix es {}",
    "a palavra-passe da minha conta é {}",
    "minha senha do banco é {}",
    "a minha password é {}",
    "La password del mio account è {}",
    "la mia nuova password è {}",
    "ricorda che la password è {}",
    "my vpn password is {} (don't tell)",
    "Wifi: HomeNet, pass: {}",
    "Wifi password = {}",
    "wifi pw {}",
    "sudo password: {}",
    "my secret is {}",
    "the encryption key is {}",
    "The passphrase for the backup is {}",
    "Here's the token: {}",
    'token = "{}"',
    "Token: {}",
    "my login token: {}",
    "ssh key passphrase: {}",
    "MY_SECRET={}",
    "my bitwarden master password is {}",
)
"""The same, less tidy; written after the rules, to see what they were missing."""
PINS = (
    "my PIN is {}",
    "the PIN of my bank card is {}",
    "PIN: {}",
    "Meine PIN ist {}",
    "Die PIN lautet {}",
    "mon code PIN est {}",
    "mi PIN es {}",
    "o meu PIN é {}",
    "il mio PIN è {}",
    "the safe code is {}",
    "the code of the safe is {}",
    "the combination to my padlock is {}",
    "Der Code vom Tresor ist {}",
)
CONNECTIONS = (
    "postgres://shop:{}@db.example.com:5432/shop",
    "postgresql+psycopg://app:{}@10.0.0.5/app",
    "DATABASE_URL=mysql://root:{}@127.0.0.1:3306/blog",
    "mongodb+srv://ada:{}@cluster0.ab1cd.mongodb.net/?retryWrites=true",
    "redis://:{}@cache.example.com:6379/0",
    "amqp://guest:{}@mq.example.com/vhost",
    "Server=tcp:sql.example.com,1433;Database=shop;User ID=ada;Password={};Encrypt=True;",
    "jdbc:postgresql://db.example.com/shop?user=ada&password={}",
    "ftp://backup:{}@ftp.example.com/home",
    "git clone https://ada:{}@git.example.com/team/app.git",
    "smtps://mailer%40example.com:{}@smtp.example.com:465",
    "my database is at mssql://sa:{}@db:1433/master and it is slow",
)
HEADERS = (
    "Authorization: Bearer {}",
    "authorization: bearer {}",
    "-H 'Authorization: Token {}'",
    "X-Auth-Token: {}",
    "X-Api-Key: {}",
    "Proxy-Authorization: Bearer {}",
    "headers = {{'Authorization': 'Bearer {}'}}",
    "Cookie: session={}; theme=dark",
    "Set-Cookie: sessionid={}; HttpOnly; Secure",
    "I call it with Bearer {} and get a 403",
)
PAID_WITH = (
    "{}",
    "my card number is {}",
    "my Visa is {} exp 04/29 cvc 123",
    "please remember my credit card {}, I need it often",
    "card:{}",
    "Meine Kreditkarte hat die Nummer {}.",
    "ma carte : {}",
    "the numbers are {} and 04/29",
    "{} 04/29 123",
)
SEPARATORS = {"none": "", "space": " ", "dash": "-", "dot": ".", "no-break": "\u00a0", "spaces": "  "}
WORDS = re.findall(
    r"\w+",
    "abandon ability absent acid acoustic advice alarm album almost anchor apple arch arrow atom avocado badge bamboo "
    "basket blanket bridge bronze cabin camera candy canyon castle cement cherry circle clever coconut",
)
SEEDS = (
    "my seed phrase is {}",
    "seed phrase: {}",
    "the recovery phrase of my wallet is {}",
    "wallet mnemonic: {}",
)


def secret_texts() -> list[SecretText]:
    """Return the corpus, the same at each call."""
    rng = Random(SEED)
    return [*_keys(rng), *_armoured(rng), *_said(rng), *_sent(rng), *_cards(rng)]


def password(rng: Random) -> str:
    """Return a password as people choose them, or as managers make them."""
    word = rng.choice(
        ["sommer", "dolphin", "hunter", "liverpool", "Benfica", "schatzi", "monkey", "Rosalie", "trustno"]
    )
    year, mark = str(rng.randrange(1960, 2027)), rng.choice("!?#$*%&@")
    leet = word.replace("o", "0").replace("e", "3").replace("i", "1")
    return rng.choice(
        [
            word + year,
            word.capitalize() + year + mark,
            leet + mark + mark,
            word.upper() + "_" + year[2:],
            drawn(rng, ALNUM, 12),
            drawn(rng, ALNUM + "!#$%&*+-=?@^_", 16),
            "-".join(rng.sample(WORDS, 4)),
            drawn(rng, ALNUM, 8),
            mark + drawn(rng, ALNUM, 9) + mark,
        ]
    )


def _keys(rng: Random) -> Iterator[SecretText]:
    for number, (kind, make) in enumerate(UNMISTAKABLE.items()):
        for turn in range(2):
            key = make(rng)
            text = AROUND[(2 * number + 5 * turn) % len(AROUND)].format(key)
            yield SecretText(kind=f"key/{kind}", text=text, secrets=(key,))
    for number, (kind, make) in enumerate(NAMELESS.items()):
        for turn in range(5):
            key = make(rng)
            form = NAMED[(number + 4 * turn) % len(NAMED)]
            text = form.format(key, vendor=kind.upper().replace(" ", "_"))
            yield SecretText(kind=f"named/{kind}", text=text, secrets=(key,))


def _armoured(rng: Random) -> Iterator[SecretText]:
    for kind in PEM_KINDS:
        for lines, newline, is_whole in ((4, "\n", True), (26, "\r\n", True), (12, "\\n", True), (9, "\n", False)):
            key, body = pem(rng, kind, lines, newline=newline, is_whole=is_whole)
            text = rng.choice(["{}", "my deploy key:\n{}\nthanks", '{{"private_key": "{}"}}']).format(key)
            yield SecretText(kind="pem", text=text, secrets=tuple(body))
    for _ in range(3):
        key, body = pgp(rng)
        yield SecretText(kind="pgp", text=f"Here is it\n{key}", secrets=tuple(body))


def _said(rng: Random) -> Iterator[SecretText]:
    for form in SAID:
        for _ in range(3):
            secret = password(rng)
            yield SecretText(kind="password", text=form.format(secret), secrets=(secret,))
    for form in ASIDE:
        secret = password(rng)
        yield SecretText(kind="aside", text=form.format(secret), secrets=(secret,))
    for form in PINS:
        secret = drawn(rng, string.digits, rng.choice([4, 5, 6]))
        yield SecretText(kind="pin", text=form.format(secret), secrets=(secret,))
    for form in SEEDS:
        words = rng.sample(WORDS, 12)
        secret = " ".join(words)
        yield SecretText(kind="seed", text=form.format(secret), secrets=(" ".join(words[:6]), " ".join(words[6:])))


def _sent(rng: Random) -> Iterator[SecretText]:
    for form in CONNECTIONS:
        for secret in (drawn(rng, ALNUM, 10), password(rng).translate(str.maketrans("@/:?#;&% ", "_________"))):
            yield SecretText(kind="connection", text=form.format(secret), secrets=(secret,))
    for form in HEADERS:
        for secret in (drawn(rng, HEX, 40), drawn(rng, URL_SAFE, 32), jwt(rng)):
            yield SecretText(kind="header", text=form.format(secret), secrets=(secret,))
    for form in ("Authorization: Basic {}", 'curl -H "authorization: basic {}" https://example.com'):
        secret = base64.b64encode(f"ada:{password(rng)}".encode()).decode()
        yield SecretText(kind="header", text=form.format(secret), secrets=(secret,))
    for form in ("curl -u ada:{} https://example.com", "sshpass -p {} ssh ada@example.com", "--password {}"):
        secret = drawn(rng, ALNUM + "!%+", 14)
        yield SecretText(kind="command", text=form.format(secret), secrets=(secret,))


def _cards(rng: Random) -> Iterator[SecretText]:
    for number, brand in enumerate(CARDS):
        for turn, (name, separator) in enumerate(SEPARATORS.items()):
            for form in (PAID_WITH[(number + turn) % len(PAID_WITH)], PAID_WITH[(number + turn + 3) % len(PAID_WITH)]):
                secret = card(rng, brand, separator)
                yield SecretText(kind=f"card/{name}", text=form.format(secret), secrets=(secret,))
