from concurrent.futures import ThreadPoolExecutor

import pytest

from optimus.auth.service import AuthService
from optimus.errors import (
    AlreadyExistsError,
    InvalidInputError,
    OptimusError,
    PasswordRejectedError,
    SetupError,
    TooManyAttemptsError,
)
from optimus.models import Role, User
from tests.unit.auth.conftest import PASSWORD, sign_in


def _create(
    auth: AuthService, *, code: str | None, username: str = "boss", password: str = PASSWORD, **rest: str
) -> User:
    return auth.create_admin(code=code, username=username, password=password, **rest)


def test_the_code_makes_the_first_admin_who_can_sign_in(world):
    """A fresh store needs a set-up; the code ends it, and its account works."""
    auth = world.service()
    assert auth.needs_setup()
    user = _create(auth, code=auth.setup_code(), username=" Boss ")
    assert (user.username, user.role) == ("Boss", Role.ADMIN)
    assert not auth.needs_setup()
    principal = auth.principal(auth.open_session(sign_in(auth, username="boss")).token)
    assert principal is not None
    assert principal.role is Role.ADMIN
    assert [entry.action for entry in world.entries] == ["auth.admin_created", "auth.signed_in"]


def test_the_random_code_has_eighty_bits_and_lives_as_long_as_the_process(world):
    """It is stable within a process, new in the next one, and readable: four groups of four of 32 characters."""
    auth = world.service()
    assert auth.setup_code() == auth.setup_code()
    codes = {world.service().setup_code() for _ in range(20)}
    assert len(codes) == 20
    assert all([len(group) for group in code.split("-")] == [4, 4, 4, 4] for code in codes)
    assert not set("".join(codes)) & set("01IOio")


@pytest.mark.parametrize("form", ["lower", "spaces", "nothing between"])
def test_a_code_copied_by_hand_is_recognized(world, form):
    """Case, spaces and hyphens do not matter in the random code."""
    auth = world.service()
    code = auth.setup_code()
    written = {"lower": code.lower(), "spaces": f" {code.replace('-', ' ')} ", "nothing between": code.replace("-", "")}
    assert _create(auth, code=written[form])


def test_the_configured_code_is_compared_exactly(world):
    """OPTIMUS_SETUP_CODE replaces the random code and is taken as it stands."""
    auth = world.service(setup_code="Correct-Code")
    assert auth.setup_code() == "Correct-Code"
    for wrong in ("correct-code", "CorrectCode", "", "Correct-Code-and-more"):
        with pytest.raises(SetupError):
            _create(auth, code=wrong, network=wrong)
    assert _create(auth, code=" Correct-Code\n")


def test_a_configured_code_of_hyphens_is_no_empty_code(world):
    """Leniency towards copied codes never makes an empty answer right."""
    auth = world.service(setup_code="--------")
    with pytest.raises(SetupError):
        _create(auth, code="")


@pytest.mark.parametrize("code", ["", "wrong", "\ud800", "x" * 1_000_000, "\x00"])
def test_a_wrong_code_makes_nothing(world, code):
    """Any other text is refused with a sentence that says where the code is."""
    auth = world.service()
    with pytest.raises(SetupError) as caught:
        _create(auth, code=code)
    assert "terminal" in caught.value.user_message
    assert auth.needs_setup()


def test_the_code_is_dead_after_use(world):
    """Once an account exists, the right code is refused, also after a restart."""
    auth = world.service(setup_code="Correct-Code")
    _create(auth, code="Correct-Code")
    for service in (auth, world.service(setup_code="Correct-Code")):
        with pytest.raises(SetupError) as caught:
            _create(service, code="Correct-Code", username="second")
        assert "set up already" in caught.value.user_message
    assert world.accounts.count_users() == 1


def _use_up(auth: AuthService, network: str) -> None:
    for _ in range(5):
        with pytest.raises(SetupError):
            _create(auth, code="wrong", network=network)


