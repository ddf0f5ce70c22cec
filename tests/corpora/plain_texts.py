"""Messages without any secret, by the hundred, that look as if they had one: numbers, codes, and talk of passwords."""

from __future__ import annotations

import string
from collections.abc import Iterator
from random import Random
from uuid import UUID

from tests.corpora.credentials import ALNUM, HEX, UPPER, URL_SAFE, drawn, luhn_digit

SEED = 51

NUMBERS = (
    "My order number is {order}, it has not arrived",
    "Invoice {invoice} was paid on {day}",
    "call me at {phone}",
    "Meine Telefonnummer ist {german_phone}",
    "mon numéro est le {french_phone}",
    "my flight {flight} leaves at {time} on {day}",
    "The meeting is on {day} at {time}",
    "timestamp {epoch}, that is {iso}",
    "Build {version} broke it, {version} was fine",
    "ticket {uuid} is still open",
    "commit {sha} broke the tests",
    "see {short_sha} and {sha}",
    "image: python@sha256:{sha256}",
    "sha256sum says {sha256}",
    "the md5 of the file is {md5}",
    "ISBN {isbn} is the book I read",
    "The EAN on the box is {ean}",
    "parcel {parcel} is at the post office",
    "The house costs {price} and the other one {price}",
    "we are at {latitude}, {longitude}",
    "the server has the address {ip} and listens on port {port}",
    "MAC {mac} is my printer",
    "my loyalty number is {not_card}",
    "customer {not_card_spaced} called again",
    "reference {not_card_dashed}",
    "The serial number of the bike is {serial}",
    "pi is 3.14159265358979323846264338327950288",
    "the numbers were {small}, {small}, {small}, {small} and {small}",
    "My score was {small}-{small} and I ran {decimal} km in {time}",
    "I was born on {day}, my daughter on {day}",
    "room {room}, locker {room}",
    "my gym membership is {member}",
    "The IMEI of the phone is {imei}",
    "{year}{month}01 to {year}{month}28 in the report",
)
ADDRESSES = (
    "https://www.youtube.com/watch?v={video}",
    "https://docs.google.com/document/d/{document}/edit",
    "https://open.spotify.com/track/{track}?si={si}",
    "https://github.com/pydantic/pydantic-ai/pull/{small}/files#diff-{sha256}",
    "I read https://example.com/blog/{year}/{month}/how-to-rotate-your-api-keys-without-tears",
    "the file is ~/projects/shop/src/components/CheckoutFormContainer.tsx",
    r"C:\Users\ada\Documents\Steuererklaerung\{year}\Belege_final_v{small}.pdf",
    "arn:aws:s3:::my-company-backups-eu-central-1/{year}/{month}",
    "s3://company-data-lake/raw/events/dt={iso_day}/part-0000{small}.snappy.parquet",
    "git@github.com:ada/shop-frontend.git is the repository",
    "https://www.amazon.de/dp/B0{asin}/ref=sr_1_{small}",
    "mailto:ada.lovelace+news{small}@example.com",
    "/var/log/nginx/access.log.{small}.gz is {small} MB",
    "http://localhost:{port}/admin/users?page={small}&sort=created_at",
    "https://maps.example.com/@{latitude},{longitude},15z",
    "https://user@git.example.com/team/app.git asks for a login",
)
TALK = """\
I forgot my password
where do I change my password?
My password is too short, it says
my password is not accepted any more
the password is wrong
My password expires in {small} days
my password manager is Bitwarden
I use a password manager for everything
Passwords must have at least {small} characters
password must contain a digit and a symbol
the password is case sensitive
my password is stored in the safe at home
My password is the same everywhere, is that bad?
Is a passphrase better than a password?
the password field is empty
password: required
password: string
password: str
the login asks for user name and password
How do I reset the password of my router?
Passwords are hashed with bcrypt before they are stored
my wifi password is on the back of the router
I never share my password with anyone
what makes a strong password?
My password was stolen last year
my password has been changed by someone
Das Passwort ist falsch
Mein Passwort ist abgelaufen
Ich habe mein Passwort vergessen
Das Passwort ist zu kurz
mein Passwort wurde geändert
Das Kennwort ist nicht gültig
Wo ändere ich mein Passwort?
mon mot de passe est trop court
le mot de passe est incorrect
j'ai oublié mon mot de passe
mon mot de passe a expiré
mi contraseña es demasiado corta
la contraseña no funciona
he olvidado mi contraseña
la contraseña es incorrecta
a minha senha expirou
a senha é muito curta
esqueci-me da palavra-passe
a senha está errada
la password è scaduta
la mia password è troppo corta
la password è sbagliata
ho dimenticato la password
the key to success is practice
the key is under the mat
my key is in the blue jacket
the key is to start early
My favourite key is D minor
the song is in the key of C sharp
primary key: customer_id
foreign key: order_id
the house key is with the neighbour
the keys are on the table
I lost the key of the bike
the key takeaway: nobody reads the manual
the key word here is patience
press any key to continue
keyboard shortcuts: ctrl+shift+p opens the palette
the secret to good bread is time
the secret ingredient is cinnamon
my secret talent is juggling
Her secret: she sleeps nine hours
it is a secret that I am learning to dance
Secret Santa is on {day}
the secret is out
my secret garden is my balcony
max_tokens={limit}
tokens: {limit}
the token limit: {limit} per request
the prompt has {limit} tokens
a token of my gratitude
what is a token in a language model?
the token is expired, says the log
tokenization splits words into pieces
the bus token is {small} euro
my API key does not work
where do I find the API key?
API key: where do I find it?
the API key is missing from the request
api_key = os.environ["OPENAI_API_KEY"]
api_key=settings.api_key
token = get_token()
const token = await getToken();
password = input("Password: ")
password = getpass.getpass()
self.password = password
if password != confirmation:
db_password: ${{DB_PASSWORD}}
secret_key = os.getenv("SECRET_KEY")
password=None
token: Optional[str] = None
def login(user: str, password: str) -> Token:
export PATH=$PATH:/usr/local/bin
the bearer of good news
he was a ring bearer at the wedding
Bearer authentication is what the API uses
Authorization: required
the Authorization header is missing
basic authentication is switched off
my pin collection has {small} pins
I pinned the note
the PIN is asked for twice
please pass the salt
I passed the exam with {decimal}
the passport office is closed on {day}
my passport is in the drawer
pass the parcel is her favourite game
the code is on GitHub
the code is hard to read
my zip code is {zip}
the postal code is {zip}
the error code is {http}
the status code was {http}, not {http}
the product code is {product}
the discount code is SUMMER{small}
my credentials are good: I studied in Porto
the credentials expired over night
card games are on {day} evening
my library card is in my wallet
the credit card was declined
I pay by card, never in cash
my credit card expires in {month}/{year}
connection string: see the wiki
the private key stays on the server
the public key is enough for that
the certificate ends on {day}
the seed phrase goes into the safe
I plant seeds: basil, thyme, rosemary, mint, sage, parsley, dill, chives, leek, kale, chard and beets
two-factor login is switched on
My password rules: one digit, one symbol
the wifi password is the name of our dog
Can you generate a strong password for me?
generate a password with 16 characters
password reset link expired
The password prompt appears twice
I need a new password
the password is the same as before
my password is too easy to guess
what is a passphrase?
the new password policy is strict
Mein Passwort ist sicher genug
Das Passwort ist dasselbe wie vorher
Das Passwort hat zwölf Zeichen
Ich ändere mein Passwort jeden Monat
Der Schlüssel ist unter der Matte
Der Schlüssel zum Erfolg ist Übung
mon mot de passe est trop simple
le mot de passe ne marche pas
la clé est sous le paillasson
la clé du succès est la patience
mi contraseña está guardada en el gestor
la clave es practicar todos los días
la llave está en la mesa
a chave está na gaveta
a chave do carro é preta
la chiave è sul tavolo
la chiave del successo è la costanza
my access card is blue
I have access to the building
the access code of the library is on the card
the security code on the back is hidden
the alarm code changed yesterday
we agreed on a code word
my secret hobby is baking
the secret service was there
top secret: surprise party on Friday
token economy at school works well
he got a token for the washing machine
session: Monday 9-12
the session starts at 10:30
account number of the club is on the website
the license key is missing
my license expires in 2027
the license code is printed on the box
backup codes are in the drawer
client secret rotation takes a day
private keys must never be committed
I wrote a function mask(text: str) -> str
if token is None: raise ValueError
for token in tokens: print(token)
password_hash = bcrypt.hashpw(password, salt)
user.password = hash(form.password)
SELECT password FROM users WHERE id = 1
api_key: str = Field(repr=False)
os.environ["API_KEY"] = key
const apiKey = process.env.API_KEY;
headers = {{"Authorization": f"Bearer {{token}}"}}
curl -H "Authorization: Bearer $TOKEN" https://example.com
Authorization: Bearer <your token>
docker run -e POSTGRES_PASSWORD=$PG_PASS postgres
postgres://user:password@localhost/db is the usual form
pip install pydantic==2.11.3 streamlit==1.67.0
my VAT number is PT501442600
my tax id is 123 456 789
the account 0012 3456 7890 1234 was closed
the pin of the map is in Lisbon
I use pin 13 of the Arduino for the LED
GPIO pin: 17
the pin is green
cvc is the abbreviation of a consonant pattern
pass me the report by 2026-05-01
boarding pass 12A
The pass rate is 87%
my ski pass is valid until 2026-04-12
the mountain pass is closed in winter
"""
WORDS = (
    "Donaudampfschifffahrtsgesellschaftskapitän is a long word",
    "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz gibt es nicht mehr",
    "the AbstractSingletonProxyFactoryBeanConfigurationProvider2 made me laugh",
    "Pneumonoultramicroscopicsilicovolcanoconiosis is hard to spell",
    "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch is in Wales",
    "use test_that_a_user_without_rights_gets_404_on_every_route_v2 as the name",
    "the class is btn-primary-outline-lg-rounded-2xl-shadow-md",
    "OPTIMUS_EXTRACTION_MODEL_TIMEOUT_S is the setting",
    "C10H15N-C8H10N4O2-C6H12O6 are three molecules",
    "2,2-bis(4-hydroxyphenyl)propane-1,3-diol came up in class",
    "f(x) = 3x^4 - 2x^3 + 17x - 123456789",
    "git log --oneline --graph --decorate --all --since=2026-01-01",
    "kubectl get pods -n kube-system coredns-{pod}-{pod_end}",
    "std::vector<std::pair<std::string,int32_t>>::const_iterator is the type",
    "uTF8StringToUTF16LittleEndianConverterV2Impl is a silly name",
    "Model: all-MiniLM-L6-v2-int8-quantized-onnx-opset17",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaargh, {small} times",
    "rs{rs} is the variant in my DNA test, {small} % have it",
    "chess: 1.e4 e5 2.Nf3 Nc6 3.Bb5 a6 4.Ba4 Nf6 5.O-O Be7 {small}.Re1",
    "my bike has the frame GT-AggressorExpert2019-29er",
    "Wi-Fi channel 6, 2412-2472MHz, IEEE802.11b/g/n/ax",
    "I take 500mg/125mg amoxicillin-clavulanate 3x/day until {day}",
)
TURNS = {NUMBERS: 9, ADDRESSES: 5, WORDS: 2}


