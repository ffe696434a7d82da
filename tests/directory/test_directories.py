"""Several directories as one: who is asked for a name, who checks a password, what an outage of one means."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretBytes

from radius2fa.config.model import Client, Directory, Settings
from radius2fa.directory.directories import Directories, Opened
from radius2fa.directory.servers import ServerChange
from radius2fa.directory.wanted import Wanted
from radius2fa.login.ports import BindResult, Entry, NotFound, Unavailable
from tests.directory.conftest import Clock, Tools
from tests.fakes.directory import FakeDirectory
from tests.servers.slapd import PEOPLE, SUFFIX, Slapd, free_port, group_dn, ldif, person_dn, person_ldif
from tests.servers.tls import Authority

SOON = 99.0


class Fake(FakeDirectory):
    """One directory of several, in memory, which notes the names that it is asked for."""

    def __init__(self, name: str, **keys: object) -> None:
        super().__init__()
        urls = ["ldaps://ldap.example.org"]
        self.section = Directory.model_validate({"name": name, "urls": urls, "base": SUFFIX, **keys})
        self.asked: list[str] = []
        self.closed = False
        self.unreadable_because = ""
        self.answer: NotFound | None = None

    def find(self, name: str, deadline: float) -> Entry | NotFound:
        assert deadline == SOON
        self.asked.append(name)
        found = self.answer or super().find(name.partition("@")[0].rpartition("\\")[2], deadline)
        return found if isinstance(found, NotFound) else replace(found, directory=self.section.name)

    def probe(self, deadline: float) -> None:
        assert deadline == SOON
        self._check()

    def unreadable(self, dn: str, deadline: float) -> str:
        assert (dn, deadline) == ("cn=staff", SOON)
        self._check()
        return self.unreadable_because

    def observe(self, tell: Callable[[ServerChange], None]) -> None:
        """Its one server is never told of."""

    def close(self) -> None:
        self.closed = True


def of(*fakes: Fake, clients: tuple[Client, ...] = ()) -> Directories:
    return Directories([Opened(fake.section, fake) for fake in fakes], clients)  # type: ignore[arg-type] - no figures


def client(name: str, *directories: str) -> Client:
    """A client whose users may be in these directories; in all, if none is named."""
    keys = {"directories": directories} if directories else {}
    return Client.model_validate({"name": name, "addresses": ["192.0.2.1"], "secret": SecretBytes(b"x"), **keys})


def found_in(directories: Directories, name: str, client: str | None = None) -> str | NotFound:
    """The name of the directory that somebody was found in."""
    found = directories.find(name, client, SOON)
    return found if isinstance(found, NotFound) else found.directory


def both(**partner: object) -> tuple[Fake, Fake]:
    """Two directories, with realms and domains, and an alice in each of them, with another password."""
    corp = Fake("corp", realms=["corp.example"], domains=["CORP"])
    other = Fake("partner", **{"realms": ["partner.example"], "domains": ["PARTNER"], **partner})
    corp.add("alice", b"of corp")
    other.add("alice", b"of partner")
    return corp, other


# --- who is asked


def test_a_name_without_a_realm_is_looked_for_in_the_order_of_the_file() -> None:
    corp, partner = both()
    partner.add("bob", b"of partner")
    directories = of(corp, partner)
    assert [found_in(directories, name) for name in ("alice", "bob", "carol")] == ["corp", "partner", NotFound.UNKNOWN]
    assert (corp.asked, partner.asked) == (["alice", "bob", "carol"], ["bob", "carol"])
    assert found_in(of(partner, corp), "alice") == "partner"


@pytest.mark.parametrize(
    ("name", "directory"),
    [
        ("alice@corp.example", "corp"),
        ("alice@CORP.Example", "corp"),
        ("alice@partner.example", "partner"),
        ("alice@Partner.EXAMPLE", "partner"),
        ("CORP\\alice", "corp"),
        ("partner\\alice", "partner"),
    ],
)
def test_a_realm_or_domain_in_any_case_leads_to_its_directory_only(name: str, directory: str) -> None:
    corp, partner = both()
    assert found_in(of(corp, partner), name) == directory
    assert (corp.asked, partner.asked) == (([name], []) if directory == "corp" else ([], [name]))


def test_somebody_whom_the_directory_of_the_realm_does_not_know_is_looked_for_nowhere_else() -> None:
    corp, partner = both()
    partner.add("bob", b"of partner")
    assert found_in(of(corp, partner), "bob@corp.example") is NotFound.UNKNOWN
    assert partner.asked == []


def test_a_realm_of_nobody_is_part_of_a_name_without_a_realm() -> None:
    corp, partner = both()
    assert found_in(of(corp, partner), "carol@elsewhere.example") is NotFound.UNKNOWN
    assert (corp.asked, partner.asked) == (["carol@elsewhere.example"],) * 2


def test_a_realm_of_two_directories_is_looked_for_in_both_in_order() -> None:
    corp, partner = both(realms=["CORP.example"], default=True)
    partner.add("bob", b"of partner")
    directories = of(corp, partner)
    assert (found_in(directories, "alice@corp.example"), found_in(directories, "bob@corp.example")) == (
        "corp",
        "partner",
    )


def test_the_default_takes_the_names_without_a_realm() -> None:
    corp, partner = both(default=True)
    directories = of(corp, partner)
    assert (found_in(directories, "alice"), corp.asked) == ("partner", [])
    assert found_in(directories, "alice@corp.example") == "corp"


def test_several_defaults_are_asked_in_order() -> None:
    corp, partner = both(default=True)
    third = Fake("third", default=True)
    third.add("bob", b"of third")
    corp.add("bob", b"of corp")
    assert found_in(of(corp, partner, third), "bob") == "third"
    assert (corp.asked, partner.asked, third.asked) == ([], ["bob"], ["bob"])


def test_a_client_s_users_are_in_its_directories() -> None:
    corp, partner = both()
    directories = of(corp, partner, clients=(client("vpn"), client("wiki", "partner")))
    assert [found_in(directories, "alice", name) for name in ("vpn", "wiki", None)] == ["corp", "partner", "corp"]
    assert corp.asked == ["alice"] * 2


@pytest.mark.parametrize("name", ["alice@corp.example", "CORP\\alice"])
def test_a_realm_of_a_directory_that_the_client_may_not_use_is_an_unknown_name(name: str) -> None:
    corp, partner = both()
    directories = of(corp, partner, clients=(client("wiki", "partner"),))
    assert found_in(directories, name, "wiki") is NotFound.UNKNOWN
    assert (corp.asked, partner.asked) == ([], [])
    assert directories.asked(name, "wiki") == ()


def test_a_default_that_a_client_may_not_use_is_none_for_it() -> None:
    corp, partner = both(default=True)
    directories = of(corp, partner, clients=(client("wiki", "corp"),))
    assert found_in(directories, "alice", "wiki") == "corp"
    assert found_in(directories, "alice", "vpn") == "partner"
    assert found_in(directories, "alice@corp.example", "wiki") == "corp"
    assert found_in(directories, "alice@partner.example", "wiki") is NotFound.UNKNOWN


def test_it_can_be_said_beforehand_who_would_be_asked() -> None:
    directories = of(*both(), clients=(client("wiki", "partner"),))
    assert directories.asked("alice", None) == ("corp", "partner")
    assert directories.asked("alice", "wiki") == ("partner",)
    assert directories.asked("alice@partner.example", None) == ("partner",)


@pytest.mark.parametrize("answer", [each for each in NotFound if each is not NotFound.UNKNOWN])
def test_a_name_that_means_no_one_person_is_looked_for_no_further(answer: NotFound) -> None:
    corp, partner = both()
    corp.answer = answer
    assert found_in(of(corp, partner), "alice") is answer
    assert partner.asked == []


# --- outages


def test_while_an_earlier_directory_is_down_nobody_behind_it_comes_in() -> None:
    """The alice of the other one would come in as the alice of this one."""
    corp, partner = both()
    directories = of(corp, partner)
    corp.down = True
    for name in ("alice", "somebody", "alice@corp.example"):
        with pytest.raises(Unavailable, match=r"^directory: corp: it is down$"):
            directories.find(name, None, SOON)
    assert partner.asked == []
    assert found_in(directories, "alice@partner.example") == "partner"


def test_who_is_found_before_a_directory_that_is_down_comes_in() -> None:
    corp, partner = both()
    directories = of(corp, partner)
    partner.down = True
    assert found_in(directories, "alice") == "corp"
    with pytest.raises(Unavailable, match=r"^directory: partner: it is down$"):
        directories.find("carol", None, SOON)


def test_a_directory_that_the_client_may_not_use_may_be_down() -> None:
    corp, partner = both()
    corp.down = True
    assert found_in(of(corp, partner, clients=(client("wiki", "partner"),)), "alice", "wiki") == "partner"


def test_one_directory_alone_is_not_named() -> None:
    corp, _ = both()
    corp.down = True
    directories = of(corp)
    for ask in (lambda: directories.find("alice", None, SOON), lambda: directories.probe(SOON)):
        with pytest.raises(Unavailable, match=r"^directory: it is down$"):
            ask()


def test_a_probe_fails_when_no_directory_answers() -> None:
    """One is enough: clients must not take the server for dead while the people of the other can log in."""
    corp, partner = both()
    directories = of(corp, partner)
    for corp.down, partner.down in ((False, False), (True, False), (False, True)):
        directories.probe(SOON)
    corp.down = partner.down = True
    with pytest.raises(Unavailable, match=r"^directory: corp: it is down; partner: it is down$"):
        directories.probe(SOON)


# --- passwords


def test_a_password_is_checked_where_the_person_was_found() -> None:
    corp, partner = both()
    directories = of(corp, partner)
    one, other = (directories.find(f"alice@{realm}.example", None, SOON) for realm in ("corp", "partner"))
    assert isinstance(one, Entry)
    assert isinstance(other, Entry)
    assert directories.bind(one, b"of corp", SOON) is BindResult.OK
    assert directories.bind(one, b"of partner", SOON) is BindResult.WRONG_PASSWORD
    assert directories.bind(other, b"of partner", SOON) is BindResult.OK
    assert directories.bind(other, b"of corp", SOON) is BindResult.WRONG_PASSWORD
    assert (corp.binds, partner.binds) == (2, 2)


@pytest.mark.parametrize("name", ["", "elsewhere", "Corp"])
def test_somebody_of_no_directory_of_ours_binds_nowhere(name: str) -> None:
    corp, partner = both()
    directories = of(corp, partner)
    alice = directories.find("alice", None, SOON)
    assert isinstance(alice, Entry)
    with pytest.raises(Unavailable, match="no directory is named"):
        directories.bind(replace(alice, directory=name), b"of corp", SOON)
    assert (corp.binds, partner.binds) == (0, 0)


def test_a_bind_in_a_directory_that_is_down_names_it() -> None:
    corp, partner = both()
    directories = of(corp, partner)
    alice = directories.find("alice", None, SOON)
    assert isinstance(alice, Entry)
    corp.down = True
    with pytest.raises(Unavailable, match=r"^directory: corp: it is down$"):
        directories.bind(alice, b"of corp", SOON)


# --- the rest


def test_an_entry_is_readable_where_one_can_read_it() -> None:
    corp, partner = both()
    directories = of(corp, partner)
    corp.unreadable_because = "noSuchObject"
    assert directories.unreadable("cn=staff", SOON) == ""
    partner.unreadable_because = "insufficientAccessRights"
    told = "corp: noSuchObject; partner: insufficientAccessRights"
    assert directories.unreadable("cn=staff", SOON) == told


def test_whether_an_entry_is_readable_cannot_be_said_while_one_is_down_unless_another_can() -> None:
    corp, partner = both()
    directories = of(corp, partner)
    corp.down = True
    assert directories.unreadable("cn=staff", SOON) == ""
    partner.unreadable_because = "noSuchObject"
    with pytest.raises(Unavailable, match=r"^directory: corp: it is down$"):
        directories.unreadable("cn=staff", SOON)


def test_everybody_is_listed_with_their_directory() -> None:
    corp, partner = both()
    partner.add("bob", b"of partner")
    directories = of(corp, partner)
    assert [entry.name for entry in directories.people()] == ["alice", "alice", "bob"]
    partner.down = True
    with pytest.raises(Unavailable, match=r"^directory: partner: it is down$"):
        list(directories.people())


def test_all_are_closed() -> None:
    corp, partner = both()
    of(corp, partner).close()
    assert (corp.closed, partner.closed) == (True, True)


# --- over real servers


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Slapd, Slapd]]:
    """Two servers with the same suffix: an alice in each, with the same DN, and bob in the second."""
    staff = ldif(group_dn("staff"), [("objectClass", "groupOfNames"), ("cn", "staff"), ("member", person_dn("alice"))])
    with (
        Slapd(seed=person_ldif("alice", "of corp") + staff) as corp,
        Slapd(seed=person_ldif("alice", "of partner") + person_ldif("bob", "of partner")) as partner,
    ):
        yield corp, partner


def section(tools: Tools, name: str, url: str, **keys: object) -> Directory:
    return tools.settings(url, name=name, realms=(f"{name}.example",), domains=(name.upper(),), **keys)


@pytest.fixture
def real(pair: tuple[Slapd, Slapd], clock: Clock, tools: Tools) -> Iterator[Directories]:
    sections = (section(tools, "corp", pair[0].uri), section(tools, "partner", pair[1].uri))
    settings = Settings(directory=sections, client=(client("vpn"), client("wiki", "partner")))
    with closing(Directories.of(settings, clock, Wanted(groups=True))) as directories:
        yield directories


def test_of_real_servers_too_the_first_counts_and_a_realm_reaches_the_other(
    pair: tuple[Slapd, Slapd], real: Directories, clock: Clock
) -> None:
    typed = [("alice", None), ("alice@partner.example", None), ("PARTNER\\alice", "vpn"), ("alice", "wiki")]
    found = [real.find(name, asker, clock.soon()) for name, asker in typed]
    corp, partner = (server.entry_uuid("alice") for server in pair)
    assert [(entry.subject, entry.directory) for entry in found if isinstance(entry, Entry)] == [
        (corp, "corp"),
        (partner, "partner"),
        (partner, "partner"),
        (partner, "partner"),
    ]
    assert real.find("alice@corp.example", "wiki", clock.soon()) is NotFound.UNKNOWN


def test_of_real_servers_too_each_checks_the_passwords_of_its_own_people(
    pair: tuple[Slapd, Slapd], real: Directories, clock: Clock
) -> None:
    """Both have the same DN: only the directory tells them apart."""
    before = [server.binds(person_dn("alice")) for server in pair]
    one, other = (real.find(name, None, clock.soon()) for name in ("alice", "alice@partner.example"))
    assert isinstance(one, Entry)
    assert isinstance(other, Entry)
    assert one.dn == other.dn
    verdicts = [real.bind(entry, word, clock.soon()) for entry in (one, other) for word in (b"of corp", b"of partner")]
    right, wrong = BindResult.OK, BindResult.WRONG_PASSWORD
    assert verdicts == [right, wrong, wrong, right]
    assert [server.binds(person_dn("alice")) for server in pair] == [number + 2 for number in before]


def test_of_real_servers_too_groups_are_those_of_the_person_s_directory(real: Directories, clock: Clock) -> None:
    groups = {entry.directory: entry.groups for entry in real.people() if entry.name == "alice"}
    assert groups == {"corp": frozenset({group_dn("staff")}), "partner": frozenset()}
    assert real.unreadable(group_dn("staff"), clock.soon()) == ""
    assert real.unreadable(group_dn("nobody"), clock.soon()).count("noSuchObject") == 2


def test_each_directory_remembers_by_itself(pair: tuple[Slapd, Slapd], real: Directories, clock: Clock) -> None:
    before = [server.searches() for server in pair]
    for _ in range(3):
        assert isinstance(real.find("bob", None, clock.soon()), Entry)
    # In the first one nobody; in the second the person, and their groups.
    assert [server.searches() - number for server, number in zip(pair, before, strict=True)] == [1, 2]
    figures = [each.directory.figures() for each in real.opened]
    assert [(each.name, each.lookups.hits, each.lookups.misses) for each in figures] == [
        ("corp", 2, 1),
        ("partner", 2, 1),
    ]


def test_a_server_that_does_not_run_is_named(pair: tuple[Slapd, Slapd], clock: Clock, tools: Tools) -> None:
    down = section(tools, "corp", f"ldap://127.0.0.1:{free_port()}")
    up = section(tools, "partner", pair[1].uri, base=PEOPLE)
    with closing(Directories.of(Settings(directory=(down, up), client=(client("vpn"),)), clock)) as directories:
        with pytest.raises(Unavailable, match=r"^directory: corp: .*Connection refused"):
            directories.find("bob", "vpn", clock.soon())
        bob = directories.find("bob@partner.example", "vpn", clock.soon())
        assert isinstance(bob, Entry)
        assert directories.bind(bob, b"of partner", clock.soon()) is BindResult.OK


@pytest.mark.parametrize(
    ("names", "told"), [(("corp",), "^group_filter: "), (("corp", "wrong"), "^wrong: group_filter: ")]
)
def test_a_key_that_is_wrong_is_named_with_its_directory(
    clock: Clock, tools: Tools, names: tuple[str, ...], told: str
) -> None:
    sections = [tools.settings("ldap://localhost", name=name) for name in names]
    sections[-1] = tools.settings("ldap://localhost", name=names[-1], group_filter="({dn}=x)")
    with pytest.raises(ValueError, match=told):
        Directories.of(Settings(directory=tuple(sections), client=(client("vpn"),)), clock)


def renewable(**keys: object) -> Settings:
    sections = [{"name": name, "urls": [f"ldap://{name}.example.org"], "base": SUFFIX} for name in ("one", "two")]
    sections[1] |= keys  # type: ignore[arg-type]
    client = {"name": "vpn", "addresses": ["192.0.2.1"], "secret": b"x" * 24}
    return Settings.model_validate({"directory": sections, "client": [client]})


@pytest.fixture
def now() -> Callable[[], float]:
    return lambda: 0.0


def test_what_is_as_it_was_is_taken_over_and_what_is_not_is_made_anew(now: Callable[[], float]) -> None:
    before = Directories.of(renewable(), now)
    after = before.renewed(renewable(cache_seconds=5.0), now)
    assert after.opened[0] is before.opened[0]
    assert after.opened[1].directory is not before.opened[1].directory
    assert after.opened[1].section.cache_seconds == 5.0


def test_another_password_of_the_service_account_makes_a_directory_anew(now: Callable[[], float]) -> None:
    one, same, other = (renewable(bind_dn="cn=a", bind_password=SecretBytes(each)) for each in (b"1", b"1", b"2"))
    before = Directories.of(one, now)
    assert before.renewed(same, now).opened[1] is before.opened[1]
    assert before.renewed(other, now).opened[1] is not before.opened[1]


def test_what_policies_want_of_people_makes_all_of_them_anew(now: Callable[[], float]) -> None:
    before = Directories.of(renewable(), now)
    after = before.renewed(renewable(), now, Wanted(groups=True))
    assert not {id(each) for each in after.opened} & {id(each) for each in before.opened}


def test_a_renewed_file_of_authorities_makes_a_directory_anew(
    now: Callable[[], float], tmp_path: Path, authority: Authority
) -> None:
    file = tmp_path / "ca.pem"
    text = authority.ca_file.read_text()
    file.write_text(text)
    before = Directories.of(renewable(ca_file=file), now)
    assert before.renewed(renewable(ca_file=file), now).opened == before.opened
    file.write_text(text + "\n" + text)
    after = before.renewed(renewable(ca_file=file), now)
    assert after.opened[0] is before.opened[0]
    assert after.opened[1] is not before.opened[1]
