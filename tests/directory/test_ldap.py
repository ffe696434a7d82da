"""LDAP over a real slapd, and over a server that does what none should."""

import itertools
import logging
import re
import socket
import string
import threading
import traceback
import unicodedata
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretBytes

from radius2fa.directory.ldap import LdapDirectory
from radius2fa.login.ports import BindResult, Entry, NotFound, Unavailable
from tests.directory.conftest import Clock, Tools
from tests.servers.faulty_ldap import (
    BUSY,
    INVALID_CREDENTIALS,
    REFERRAL,
    SUCCESS,
    Answer,
    Asked,
    FaultyLdap,
    entries,
    hang_up,
    octets,
    reset,
    result,
    silence,
)
from tests.servers.slapd import ADMIN, PEOPLE, SUFFIX, Slapd, person_dn, person_ldif
from tests.servers.tls import Authority

ALICE = Entry("1b4e28ba-2fa1-11d2-883f-0016d3cca427", person_dn("alice"), "alice", "alice", directory="main")
FOUND = (ALICE.dn, {"entryUUID": [ALICE.subject.encode()], "uid": [b"alice"]})
UNAVAILABLE = 52

_numbers = itertools.count()


@pytest.fixture
def tools(driver: str) -> Tools:
    """Settings over each driver."""
    return Tools(driver)


@pytest.fixture
def uid() -> str:
    """A name that nobody has yet: the server is shared."""
    return f"somebody{next(_numbers)}"


@pytest.fixture
def directory(faulty: FaultyLdap, clock: Clock, tools: Tools) -> Iterator[LdapDirectory]:
    """Over the faulty server, in the clear."""
    made = LdapDirectory(tools.settings(faulty.uri, timeout=0.3), clock)
    yield made
    made.close()


@pytest.fixture
def people(slapd: Slapd, clock: Clock, tools: Tools) -> Iterator[LdapDirectory]:
    """Over slapd, by StartTLS."""
    made = LdapDirectory(tools.settings(slapd.uri, ca_file=slapd.ca_file), clock)
    yield made
    made.close()


# Passwords


@pytest.mark.parametrize("password", [b"", b"\0", b"\0\0\0", b"pass\0word", b"password\0"])
def test_an_empty_or_nul_holding_password_is_never_sent(
    faulty: FaultyLdap, directory: LdapDirectory, clock: Clock, password: bytes
) -> None:
    """The server says success to everything: what refuses is ours."""
    assert directory.bind(ALICE, password, clock.soon()) is BindResult.WRONG_PASSWORD
    assert (faulty.connections, faulty.binds) == (0, [])


def test_a_bind_without_a_dn_is_never_sent(faulty: FaultyLdap, directory: LdapDirectory, clock: Clock) -> None:
    nobody = Entry("x", "", "x", "x")
    assert directory.bind(nobody, b"password", clock.soon()) is BindResult.WRONG_PASSWORD
    assert faulty.connections == 0


def test_a_password_is_sent_as_it_is_without_saslprep(
    faulty: FaultyLdap, directory: LdapDirectory, clock: Clock
) -> None:
    """SASLprep would map the space, drop the soft hyphen, and refuse the control character."""
    password = "a\u00a0b\u00adc\x07ﬁ".encode() + b"\xff"
    assert directory.bind(ALICE, password, clock.soon()) is BindResult.OK
    assert faulty.binds == [(ALICE.dn, password)]


def test_invalid_credentials_is_an_enum_and_never_true_by_being_a_tuple(
    faulty: FaultyLdap, directory: LdapDirectory, clock: Clock
) -> None:
    faulty.on_bind = result("bindResponse", INVALID_CREDENTIALS)
    assert directory.bind(ALICE, b"password", clock.soon()) is BindResult.WRONG_PASSWORD


def test_a_bind_is_one_bind(slapd: Slapd, people: LdapDirectory, clock: Clock, uid: str) -> None:
    slapd.add_person(uid, "password")
    entry = people.find(uid, clock.soon())
    assert isinstance(entry, Entry)
    assert people.bind(entry, b"password", clock.soon()) is BindResult.OK
    assert people.bind(entry, b"wrong", clock.soon()) is BindResult.WRONG_PASSWORD
    assert people.bind(entry, b"password", clock.soon()) is BindResult.OK
    assert slapd.binds(entry.dn) == 3


