"""OpenLDAP as it is in the field: password policies, limits, referrals, aliases, and groups that entries know of."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from pydantic import SecretBytes

from radius2fa.directory.inspect import inspect
from radius2fa.directory.ldap import LdapDirectory
from radius2fa.directory.wanted import Wanted
from radius2fa.login.ports import BindResult, Entry, NotFound, Unavailable
from tests.directory.conftest import DRIVERS, Clock, Tools
from tests.servers.slapd import GROUPS, PEOPLE, SUFFIX, Slapd, group_dn, group_ldif, ldif, person_dn, person_ldif

READER_PASSWORD = "readers-own"
LONG_AGO = "20200101000000Z"
PASSWORD = b"user-Pa55"

Login = Callable[[str, bytes], BindResult]


@pytest.fixture
def tools(driver: str) -> Tools:
    """Settings over each driver."""
    return Tools(driver)


def reading_as(uid: str) -> dict[str, object]:
    """The settings of a service account."""
    return {"bind_dn": person_dn(uid), "bind_password": SecretBytes(READER_PASSWORD.encode())}


@contextmanager
def opened(slapd: Slapd, clock: Clock, tools: Tools, **settings: object) -> Iterator[LdapDirectory]:
    """A directory over this slapd, in the clear; the service account is the reader unless told otherwise."""
    values = {**reading_as("reader"), **settings}
    directory = LdapDirectory(tools.settings(slapd.uri, **values), clock, Wanted(groups="group_base" in settings))  # type: ignore[arg-type]
    try:
        yield directory
    finally:
        directory.close()


def found(directory: LdapDirectory, name: str, clock: Clock) -> Entry:
    entry = directory.find(name, clock.soon())
    assert isinstance(entry, Entry)
    return entry


# Password policies: man slapo-ppolicy, draft-behera-ldap-password-policy


def policy_ldif(name: str, **rules: str) -> str:
    """A policy entry below the suffix."""
    main = [("objectClass", "device"), ("objectClass", "pwdPolicy"), ("cn", name), ("pwdAttribute", "userPassword")]
    return ldif(f"cn={name},{SUFFIX}", [*main, *rules.items()])


def policed(uid: str, policy: str = "policy", **attributes: str) -> str:
    """A person under a policy."""
    subentry = {"pwdPolicySubentry": f"cn={policy},{SUFFIX}"}
    return person_ldif(uid, PASSWORD, **subentry, **attributes)


def policy_server(tells_of_locks: bool) -> Slapd:  # noqa: FBT001 - the one thing in which they differ
    seed = (
        policy_ldif("policy", pwdLockout="TRUE", pwdMaxFailure="3", pwdMaxAge="86400", pwdMustChange="TRUE")
        + policy_ldif("grace", pwdMaxAge="86400", pwdGraceAuthnLimit="1")
        + policy_ldif("soon", pwdMaxAge="86400", pwdExpireWarning="86399")
        + person_ldif("reader", READER_PASSWORD)
        + person_ldif("plain", PASSWORD)
        + policed("expiredreader", pwdChangedTime=LONG_AGO)
    )
    for driver in DRIVERS:  # a login changes what the server remembers of somebody
        seed += (
            policed(f"locked{driver}")
            + policed(f"old{driver}", pwdChangedTime=LONG_AGO)
            + policed(f"reset{driver}")
            + policed(f"graced{driver}", "grace", pwdChangedTime=LONG_AGO)
            + policed(f"warned{driver}", "soon")
            + policed(f"shut{driver}")
        )
    lines = "overlay ppolicy\n" + ("ppolicy_use_lockout\n" if tells_of_locks else "")
    return Slapd(seed=seed, extra="moduleload ppolicy", limits=lines)


@pytest.fixture(scope="module")
def strict() -> Iterator[Slapd]:
    """A server with policies that tells of locks."""
    with policy_server(tells_of_locks=True) as server:
        yield server


@pytest.fixture
def log_in(strict: Slapd, clock: Clock, tools: Tools) -> Iterator[Login]:
    with opened(strict, clock, tools) as directory:
        yield lambda uid, password: directory.bind(found(directory, uid, clock), password, clock.soon())


def test_an_account_that_wrong_passwords_have_locked_says_so_to_the_right_one(log_in: Login, driver: str) -> None:
    tries = [log_in(f"locked{driver}", password) for password in (b"wrong", b"wrong", b"wrong", PASSWORD)]
    assert tries == [BindResult.WRONG_PASSWORD] * 3 + [BindResult.ACCOUNT_LOCKED]


def test_an_account_that_the_administrator_has_locked_says_so(strict: Slapd, log_in: Login, driver: str) -> None:
    """This time locks for good (section 5.3.3 of the draft)."""
    strict.change(
        f"dn: {person_dn(f'shut{driver}')}\nchangetype: modify\n"
        "add: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n"
    )
    assert log_in(f"shut{driver}", PASSWORD) is BindResult.ACCOUNT_LOCKED


def test_a_server_that_does_not_tell_of_locks_leaves_a_wrong_password(clock: Clock, tools: Tools, driver: str) -> None:
    """Without ppolicy_use_lockout."""
    with policy_server(tells_of_locks=False) as slapd, opened(slapd, clock, tools) as directory:
        entry = found(directory, f"locked{driver}", clock)
        tries = [directory.bind(entry, password, clock.soon()) for password in (b"a", b"b", b"c", PASSWORD)]
    assert tries == [BindResult.WRONG_PASSWORD] * 4


def test_a_password_that_is_too_old_has_expired_and_only_the_right_one_learns_it(log_in: Login, driver: str) -> None:
    assert log_in(f"old{driver}", PASSWORD) is BindResult.PASSWORD_EXPIRED
    assert log_in(f"old{driver}", b"wrong") is BindResult.WRONG_PASSWORD


def test_a_password_that_the_administrator_has_set_must_be_changed_though_the_bind_succeeds(
    strict: Slapd, log_in: Login, driver: str
) -> None:
    assert log_in(f"reset{driver}", PASSWORD) is BindResult.OK
    strict.change(f"dn: {person_dn(f'reset{driver}')}\nchangetype: modify\nreplace: pwdReset\npwdReset: TRUE\n")
    assert log_in(f"reset{driver}", PASSWORD) is BindResult.PASSWORD_MUST_CHANGE
    assert log_in(f"reset{driver}", b"wrong") is BindResult.WRONG_PASSWORD


def test_a_grace_login_is_a_login_and_behind_the_last_the_password_has_expired(log_in: Login, driver: str) -> None:
    assert [log_in(f"graced{driver}", PASSWORD) for _ in range(2)] == [BindResult.OK, BindResult.PASSWORD_EXPIRED]


def test_a_warning_that_the_password_is_going_to_expire_hinders_nobody(log_in: Login, driver: str) -> None:
    assert log_in(f"warned{driver}", PASSWORD) is BindResult.OK
    assert log_in("plain", PASSWORD) is BindResult.OK


def test_a_service_account_whose_password_has_expired_is_named_with_the_cause(
    strict: Slapd, clock: Clock, tools: Tools
) -> None:
    settings = tools.settings(strict.uri, bind_dn=person_dn("expiredreader"), bind_password=SecretBytes(PASSWORD))
    directory = LdapDirectory(settings, clock)
    with pytest.raises(Unavailable, match=r"refused: invalidCredentials \(49\), passwordExpired$"):
        directory.find("plain", clock.soon())
    directory.close()


# Who may search, and how much


@pytest.fixture(scope="module")
def limited() -> Iterator[Slapd]:
    """A server that lets nobody search without a name, and bounds accounts in different ways."""
    readers = ("reader", "onlyone", "candidates")
    groups = [group_ldif(f"group{number}", person_dn("alice")) for number in range(3)]
    people = [person_ldif("alice", PASSWORD), *(person_ldif(uid, READER_PASSWORD, "twin") for uid in readers)]
    limits = (
        "require authc\n"
        f'limits dn.exact="{person_dn("onlyone")}" size=1\n'
        f'limits dn.exact="{person_dn("candidates")}" size.unchecked=1\n'
    )
    with Slapd(seed="".join(people + groups), limits=limits) as server:
        yield server


def test_without_a_service_account_where_one_is_needed_the_log_and_the_check_say_so(
    limited: Slapd, clock: Clock, tools: Tools
) -> None:
    nobody = {"bind_dn": "", "bind_password": None}
    with opened(limited, clock, tools, **nobody) as directory, pytest.raises(Unavailable, match="tion required"):
        directory.find("alice", clock.soon())
    (report,) = inspect(tools.settings(limited.uri, **nobody), clock, now=clock)  # type: ignore[arg-type]
    assert (report.steps[-1].name, report.ok) == ("base", False)
    assert report.steps[-1].detail.endswith("authentication required")


def test_with_a_service_account_people_and_groups_are_found_within_the_default_limits(
    limited: Slapd, clock: Clock, tools: Tools
) -> None:
    """We ask for up to 1000 groups, and slapd gives up to 500 unless it is told otherwise: that alone is no fault."""
    with opened(limited, clock, tools, group_base=GROUPS) as directory:
        assert found(directory, "alice", clock).groups == {f"cn=group{number},{GROUPS}" for number in range(3)}


def test_an_account_that_may_see_one_entry_finds_people_and_neither_guesses_between_two_nor_at_their_groups(
    limited: Slapd, clock: Clock, tools: Tools
) -> None:
    with opened(limited, clock, tools, **reading_as("onlyone")) as directory:
        assert found(directory, "alice", clock).dn == person_dn("alice")
    with opened(limited, clock, tools, **reading_as("onlyone"), user_filter="(sn={user})") as directory:
        assert directory.find("twin", clock.soon()) is NotFound.AMBIGUOUS
    too_many = pytest.raises(Unavailable, match="more than the server lists")
    with opened(limited, clock, tools, **reading_as("onlyone"), group_base=GROUPS) as directory, too_many:
        directory.find("alice", clock.soon())


def test_a_search_that_the_server_will_not_make_is_a_breakdown_and_nobody_s_fault(
    limited: Slapd, clock: Clock, tools: Tools
) -> None:
    """For want of an index there are more candidates than it looks at for this account."""
    refused = pytest.raises(Unavailable, match=r"adminLimitExceeded \(11\)")
    with opened(limited, clock, tools, **reading_as("candidates"), user_filter="(sn={user})") as directory, refused:
        directory.find("alice", clock.soon())


# Entries that are elsewhere, and entries that stand for others


@pytest.fixture
def elsewhere() -> Iterator[socket.socket]:
    """Where references lead. Nobody should come."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        yield listener