def plain_texts() -> list[str]:
    """Return the corpus, the same at each call."""
    rng = Random(SEED)
    texts = [form.format(**_values(rng)) for forms, turns in TURNS.items() for form in forms for _ in range(turns)]
    return list(dict.fromkeys([*texts, *(line.format(**_values(rng)) for line in TALK.splitlines())]))


def _digits(rng: Random, length: int) -> str:
    return drawn(rng, "123456789", 1) + drawn(rng, string.digits, length - 1)


def _no_card(rng: Random) -> str:
    """Return sixteen digits that begin like a card's, and whose check digit is wrong."""
    digits = rng.choice("456") + drawn(rng, string.digits, 14)
    return digits + str((int(luhn_digit(digits)) + rng.randrange(1, 10)) % 10)


def _grouped(digits: str, separator: str) -> str:
    return separator.join(digits[place : place + 4] for place in range(0, len(digits), 4))


def _values(rng: Random) -> dict[str, str]:
    return dict([*_dates(rng), *_counted(rng), *_hashed(rng)])


def _dates(rng: Random) -> Iterator[tuple[str, str]]:
    year, month, day = rng.randrange(1950, 2030), rng.randrange(1, 13), rng.randrange(1, 29)
    time = f"{rng.randrange(24):02}:{rng.randrange(60):02}"
    iso = f"{year}-{month:02}-{day:02}"
    yield from {"year": str(year), "month": f"{month:02}", "time": time, "iso_day": iso}.items()
    yield "day", rng.choice([iso, f"{day:02}.{month:02}.{year}", f"{month}/{day}/{year}", f"{day}/{month}/{year}"])
    yield "iso", f"{iso}T{time}:00.{rng.randrange(10**6):06}Z"
    yield "epoch", str(rng.randrange(1_500_000_000, 1_900_000_000) * rng.choice([1, 1000]))