def test_a_verdict_is_never_remembered(slapd: Slapd, people: LdapDirectory, clock: Clock, uid: str) -> None:
    slapd.add_person(uid, "old")
    entry = people.find(uid, clock.soon())
    assert isinstance(entry, Entry)
    assert people.bind(entry, b"old", clock.soon()) is BindResult.OK
    slapd.change(f"dn: {entry.dn}\nchangetype: modify\nreplace: userPassword\nuserPassword: new\n")
    assert people.bind(entry, b"old", clock.soon()) is BindResult.WRONG_PASSWORD
    assert people.bind(entry, b"new", clock.soon()) is BindResult.OK


def test_what_active_directory_says_reaches_the_verdict(
    faulty: FaultyLdap, directory: LdapDirectory, clock: Clock
) -> None:
    faulty.on_bind = result("bindResponse", INVALID_CREDENTIALS, "80090308: LdapErr: x, data 775, v3839")
    assert directory.bind(ALICE, b"password", clock.soon()) is BindResult.ACCOUNT_LOCKED


@pytest.mark.parametrize("code", [1, 2, 3, 8, 10, 13, BUSY, UNAVAILABLE, 80])
def test_a_code_that_says_nothing_of_the_password_is_unavailable(
    faulty: FaultyLdap, directory: LdapDirectory, clock: Clock, code: int
) -> None:
    faulty.on_bind = result("bindResponse", code, "out of order")
    with pytest.raises(Unavailable, match="out of order"):
        directory.bind(ALICE, b"password", clock.soon())
    assert len(faulty.binds) == 1