def test_wrong_codes_are_limited_by_network(world):
    """After five wrong codes a network waits, even with the right one, and is told the ways out."""
    auth = world.service()
    _use_up(auth, "a")
    with pytest.raises(TooManyAttemptsError) as caught:
        _create(auth, code=auth.setup_code(), network="a")
    assert "wait 15 minutes and try again, or restart Optimus" in caught.value.user_message
    assert "python -m optimus create-admin NAME" in caught.value.user_message
    world.clock.pass_(minutes=15)
    assert _create(auth, code=auth.setup_code(), network="a")


def test_wrong_codes_from_many_networks_keep_nobody_else_out(world):
    """However many networks try wrong codes, the right one is taken from another at once."""
    auth = world.service()
    for number in range(30):
        _use_up(auth, f"network {number}")
    assert _create(auth, code=auth.setup_code(), network="another")


@pytest.mark.parametrize("way_out", ["restart", "terminal"])
def test_the_ways_out_of_the_wait_work(world, way_out):
    """After a restart, and at the terminal, the account is made at once."""
    auth = world.service(setup_code="Correct-Code")
    _use_up(auth, "a")
    if way_out == "restart":
        assert _create(world.service(setup_code="Correct-Code"), code="Correct-Code", network="a")
    else:
        assert _create(auth, code=None)


def test_right_codes_with_unusable_names_or_passwords_are_not_limited(world):
    """Choosing a password may take several tries, and a refused one leaves the set-up open."""
    auth = world.service()
    for _ in range(6):
        with pytest.raises(PasswordRejectedError):
            _create(auth, code=auth.setup_code(), password="short")
        with pytest.raises(InvalidInputError):
            _create(auth, code=auth.setup_code(), username="a b")
    assert _create(auth, code=auth.setup_code())


def test_of_fifty_parallel_set_ups_exactly_one_wins(world):
    """One administrator, whatever names are asked for; the others get an error of ours."""
    auth = world.service()
    code = auth.setup_code()

    def one(number):
        try:
            return _create(auth, code=code, username=f"boss{number}", network=str(number))
        except OptimusError:
            return None

    with ThreadPoolExecutor(50) as pool:
        made = [user for user in pool.map(one, range(50)) if user]
    assert len(made) == 1
    assert world.accounts.count_users() == 1


def test_of_several_processes_exactly_one_wins(world):
    """The claim is in the store: services that share nothing else do not make two administrators."""
    services = [world.service(setup_code="Correct-Code") for _ in range(8)]

    def one(pair):
        number, auth = pair
        try:
            return _create(auth, code="Correct-Code", username=f"boss{number}", network=str(number))
        except OptimusError:
            return None

    with ThreadPoolExecutor(8) as pool:
        made = [user for user in pool.map(one, enumerate(services)) if user]
    assert len(made) == 1


def test_a_crashed_set_up_does_not_block_for_ever(world):
    """A claim that nobody gives back expires."""
    auth = world.service()
    assert world.accounts.claim_setup("crashed", 120)
    with pytest.raises(SetupError) as caught:
        _create(auth, code=auth.setup_code())
    assert "Another set-up" in caught.value.user_message
    world.clock.pass_(seconds=121)
    assert _create(auth, code=auth.setup_code())


def test_the_terminal_needs_no_code_and_may_add_a_further_admin(world):
    """The operator of the server is trusted, yet names and passwords keep their rules."""
    auth = world.service()
    assert _create(auth, code=None).role is Role.ADMIN
    assert _create(auth, code=None, username="second").role is Role.ADMIN
    with pytest.raises(AlreadyExistsError):
        _create(auth, code=None, username="BOSS")
    with pytest.raises(PasswordRejectedError):
        _create(auth, code=None, username="third", password="password")


def test_there_is_no_default_account(world):
    """Nobody can sign in before the set-up."""
    auth = world.service()
    for username in ("admin", "optimus", "root"):
        with pytest.raises(OptimusError):
            sign_in(auth, username=username, password=username)
    assert auth.needs_setup()