@pytest.fixture
def spread(elsewhere: socket.socket) -> Iterator[Slapd]:
    """A server some of whose entries are on another, and some of which are aliases."""
    address = f"ldap://127.0.0.1:{elsewhere.getsockname()[1]}/{PEOPLE}"
    referral = [("objectClass", "referral"), ("objectClass", "extensibleObject"), ("ref", address)]
    alias = [("objectClass", "alias"), ("objectClass", "extensibleObject"), ("aliasedObjectName", person_dn("alice"))]
    seed = (
        person_ldif("reader", READER_PASSWORD)
        + person_ldif("alice", PASSWORD)
        + ldif(person_dn("gone"), [*referral, ("uid", "gone")])
        + ldif(f"ou=branch,{SUFFIX}", [*referral, ("ou", "branch")])
        + ldif(person_dn("nickname"), [*alias, ("uid", "nickname")])
    )
    with Slapd(seed=seed) as server:
        yield server


def nobody_came(elsewhere: socket.socket) -> bool:
    with pytest.raises(BlockingIOError):
        elsewhere.accept()
    return True


def test_an_entry_that_is_a_referral_is_told_as_one_and_what_is_here_is_found(
    spread: Slapd, clock: Clock, tools: Tools, elsewhere: socket.socket
) -> None:
    """Every search below the suffix is answered with references besides."""
    with opened(spread, clock, tools) as directory:
        assert directory.find("gone", clock.soon()) is NotFound.REFERRAL
        alice = found(directory, "alice", clock)
        assert directory.bind(alice, PASSWORD, clock.soon()) is BindResult.OK
    assert nobody_came(elsewhere)