@pytest.mark.parametrize(
    "answer",
    [
        octets(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        octets(b"0" * 500),
        octets(bytes.fromhex("300c020101610784")),
        octets(bytes.fromhex("308004")),
        lambda message_id: result("bindResponse", SUCCESS)(message_id) + b"0",
        lambda message_id: result("bindResponse", SUCCESS)(message_id) * 2,
        lambda message_id: (
            result("bindResponse", INVALID_CREDENTIALS)(message_id) + result("bindResponse", SUCCESS)(message_id)
        ),
        lambda message_id: entries(FOUND)(message_id) + result("bindResponse", SUCCESS)(message_id),
        lambda message_id: result("bindResponse", SUCCESS)(message_id + 8),
        lambda _message_id: result("bindResponse", SUCCESS)(0),
        result("bindResponse", 4711),
        result("searchResDone", 0),
        result("extendedResp", 0),
        hang_up,
        reset,
        silence,
    ],
)
def test_anything_but_a_bind_response_is_unavailable(
    faulty: FaultyLdap, directory: LdapDirectory, clock: Clock, answer: object
) -> None:
    faulty.on_bind = answer  # type: ignore[assignment]
    with pytest.raises(Unavailable):
        directory.bind(ALICE, b"password", clock.soon())
    assert len(faulty.binds) == 1


# Referrals


@pytest.fixture
def elsewhere() -> Iterator[socket.socket]:
    """A listener that must see no connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        yield listener


def referral_to(listener: socket.socket) -> str:
    return f"ldap://127.0.0.1:{listener.getsockname()[1]}/{SUFFIX}"


def test_a_referral_is_refused_and_never_followed(
    faulty: FaultyLdap, directory: LdapDirectory, clock: Clock, elsewhere: socket.socket
) -> None:
    """ldap3 would have sent the service account's password there, in the clear."""
    faulty.on_search = result("searchResDone", REFERRAL, referral=referral_to(elsewhere))
    with pytest.raises(Unavailable, match="referral"):
        directory.find("alice", clock.soon())
    faulty.on_bind = result("bindResponse", REFERRAL, referral=referral_to(elsewhere))
    with pytest.raises(Unavailable):
        directory.bind(ALICE, b"password", clock.soon())
    with pytest.raises(BlockingIOError):
        elsewhere.accept()


def test_a_reference_among_the_entries_is_passed_by(
    faulty: FaultyLdap, directory: LdapDirectory, clock: Clock, elsewhere: socket.socket
) -> None:
    """Active Directory sends three of them with every search from the domain's root."""
    faulty.on_search = entries(FOUND, elsewhere=referral_to(elsewhere))
    assert directory.find("alice", clock.soon()) == ALICE
    with pytest.raises(BlockingIOError):
        elsewhere.accept()


# Lookups


def test_two_entries_are_asked_for_and_only_two_attributes(
    faulty: FaultyLdap, directory: LdapDirectory, clock: Clock
) -> None:
    assert directory.find("alice", clock.soon()) is NotFound.UNKNOWN
    (request,) = faulty.searches
    assert request == Asked(SUFFIX, 2, 0, 2, 1, ("entryUUID", "uid"))


@pytest.mark.parametrize("answer", [entries(FOUND, FOUND), entries(FOUND, code=4), entries(code=4)])
def test_two_entries_or_a_size_limit_exceeded_are_ambiguous(
    faulty: FaultyLdap, directory: LdapDirectory, clock: Clock, answer: object
) -> None:
    faulty.on_search = answer  # type: ignore[assignment]
    assert directory.find("alice", clock.soon()) is NotFound.AMBIGUOUS


@pytest.mark.parametrize("values", [[], [b""], [b"one", b"two"], [b"\xff\xfe"]])
def test_an_entry_without_one_readable_id_is_unavailable_and_not_remembered(
    faulty: FaultyLdap, directory: LdapDirectory, clock: Clock, values: list[bytes]
) -> None:
    faulty.on_search = entries((ALICE.dn, {"entryUUID": values, "uid": [b"alice"]}))
    with pytest.raises(Unavailable, match="entryUUID: see id_attribute"):
        directory.find("alice", clock.soon())
    faulty.on_search = entries(FOUND)
    assert directory.find("alice", clock.soon()) == ALICE


def test_an_object_guid_is_the_usual_text(faulty: FaultyLdap, clock: Clock, tools: Tools) -> None:
    """The example of RFC 4122 section 3, in the order of octets that Windows keeps (three parts turned round)."""
    guid = bytes.fromhex("f81d4fae7dec11d0a76500a0c91e6bf6")
    kept = guid[3::-1] + guid[5:3:-1] + guid[7:5:-1] + guid[8:]
    faulty.on_search = entries((ALICE.dn, {"objectGUID": [kept], "sAMAccountName": [b"Alice"]}))
    names = {"id_attribute": "objectGUID", "name_attribute": "sAMAccountName"}
    directory = LdapDirectory(tools.settings(faulty.uri, **names), clock)
    entry = directory.find("alice", clock.soon())
    assert entry == Entry("f81d4fae-7dec-11d0-a765-00a0c91e6bf6", ALICE.dn, "Alice", "alice", directory="main")
    faulty.on_search = entries((ALICE.dn, {"objectGUID": [kept[:15]]}))
    with pytest.raises(Unavailable, match="objectGUID"):
        directory.find("bob", clock.soon())
    directory.close()


def test_the_subject_is_the_entry_uuid_in_lower_case(
    slapd: Slapd, people: LdapDirectory, clock: Clock, uid: str
) -> None:
    slapd.add_person(uid, "password")
    entry = people.find(uid, clock.soon())
    assert isinstance(entry, Entry)
    assert entry.subject == slapd.entry_uuid(uid).lower()


def test_without_a_name_attribute_the_typed_name_is_shown(
    faulty: FaultyLdap, directory: LdapDirectory, clock: Clock
) -> None:
    faulty.on_search = entries((ALICE.dn, {"entryUUID": [b"ONE"]}))
    assert directory.find("Alice", clock.soon()) == Entry("one", ALICE.dn, "Alice", "Alice", directory="main")


def test_a_base_that_does_not_exist_is_unavailable(slapd: Slapd, clock: Clock, tools: Tools) -> None:
    directory = LdapDirectory(tools.settings(slapd.uri, ca_file=slapd.ca_file, base="dc=example,dc=net"), clock)
    with pytest.raises(Unavailable, match=r"dc=example,dc=net.*\(10\)|noSuchObject \(32\)"):
        directory.find("alice", clock.soon())
    with pytest.raises(Unavailable):
        directory.probe(clock.soon())
    directory.close()


def test_realms_and_domains_of_ours_lead_to_the_bare_user(slapd: Slapd, clock: Clock, tools: Tools, uid: str) -> None:
    slapd.add_person(uid, "password", mail=f"{uid}@example.net")
    names = {"realms": ("example.org",), "domains": ("EXAMPLE",)}
    text = "(&(objectClass=person)(|(uid={user})(mail={name})))"
    directory = LdapDirectory(tools.settings(slapd.uri, ca_file=slapd.ca_file, user_filter=text, **names), clock)
    typed = (uid, f"{uid}@Example.ORG", f"example\\{uid}", f"{uid}@example.net")
    subjects = {name: directory.find(name, clock.soon()) for name in typed}
    assert {entry.dn for entry in subjects.values() if isinstance(entry, Entry)} == {person_dn(uid)}
    assert len([entry for entry in subjects.values() if isinstance(entry, Entry)]) == 4
    assert directory.find(f"{uid}@example.com", clock.soon()) is NotFound.UNKNOWN
    directory.close()


def test_a_lookup_is_remembered_for_cache_seconds(slapd: Slapd, people: LdapDirectory, clock: Clock, uid: str) -> None:
    slapd.add_person(uid, "password")
    before = slapd.searches()
    first = people.find(uid, clock.soon())
    clock.advance(59)
    assert people.find(uid, clock.soon()) == first
    assert slapd.searches() == before + 1
    clock.advance(2)
    assert people.find(uid, clock.soon()) == first
    assert slapd.searches() == before + 2


def test_a_remembered_nobody_is_asked_for_again_after_cache_seconds(
    slapd: Slapd, people: LdapDirectory, clock: Clock, uid: str
) -> None:
    assert people.find(uid, clock.soon()) is NotFound.UNKNOWN
    slapd.add_person(uid, "password")
    assert people.find(uid, clock.soon()) is NotFound.UNKNOWN
    clock.advance(61)
    assert isinstance(people.find(uid, clock.soon()), Entry)


# A remembered entry that has moved

MOVED = f"uid=alice,ou=staff,{SUFFIX}"


@pytest.fixture
def remembered(faulty: FaultyLdap, directory: LdapDirectory, clock: Clock) -> Entry:
    """Alice, looked up half a minute ago; every password is wrong now, and only the searches since are kept."""
    faulty.on_search = entries(FOUND)
    entry = directory.find("alice", clock.soon())
    assert isinstance(entry, Entry)
    clock.advance(30)
    faulty.on_bind = result("bindResponse", INVALID_CREDENTIALS)
    faulty.binds.clear()
    faulty.searches.clear()
    return entry


def test_a_wrong_password_for_a_remembered_entry_that_stayed_is_one_bind(
    faulty: FaultyLdap, directory: LdapDirectory, clock: Clock, remembered: Entry
) -> None:
    assert directory.bind(remembered, b"password", clock.soon()) is BindResult.WRONG_PASSWORD
    assert [dn for dn, _ in faulty.binds] == [ALICE.dn]
    assert len(faulty.searches) == 1


def test_a_wrong_password_for_an_entry_just_looked_up_is_one_bind_and_no_search(
    faulty: FaultyLdap, directory: LdapDirectory, clock: Clock
) -> None:
    faulty.on_search = entries(FOUND)
    directory.find("alice", clock.soon())
    faulty.searches.clear()
    faulty.on_bind = result("bindResponse", INVALID_CREDENTIALS)
    assert directory.bind(ALICE, b"password", clock.soon()) is BindResult.WRONG_PASSWORD
    assert faulty.searches == []


def test_a_remembered_entry_that_moved_is_bound_once_more_with_the_new_dn(
    faulty: FaultyLdap, directory: LdapDirectory, clock: Clock, remembered: Entry
) -> None:
    faulty.on_search = entries((MOVED, FOUND[1]))
    assert directory.bind(remembered, b"password", clock.soon()) is BindResult.WRONG_PASSWORD
    assert [dn for dn, _ in faulty.binds] == [ALICE.dn, MOVED]


def test_a_moved_person_logs_in_with_a_remembered_entry(
    slapd: Slapd, people: LdapDirectory, clock: Clock, uid: str
) -> None:
    slapd.add_person(uid, "password", cn=uid)
    entry = people.find(uid, clock.soon())
    assert isinstance(entry, Entry)
    slapd.change(f"dn: {entry.dn}\nchangetype: modrdn\nnewrdn: cn={uid}\ndeleteoldrdn: 0\n")
    clock.advance(30)
    assert people.bind(entry, b"password", clock.soon()) is BindResult.OK
    assert (slapd.binds(entry.dn), slapd.binds(f"cn={uid},{PEOPLE}")) == (1, 1)


def test_another_person_who_took_the_name_is_not_bound_for_the_first(
    faulty: FaultyLdap, directory: LdapDirectory, clock: Clock, remembered: Entry
) -> None:
    faulty.on_search = entries((MOVED, {"entryUUID": [b"another"], "uid": [b"alice"]}))
    assert directory.bind(remembered, b"password", clock.soon()) is BindResult.WRONG_PASSWORD
    faulty.on_search = entries()
    assert directory.bind(remembered, b"password", clock.soon()) is BindResult.WRONG_PASSWORD
    assert {dn for dn, _ in faulty.binds} == {ALICE.dn}


# Injection

PIECES = ["*", "(", ")", "\\", "\0", "|", "&", "!", "=", "uid", "inject", "injected", "\\2a", ")(uid=*", "ä", '"', " "]


@pytest.fixture(scope="module")
def injected(slapd: Slapd) -> Slapd:
    slapd.change(person_ldif("inject", "x") + person_ldif("in*ect", "x") + person_ldif("(injected)", "x"), "-a")
    return slapd


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(max_size=40) | st.lists(st.sampled_from(PIECES), max_size=6).map("".join))
def test_any_name_finds_exactly_the_entry_of_that_name_or_none(
    injected: Slapd, people: LdapDirectory, clock: Clock, name: str
) -> None:
    assert injected.port
    found = people.find(name, clock.soon())
    if isinstance(found, Entry):
        assert as_slapd_compares(found.name) == as_slapd_compares(name)
    else:
        assert found is NotFound.UNKNOWN
        assert name.strip(" ").lower() not in ("inject", "in*ect", "(injected)")


