import pytest

from optimus.errors import InvalidInputError
from optimus.llm_handler.addresses import check_base_url, is_loopback

GOOD = {
    "http://127.0.0.1:11434/v1": "http://127.0.0.1:11434/v1",
    " http://localhost:1234/v1/ ": "http://localhost:1234/v1",
    "http://[::1]:8080/v1": "http://[::1]:8080/v1",
    "http://127.1.2.3/v1": "http://127.1.2.3/v1",
    "https://api.example.com/v1/": "https://api.example.com/v1",
    "HTTPS://API.Example.com": "https://api.example.com",
    "https://8.8.8.8/v1": "https://8.8.8.8/v1",
}

BAD = (
    "",
    "   ",
    "api.example.com/v1",
    "ftp://example.com",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "http://",
    "https:///v1",
    "http://example.com/v1",
    "http://192.168.1.20:11434/v1",
    "https://192.168.1.20/v1",
    "https://10.0.0.1",
    "https://172.16.0.9",
    "https://[fd00::1]/v1",
    "https://100.64.0.1",
    "http://user:pass@127.0.0.1/v1",
    "http://127.0.0.1@evil.example/v1",
    "https://evil.example\\@127.0.0.1/v1",
    "https://example.com/v1?key=1",
    "https://example.com/v1#part",
    "https://exa\nmple.com/v1",
    "https://exa\tmple.com/v1",
    "https://" + "a" * 600 + ".example",
)

NEVER = (
    "http://169.254.169.254/latest/meta-data",
    "https://169.254.169.254",
    "http://[fe80::1]/v1",
    "http://[::ffff:169.254.169.254]/v1",
    "http://[::ffff:a9fe:a9fe]/v1",
    "http://[64:ff9b::a9fe:a9fe]/v1",
    "http://[2002:a9fe:a9fe::1]/v1",
    "http://0.0.0.0:8080/v1",
    "http://0.1.2.3/v1",
    "http://[::]/v1",
    "https://224.0.0.1",
    "http://2852039166/v1",
    "http://0xa9fea9fe/v1",
    "http://0251.0376.0251.0376/v1",
    "http://169.254.43518/v1",
    "http://metadata.google.internal/v1",
    "http://metadata.google.internal./v1",
    "http://[fd00:ec2::254]/v1",
    "http://100.100.100.200/v1",
    "https://2130706433/v1",
    "http://0x7f.1/v1",
    "http://169\u3002254\u3002169\u3002254/v1",
    "http://\uff11\uff16\uff19.254.169.254/v1",
    "https://%31%36%39.254.169.254/v1",
    "http://[fe80::1%25eth0]/v1",
)


@pytest.mark.parametrize("text", GOOD)
def test_a_good_address_is_taken_in_its_normal_form(text):
    """Loopback by http, and anything public by https, is taken and normalized."""
    assert check_base_url(text) == GOOD[text]


@pytest.mark.parametrize("text", [*BAD, *NEVER])
def test_a_user_cannot_enter_a_bad_address(text):
    """What is no address, not encrypted, or inside a network is refused with a sentence."""
    with pytest.raises(InvalidInputError) as refused:
        check_base_url(text)
    assert refused.value.user_message.endswith(".")
    assert str(refused.value) == "base url refused"


@pytest.mark.parametrize("text", NEVER)
def test_not_even_settings_name_a_forbidden_address(text):
    """Metadata, link-local, multicast and disguised addresses are refused for everybody."""
    with pytest.raises(InvalidInputError):
        check_base_url(text, is_trusted=True)


def test_settings_may_name_a_server_in_the_own_network():
    """Whoever runs Optimus may use a plain http server in the own network."""
    assert check_base_url("http://192.168.1.20:11434/v1", is_trusted=True) == "http://192.168.1.20:11434/v1"


@pytest.mark.parametrize(
    "text", ["http://127.0.0.1:1/v1", "http://localhost/v1", "http://[::1]/", "http://LOCALHOST./"]
)
def test_loopback_is_recognized(text):
    """A model on this machine is shown as local."""
    assert is_loopback(text)


@pytest.mark.parametrize("text", ["https://localhost.evil.example", "https://api.openai.com/v1", "http://[bad", ""])
def test_other_hosts_are_not_local(text):
    """A name that only begins like this machine, or no address at all, is not local."""
    assert not is_loopback(text)