@pytest.mark.parametrize("base", [f"ou=branch,{SUFFIX}", f"ou=sub,ou=branch,{SUFFIX}"])
def test_a_base_that_is_on_another_server_is_a_breakdown(
    spread: Slapd, clock: Clock, tools: Tools, elsewhere: socket.socket, base: str
) -> None:
    with opened(spread, clock, tools, base=base) as directory, pytest.raises(Unavailable, match=r"referral \(10\)"):
        directory.find("alice", clock.soon())
    assert nobody_came(elsewhere)


def test_no_password_is_sent_after_an_account_that_has_become_a_referral(
    spread: Slapd, clock: Clock, tools: Tools, elsewhere: socket.socket
) -> None:
    """slapd does not tell somebody without a name that the entry is elsewhere."""
    gone = Entry("1b4e28ba-2fa1-11d2-883f-0016d3cca427", person_dn("gone"), "gone", "gone")
    with opened(spread, clock, tools) as directory:
        assert directory.bind(gone, PASSWORD, clock.soon()) is BindResult.WRONG_PASSWORD
    assert nobody_came(elsewhere)


def test_an_alias_is_not_followed(spread: Slapd, clock: Clock, tools: Tools) -> None:
    """It is an entry of its own: not a person, and where the filter takes it, one whose password is never right."""
    with opened(spread, clock, tools) as directory:
        assert directory.find("nickname", clock.soon()) is NotFound.UNKNOWN
    with opened(spread, clock, tools, user_filter="(uid={user})") as directory:
        nickname = found(directory, "nickname", clock)
        assert nickname.dn == person_dn("nickname")
        assert directory.bind(nickname, PASSWORD, clock.soon()) is BindResult.WRONG_PASSWORD