def _counted(rng: Random) -> Iterator[tuple[str, str]]:
    no_card, imei = _no_card(rng), "35" + drawn(rng, string.digits, 12)
    yield from {"not_card": no_card, "not_card_spaced": _grouped(no_card, " ")}.items()
    yield from {"not_card_dashed": _grouped(no_card, "-"), "imei": imei + luhn_digit(imei)}.items()
    yield "order", rng.choice([f"{_digits(rng, 3)}-{_digits(rng, 7)}-{_digits(rng, 7)}", _digits(rng, 10)])
    yield "invoice", f"{rng.choice(['INV', 'RE', 'FT'])}-20{_digits(rng, 2)}-{_digits(rng, 5)}"
    yield "phone", rng.choice([f"+1 ({_digits(rng, 3)}) {_digits(rng, 3)}-{_digits(rng, 4)}", "+351" + _digits(rng, 9)])
    yield "german_phone", f"+49 {_digits(rng, 3)} {_digits(rng, 8)}"
    yield "french_phone", "06 " + " ".join(drawn(rng, string.digits, 2) for _ in range(4))
    yield "flight", f"LH{_digits(rng, 4)}"
    yield "version", f"{rng.randrange(20)}.{rng.randrange(20)}.{rng.randrange(200)}+build{_digits(rng, 4)}"
    yield "isbn", rng.choice([f"978-3-16-{_digits(rng, 6)}-{rng.randrange(10)}", "978" + _digits(rng, 10)])
    yield "ean", "40" + _digits(rng, 11)
    yield "parcel", rng.choice(["JJD0" + _digits(rng, 16), "1Z" + drawn(rng, UPPER, 16), "00340" + _digits(rng, 15)])
    yield "price", rng.choice([f"€ {_digits(rng, 3)}.{_digits(rng, 3)},00", f"${_digits(rng, 3)},{_digits(rng, 3)}.99"])
    yield "latitude", f"{rng.uniform(-80, 80):.7f}"
    yield "longitude", f"{rng.uniform(-170, 170):.7f}"
    yield "ip", ".".join(str(rng.randrange(1, 255)) for _ in range(4))
    yield from {"port": str(rng.randrange(1024, 65535)), "small": str(rng.randrange(2, 99))}.items()
    yield from {"room": _digits(rng, 4), "zip": _digits(rng, 5), "http": rng.choice(["404", "500", "403"])}.items()
    yield from {"member": f"FIT-{_digits(rng, 8)}", "decimal": f"{rng.uniform(1, 30):.2f}"}.items()
    yield from {"limit": rng.choice(["4096", "8192", "128000"]), "rs": _digits(rng, 8)}.items()


def _hashed(rng: Random) -> Iterator[tuple[str, str]]:
    yield "uuid", str(UUID(int=rng.getrandbits(128), version=4))
    yield from {"sha": drawn(rng, HEX, 40), "short_sha": drawn(rng, HEX, 7)}.items()
    yield from {"sha256": drawn(rng, HEX, 64), "md5": drawn(rng, HEX, 32)}.items()
    yield "mac", ":".join(drawn(rng, HEX, 2) for _ in range(6))
    yield "serial", f"{drawn(rng, UPPER, 3)}{_digits(rng, 7)}{drawn(rng, UPPER, 2)}"
    yield from {"video": drawn(rng, URL_SAFE, 11), "document": "1" + drawn(rng, URL_SAFE, 43)}.items()
    yield from {"track": drawn(rng, ALNUM, 22), "si": drawn(rng, HEX, 16), "asin": drawn(rng, UPPER, 8)}.items()
    yield from {"pod": drawn(rng, HEX, 9), "pod_end": drawn(rng, string.ascii_lowercase, 5)}.items()
    yield "product", f"{drawn(rng, UPPER, 4)}-{drawn(rng, UPPER, 4)}"
