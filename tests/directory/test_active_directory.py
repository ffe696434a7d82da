"""What only Active Directory has, over a real domain controller."""

import itertools
from collections.abc import Callable, Iterator

import pytest

from radius2fa.directory.ldap import LdapDirectory
from radius2fa.directory.wanted import Wanted
from radius2fa.login.dn import normal_dn
from radius2fa.login.ports import BindResult, Entry
from tests.directory.conftest import Clock, Tools
from tests.servers.samba import LEAVERS, LOCKED_AFTER, PEOPLE, SUFFIX, Samba, group_dn, person_dn

Open = Callable[..., LdapDirectory]
IN_CHAIN = "(member:1.2.840.113556.1.4.1941:={dn})"

_numbers = itertools.count()


@pytest.fixture
def tools(driver: str) -> Tools:
    """Settings over each driver."""
    return Tools(driver)


@pytest.fixture
def uid() -> str:
    """A name that nobody has yet: the server is shared."""
    return f"windows{next(_numbers)}"


@pytest.fixture
def opened(samba: Samba, clock: Clock, tools: Tools) -> Iterator[Open]:
    """Opens directories over Samba that want groups and remember nothing."""
    made: list[LdapDirectory] = []

    def open_with(**settings: object) -> LdapDirectory:
        values = {"cache_seconds": 0, **settings}
        made.append(LdapDirectory(tools.settings_of(samba, **values), clock, Wanted(groups=True)))
        return made[-1]

    yield open_with
    for directory in made:
        directory.close()


def known(directory: LdapDirectory, name: str, clock: Clock) -> Entry:
    entry = directory.find(name, clock.soon())
    assert isinstance(entry, Entry)
    return entry


def verdict(directory: LdapDirectory, name: str, password: bytes, clock: Clock) -> BindResult:
    return directory.bind(known(directory, name, clock), password, clock.soon())


@pytest.mark.parametrize("form", ["{}", "{}@example.org", "{}@EXAMPLE.ORG", "EXAMPLE\\{}", "example\\{}"])
def test_every_form_of_a_name_leads_to_the_same_person(
    samba: Samba, opened: Open, clock: Clock, uid: str, form: str
) -> None:
    samba.add_person(uid, "password")
    entry = known(opened(), form.format(uid), clock)
    assert (entry.subject, entry.name, entry.dn) == (samba.object_guid(uid), uid, person_dn(uid))


def test_the_domain_itself_can_be_the_base_in_spite_of_its_referrals(
    samba: Samba, opened: Open, clock: Clock, uid: str
) -> None:
    samba.add_person(uid, "password")
    assert verdict(opened(base=SUFFIX), uid, b"password", clock) is BindResult.OK


def test_the_object_guid_stays_through_a_rename_and_a_move(samba: Samba, opened: Open, clock: Clock, uid: str) -> None:
    samba.add_person(uid, "password")
    before = known(opened(base=SUFFIX), uid, clock)
    samba.rename(uid, f"{uid}new")
    samba.move(f"{uid}new", LEAVERS)
    after = known(opened(base=SUFFIX), f"{uid}new", clock)
    assert after.dn == f"CN={uid}new,{LEAVERS}"
    assert after.subject == before.subject


STATES: tuple[tuple[Callable[[Samba, str], None], BindResult], ...] = (
    (Samba.disable, BindResult.ACCOUNT_DISABLED),
    (Samba.expire, BindResult.ACCOUNT_EXPIRED),
    (Samba.age_password, BindResult.PASSWORD_EXPIRED),
    (Samba.must_change, BindResult.PASSWORD_MUST_CHANGE),
    (Samba.keep_out, BindResult.NOT_NOW),
)


@pytest.mark.parametrize("state", STATES)
def test_a_right_password_tells_what_is_the_matter_and_a_wrong_one_does_not(
    samba: Samba, opened: Open, clock: Clock, uid: str, state: tuple[Callable[[Samba, str], None], BindResult]
) -> None:
    change, expected = state
    samba.add_person(uid, "password")
    change(samba, uid)
    assert verdict(opened(), uid, b"password", clock) is expected
    assert verdict(opened(), uid, b"wrong", clock) is BindResult.WRONG_PASSWORD


def test_an_account_is_locked_after_wrong_passwords_each_of_which_counts_once(
    samba: Samba, opened: Open, clock: Clock, uid: str
) -> None:
    samba.add_person(uid, "password")
    directory = opened()
    for _ in range(LOCKED_AFTER):
        assert verdict(directory, uid, b"wrong", clock) is BindResult.WRONG_PASSWORD
    assert verdict(directory, uid, b"password", clock) is BindResult.ACCOUNT_LOCKED


def test_a_person_and_a_group_whose_dns_need_escapes(samba: Samba, opened: Open, clock: Clock, uid: str) -> None:
    samba.add_person(f'Doe, "{uid}" <Ü>', "password", sAMAccountName=uid)
    samba.add_group(f"Staff, {uid} + Ä", person_dn(f'Doe, "{uid}" <Ü>'))
    entry = known(opened(), uid, clock)
    assert entry.groups == {normal_dn(f"CN=Staff\\, {uid} \\+ Ä,OU=Groups,{SUFFIX}")}
    assert opened().bind(entry, b"password", clock.soon()) is BindResult.OK


@pytest.mark.parametrize("rule", [{}, {"group_filter": IN_CHAIN, "nested_groups": False}])
def test_nested_groups_are_climbed_by_us_or_by_the_server(
    samba: Samba, opened: Open, clock: Clock, uid: str, rule: dict[str, object]
) -> None:
    samba.add_person(uid, "password")
    samba.add_group(f"{uid}a", person_dn(uid))
    samba.add_group(f"{uid}b", group_dn(f"{uid}a"))
    samba.add_group(f"{uid}c", group_dn(f"{uid}b"))
    expected = {normal_dn(group_dn(f"{uid}{name}")) for name in "abc"}
    assert known(opened(**rule), uid, clock).groups == expected


@pytest.mark.parametrize("rule", [{}, {"group_filter": IN_CHAIN, "nested_groups": False}])
def test_the_primary_group_is_among_the_groups_and_so_are_those_above_it(
    samba: Samba, opened: Open, clock: Clock, uid: str, rule: dict[str, object]
) -> None:
    """Domain Users has nobody as its member whose primary group it is, and is itself in Users."""
    samba.add_person(uid, "password")
    groups = known(opened(group_base=SUFFIX, **rule), uid, clock).groups
    assert groups == {"cn=domain users,cn=users,dc=example,dc=org", "cn=users,cn=builtin,dc=example,dc=org"}


def test_people_are_listed_with_their_groups(samba: Samba, opened: Open, clock: Clock, uid: str) -> None:
    samba.add_person(uid, "password")
    samba.add_group(f"{uid}a", person_dn(uid))
    directory = opened()
    (listed,) = (entry for entry in directory.people() if entry.name == uid)
    assert listed == known(directory, uid, clock)
    assert listed.dn == f"CN={uid},{PEOPLE}"