# Groups that entries know of


@pytest.fixture(scope="module")
def aware() -> Iterator[Slapd]:
    """A server that keeps memberOf in the entries of members."""
    seed = person_ldif("reader", READER_PASSWORD) + person_ldif("alice", PASSWORD) + person_ldif("bob", PASSWORD)
    with Slapd(seed=seed, extra="moduleload memberof", limits="overlay memberof\n") as server:
        server.add_group("vpn", person_dn("alice"))
        server.add_group("staff", group_dn("vpn"))
        yield server


def test_groups_are_found_by_their_members_beside_the_memberof_overlay(
    aware: Slapd, clock: Clock, tools: Tools
) -> None:
    with opened(aware, clock, tools, group_base=GROUPS) as directory:
        assert found(directory, "alice", clock).groups == {f"cn=vpn,{GROUPS}", f"cn=staff,{GROUPS}"}
        assert found(directory, "bob", clock).groups == frozenset()


def test_the_user_filter_may_ask_for_memberof(aware: Slapd, clock: Clock, tools: Tools) -> None:
    """Direct members only: the overlay keeps no groups of groups there."""
    for group, answer in (("vpn", person_dn("alice")), ("staff", None)):
        only = f"(&(objectClass=person)(uid={{user}})(memberOf={group_dn(group)}))"
        with opened(aware, clock, tools, user_filter=only) as directory:
            alice = directory.find("alice", clock.soon())
            assert (alice.dn if isinstance(alice, Entry) else None) == answer
            assert directory.find("bob", clock.soon()) is NotFound.UNKNOWN
