import random
import string
import time

import pytest

from optimus.memory_manager.masking import MASK, has_secret, mask

WORD = string.ascii_letters + string.digits
KEYS = {
    "OpenAI": ("sk-proj-", WORD, 40),
    "Anthropic": ("sk-ant-api03-", WORD, 60),
    "Stripe": ("sk_live_", WORD, 24),
    "Groq": ("gsk_", WORD, 48),
    "xAI": ("xai-", WORD, 60),
    "GitHub": ("ghp_", WORD, 36),
    "GitHub fine": ("github_pat_", WORD, 60),
    "GitLab": ("glpat-", WORD, 20),
    "Slack": ("xoxb-", string.digits + "-", 30),
    "AWS": ("AKIA", string.ascii_uppercase + string.digits, 16),
    "Google": ("AIza", WORD, 35),
    "Hugging Face": ("hf_", WORD, 34),
    "npm": ("npm_", WORD, 36),
    "SendGrid": ("SG.abcdefghijklmnop.", WORD, 30),
    "plain": ("", WORD, 44),
}
STATED = [
    "my password is {}",
    "My WiFi password is {}.",
    "the password for the router is: {}",
    "password: {}",
    "PASSWORD={}",
    "my passcode is {}, don't tell anyone",
    "the admin password was changed to {} and it works",
    'my pin code is "{}"',
    "api_key = '{}'",
    "My secret key is {}",
    "Authorization: Bearer {}aaaaaaaa",
    "postgres://admin:{}@db.example.org/main",
    "mein Passwort ist {}",
    "ma mot de passe est {}",
    "mi contraseña es {}",
    "a minha senha é {}",
]
HARMLESS = [
    "I forgot my password",
    "my password is too short",
    "The password is not working, what can I do?",
    "my password is stored in a safe",
    "is my password wrong?",
    "I work on token-based authentication at Acme",
    "the key to happiness is sleep",
    "I'm allergic to peanuts and I live in Lisbon",
    "my phone number is +351 912 345 678",
    "call me on 0049 170 1234567",
    "order number 4111-2222-3333",
    "the commit 9fceb02d0ae598e95dc970b74767f19372d61af8 broke it",
    "id 123e4567-e89b-12d3-a456-426614174000",
    "https://example.org/articles/2026/how-to-keep-your-Garden-green-in-Winter",
    "I was born on 1984-05-12 at 12:30",
    "my IBAN is PT50 0002 0123 1234 5678 9015 4",
    "the ISBN is 978-3-16-148410-0",
    "pi is 3.14159265358979323846",
    "Donaudampfschifffahrtsgesellschaftskapitän is a long word",
    "the secret of good bread is time",
    "I love Secret Garden: it's a band",
    "The token ring network was slow",
    "my badge says employee 1234567890123",
    "I changed my password to be safer",
    "Password: see the note on the fridge door",
    "密码是必须的",
    "我的密码是 Bitwarden 生成的",
    "パスワードは1Passwordに保存した",
]


def random_text(letters: str, length: int, seed: int) -> str:
    """Return the same random word for the same seed, with all its kinds of letters."""
    choose = random.Random(seed)
    return "aA1"[: 3 if letters is WORD else 0] + "".join(choose.choice(letters) for _ in range(length))


@pytest.mark.parametrize("issuer", KEYS)
@pytest.mark.parametrize("seed", range(10))
def test_issued_keys_are_masked(issuer, seed):
    """A key in the form of its issuer is masked wherever it stands; the words around it stay."""
    prefix, letters, length = KEYS[issuer]
    key = prefix + random_text(letters, length, seed)
    assert mask(f"please use {key} for that") == f"please use {MASK} for that"


@pytest.mark.parametrize("sentence", STATED)
@pytest.mark.parametrize("secret", ["hunter2", "Tr0ub4dor&3", "kangaroo", "8241", "xY9-kk_2!"])
def test_stated_secrets_are_masked(sentence, secret):
    """What is called a password, pin, key or token is masked, in several languages."""
    masked = mask(sentence.format(secret))
    assert secret not in masked
    assert MASK in masked


@pytest.mark.parametrize(
    "secret",
    [
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
        "4111 1111 1111 1111",
        "5500-0000-0000-0004",
        "378282246310005",
    ],
)
def test_blocks_tokens_and_cards_are_masked(secret):
    """Private keys, signed tokens and payment cards are masked as a whole."""
    assert mask(f"here: {secret} ok").startswith(f"here: {MASK}")


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_text_is_unchanged(text):
    """Talk about secrets, numbers, addresses and hashes is kept as it is."""
    assert mask(text) == text
    assert not has_secret(text)


def test_masking_twice_is_masking_once():
    """A masked text is recognised as such and not changed again."""
    for sentence in STATED:
        once = mask(sentence.format("hunter2"))
        assert mask(once) == once
        assert has_secret(once)


def test_a_passphrase_is_masked_as_a_whole():
    """A stated secret of several words goes up to the end of its sentence."""
    assert mask("My passphrase is correct horse battery staple. Bye") == f"My passphrase is {MASK}. Bye"
    assert mask("wifi password: correct horse battery staple") == f"wifi password: {MASK}"
    assert mask("Passwort: blauer Hund springt weit.\nBis morgen") == f"Passwort: {MASK}.\nBis morgen"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("我的密码是 abc12345", f"我的密码是 {MASK}"),
        ("密码：hunter2!", f"密码：{MASK}"),
        ("私のパスワードは sakura2024 です", f"私のパスワードは {MASK} です"),
        ("暗証番号は4821です", f"暗証番号は{MASK}です"),
        ("비밀번호는 abc1234!", f"비밀번호는 {MASK}"),
    ],
)
def test_a_password_is_masked_in_eastern_languages(text, masked):
    """The value is masked where it stands among signs that are not Latin; the words around it stay."""
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        *("a1B", "password is ", "4 ", "4111 ", "x:", "://a", "-my-password-", "session", "A_", "a@b.", "key of "),
        *("user a ", "login: ", "seed phrase: abandon ", "password for ", "use aaaa as ", "my pass-", "[", "--a"),
        *("password: abc ", "abc def ", "密码是", "密码是a"),
    ],
)
def test_long_text_is_masked_in_time(text):
    """No pattern runs away: four times the text takes far less than the sixteenfold time of a quadratic search."""

    def taken(length: int) -> float:
        started = time.thread_time()
        mask((text * length)[:length])
        return time.thread_time() - started

    assert taken(32_000) < max(8 * min(taken(8_000) for _ in range(3)), 0.2)