def as_slapd_compares(name: str) -> str:
    """The preparation of RFC 4518: case, compatibility forms, what maps to nothing, and the number of spaces."""
    kept = "".join(c for c in name if unicodedata.category(c) not in ("Cc", "Cf") or c in string.whitespace)
    return " ".join(unicodedata.normalize("NFKC", kept).casefold().split())


# Secrets


def test_no_password_is_in_a_log_a_repr_or_a_traceback(
    faulty: FaultyLdap, clock: Clock, tools: Tools, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    service = SecretBytes(b"service-Pa55")
    told: list[str] = []
    for answer in (hang_up, silence, result("bindResponse", BUSY), result("bindResponse", INVALID_CREDENTIALS)):
        faulty.on_bind = faulty.on_service_bind = answer
        directory = LdapDirectory(tools.settings(faulty.uri, bind_password=service, timeout=0.2), clock)
        for ask in (directory.probe, partial(directory.bind, ALICE, b"user-Pa55")):
            try:
                told.append(repr(ask(deadline=clock.soon())))
            except Unavailable as fault:
                told += [repr(fault), str(fault), *traceback.format_exception(fault)]
        told += [repr(directory), repr(vars(directory))]
        directory.close()
    assert (ALICE.dn, b"user-Pa55") in faulty.binds
    assert "Pa55" not in "".join(told) + caplog.text


# The service account


def test_a_refused_service_account_is_not_tried_again_at_once(faulty: FaultyLdap, clock: Clock, tools: Tools) -> None:
    """Neither here nor on another server: it would soon be locked."""
    with FaultyLdap() as other:
        faulty.on_service_bind = other.on_service_bind = result("bindResponse", INVALID_CREDENTIALS)
        directory = LdapDirectory(tools.settings(faulty.uri, other.uri), clock)
        for _ in range(3):
            with pytest.raises(
                Unavailable, match=re.escape(f"the bind of {ADMIN} was refused: invalidCredentials (49)")
            ):
                directory.find("alice", clock.soon())
        assert (faulty.service_binds, other.service_binds) == (1, 0)
        faulty.on_service_bind = result("bindResponse", 0)
        clock.advance(11)
        assert directory.find("alice", clock.soon()) is NotFound.UNKNOWN
        directory.close()


def test_without_a_bind_dn_the_search_is_anonymous(slapd: Slapd, clock: Clock, tools: Tools, uid: str) -> None:
    slapd.add_person(uid, "password")
    nobody = {"bind_dn": "", "bind_password": None}
    directory = LdapDirectory(tools.settings(slapd.uri, ca_file=slapd.ca_file, **nobody), clock)
    before = slapd.binds(ADMIN)
    assert isinstance(directory.find(uid, clock.soon()), Entry)
    assert slapd.binds(ADMIN) == before
    directory.close()


def test_searching_and_binding_never_share_a_connection(
    slapd: Slapd, people: LdapDirectory, clock: Clock, uid: str
) -> None:
    slapd.add_person(uid, "password")
    entry = people.find(uid, clock.soon())
    assert isinstance(entry, Entry)
    people.bind(entry, b"password", clock.soon())
    clock.advance(61)
    people.find(uid, clock.soon())
    bound = re.findall(rf'(conn=\d+) op=\d+ BIND dn="{re.escape(entry.dn)}" method', slapd.log())
    assert len(bound) == 1
    assert re.findall(rf"{bound[0]} op=\d+ SRCH", slapd.log()) == []


# Settings


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("urls", ("http://dc1",), "http://dc1: begins with none of"),
        ("user_filter", "(uid=alice)", "user_filter: "),
        ("bind_password", None, "bind_password: empty"),
        ("bind_password", SecretBytes(b""), "bind_password: empty"),
        ("bind_password", SecretBytes(b"a\0"), "bind_password: empty or with a NUL"),
        ("ca_file", Path("/nonexistent/ca.pem"), "ca_file: /nonexistent/ca.pem cannot be read: No such file"),
        ("ca_file", Path("/etc/hostname"), "ca_file: /etc/hostname holds no certificate in PEM"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_once(
    clock: Clock, tools: Tools, key: str, value: object, fault: str
) -> None:
    wrong = tools.settings("ldap://localhost").model_copy(update={key: value})
    with pytest.raises(ValueError, match=f"^{re.escape(fault)}"):
        LdapDirectory(wrong, clock)


# TLS


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
@pytest.mark.parametrize("scheme", ["ldap", "ldaps"])
def test_tls_is_verified_by_name_and_by_address(
    slapd: Slapd, clock: Clock, tools: Tools, scheme: str, host: str
) -> None:
    port = slapd.tls_port if scheme == "ldaps" else slapd.port
    directory = LdapDirectory(tools.settings(f"{scheme}://{host}:{port}", ca_file=slapd.ca_file), clock)
    directory.probe(clock.soon())
    assert re.findall(r"TLS established tls_ssf=\d+ ssf=\d+ tls_proto=(TLS1\.[23])", slapd.log())[-1:] != []
    directory.close()


@pytest.mark.parametrize(("kind", "fault"), [("expired", "has expired"), ("wrong_name", "mismatch")])
@pytest.mark.parametrize("ldaps", [False, True])
def test_a_certificate_that_is_expired_or_another_s_is_not_accepted(
    authority: Authority, clock: Clock, tools: Tools, kind: str, fault: str, *, ldaps: bool
) -> None:
    certificate = getattr(authority, kind)()
    with Slapd(authority=authority, certificate=certificate) as server:
        url = server.ldaps_uri if ldaps else server.uri
        directory = LdapDirectory(tools.settings(url, ca_file=authority.ca_file), clock)
        with pytest.raises(Unavailable, match=f"the certificate is not accepted.*{fault}"):
            directory.find("alice", clock.soon())
        with pytest.raises(Unavailable, match="the certificate is not accepted"):
            directory.bind(ALICE, b"password", clock.soon())
        assert "BIND" not in server.log()
        directory.close()


def test_an_authority_that_is_not_ours_is_not_accepted(
    slapd: Slapd, clock: Clock, tools: Tools, tmp_path: Path
) -> None:
    other = Authority(tmp_path)
    directory = LdapDirectory(tools.settings(slapd.ldaps_uri, ca_file=other.ca_file), clock)
    with pytest.raises(Unavailable, match="the certificate is not accepted"):
        directory.probe(clock.soon())
    directory.close()


def test_the_system_s_authorities_are_trusted_without_a_ca_file(slapd: Slapd, clock: Clock, tools: Tools) -> None:
    """And ours is none of them: leaving `ca_file` out does not switch the check off."""
    directory = LdapDirectory(tools.settings(slapd.ldaps_uri, start_tls=True), clock)
    with pytest.raises(Unavailable, match="the certificate is not accepted"):
        directory.probe(clock.soon())
    directory.close()


def test_a_server_that_refuses_start_tls_gets_no_password(faulty: FaultyLdap, clock: Clock, tools: Tools) -> None:
    faulty.on_extended = result("extendedResp", 2, "unsupported")
    directory = LdapDirectory(tools.settings(faulty.uri, start_tls=True), clock)
    with pytest.raises(Unavailable, match="StartTLS was refused: protocolError"):
        directory.bind(ALICE, b"password", clock.soon())
    with pytest.raises(Unavailable, match="StartTLS was refused"):
        directory.find("alice", clock.soon())
    assert faulty.binds == []
    directory.close()


@pytest.mark.parametrize(
    ("behind", "fault"),
    [
        (octets(b""), "no TLS"),
        (octets(b"injected"), "no answer in time|an answer to another question"),
        (result("extendedResp", SUCCESS), "an answer to another question"),
        (
            lambda message_id: result("bindResponse", SUCCESS)(message_id + 1),
            "the answer cannot be read|an answer to another question",
        ),
    ],
)
def test_octets_slipped_in_before_tls_or_no_tls_at_all_get_no_password(
    faulty: FaultyLdap, clock: Clock, tools: Tools, behind: Answer, fault: str
) -> None:
    faulty.on_extended = lambda message_id: result("extendedResp", SUCCESS)(message_id) + behind(message_id)
    directory = LdapDirectory(tools.settings(faulty.uri, start_tls=True, timeout=0.2), clock)
    with pytest.raises(Unavailable, match=fault):
        directory.bind(ALICE, b"password", clock.soon())
    assert faulty.binds == []
    directory.close()


def test_ldaps_to_a_server_that_never_shakes_hands_ends_in_time(clock: Clock, tools: Tools) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"ldaps://127.0.0.1:{mute.getsockname()[1]}"
        directory = LdapDirectory(tools.settings(url, timeout=0.2), clock)
        with pytest.raises(Unavailable, match="no TLS in time"):
            directory.bind(ALICE, b"password", clock.soon())
        directory.close()


@pytest.mark.parametrize("ldaps", [False, True])
def test_tcp_nodelay_is_set_before_the_bind(slapd: Slapd, clock: Clock, tools: Tools, *, ldaps: bool) -> None:
    url = slapd.ldaps_uri if ldaps else slapd.uri
    directory = LdapDirectory(tools.settings(url, ca_file=slapd.ca_file), clock)
    directory.probe(clock.soon())
    ((connection,),) = directory._searching._idle.values()
    assert connection._wire._stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    directory.close()


# Status-Server


def test_a_probe_reads_the_base_and_no_more(faulty: FaultyLdap, directory: LdapDirectory, clock: Clock) -> None:
    directory.probe(clock.soon())
    (request,) = faulty.searches
    assert (request.base, request.scope, request.attributes) == (SUFFIX, 0, ("1.1",))


# The end


def test_close_from_another_thread_leaves_no_connection(
    faulty: FaultyLdap, directory: LdapDirectory, clock: Clock
) -> None:
    directory.probe(clock.soon())
    directory.bind(ALICE, b"password", clock.soon())
    closing = threading.Thread(target=directory.close)
    closing.start()
    closing.join(5)
    for ask in (directory.probe, lambda deadline: directory.bind(ALICE, b"password", deadline)):
        with pytest.raises(Unavailable, match="closed"):
            ask(clock.soon())
    assert faulty.connections == 2


def test_a_connection_in_use_at_the_close_is_closed_with_its_answer(
    faulty: FaultyLdap, directory: LdapDirectory, clock: Clock
) -> None:
    asked, answer = threading.Event(), threading.Event()

    def slowly(message_id: int) -> bytes | None:
        asked.set()
        answer.wait(5)
        return result("bindResponse", 0)(message_id)

    faulty.on_bind = slowly
    verdicts: list[BindResult] = []
    login = threading.Thread(target=lambda: verdicts.append(directory.bind(ALICE, b"password", clock.soon())))
    login.start()
    assert asked.wait(5) is True
    directory.close()
    answer.set()
    login.join(5)
    assert verdicts == [BindResult.OK]
    assert directory._binding._idle == {}
