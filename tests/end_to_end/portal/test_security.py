"""What an attacker tries at the portal, by HTTP alone, as no browser would speak it."""

import contextlib
import re
import socket
import ssl
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import chain
from urllib.parse import urlencode, urlsplit

import pytest

from tests.end_to_end.people import Person
from tests.end_to_end.portal.conftest import an_address
from tests.end_to_end.portal.office import Office
from tests.servers.portal import Answer, Caller

SESSION, STEP, FORM = (f"__Host-radius2fa-{name}" for name in ("session", "step", "form"))
EVIL = "https://evil.example"


@pytest.fixture
def call(office: Office) -> Iterator["Call"]:
    with ExitStack() as callers:
        yield Call(office, callers)


class Call:
    """Makes callers, each of its own address."""

    def __init__(self, office: Office, callers: ExitStack) -> None:
        self._office = office
        self._callers = callers

    def __call__(self, address: str = "") -> Caller:
        return self._callers.enter_context(self._office.portal.caller(address or an_address()))

    def signed_in(self, person: Person) -> Caller:
        """Return a caller who has signed in with password and code."""
        caller = self()
        answer = sign_in(caller, person.uid, person.password.decode(), person.code().decode())
        assert answer.status == 303, answer.text
        return caller


def field(page: Answer) -> str:
    """Return the field that proves a form to be the portal's own."""
    return re.findall(r'name="form" value="([0-9a-f]+)"', page.text)[0]


def name_and_password(caller: Caller, name: str, password: str) -> Answer:
    fields = {"form": field(caller.get("/signin")), "name": name, "password": password}
    return caller.post("/signin", fields)


def sign_in(caller: Caller, name: str, password: str, code: str) -> Answer:
    answer = name_and_password(caller, name, password)
    assert answer.headers["Location"] == "/signin/code"
    return caller.post("/signin/code", {"form": field(caller.get("/signin/code")), "code": code})


def is_in(caller: Caller) -> bool:
    """Tell whether a caller is signed in, as a page says that only those get who are."""
    return caller.get("/tokens").status == 200


# ---- requests in somebody else's name


def test_no_change_is_made_by_a_form_from_elsewhere(office: Office, call: Call) -> None:
    alice = call.signed_in(office.house.person())
    ours = field(alice.get("/tokens"))
    theirs = field(call().get("/signin"))
    for fields, headers in (
        ({}, {}),
        ({"form": theirs}, {}),
        ({"form": ours}, {"Origin": EVIL}),
        ({"form": ours}, {"Origin": "null"}),
        ({"form": ours}, {"Origin": office.portal.url + "0"}),
        ({"form": ours}, {"Sec_Fetch_Site": "cross-site"}),
        ({"form": ours}, {"Sec_Fetch_Site": "same-site"}),
    ):
        assert alice.post("/signout", fields, **headers).status == 403
    assert is_in(alice)
    assert alice.post("/signout", {"form": ours}, Origin=office.portal.url).status == 303
    assert not is_in(alice)


def test_a_name_and_a_password_count_only_from_our_own_form(office: Office, call: Call) -> None:
    mallory, alice = call(), office.house.person()
    typed = {"name": alice.uid, "password": alice.password.decode()}
    assert mallory.post("/signin", typed).status == 403
    mallory.get("/signin")
    assert mallory.post("/signin", typed | {"form": "0" * 64}).status == 403
    assert mallory.post("/signin", typed | {"form": field(call().get("/signin"))}).status == 403
    assert office.house.journal(alice.uid) == []


def test_only_a_form_by_its_method_makes_a_change(office: Office, call: Call) -> None:
    alice = call.signed_in(office.house.person())
    ours = field(alice.get("/tokens"))
    for method in ("GET", "PUT", "DELETE", "PATCH", "HEAD"):
        assert alice.ask(method, "/signout", {"form": ours}, {}).status == 405
    override = {"X_HTTP_Method_Override": "POST", "X_Method_Override": "POST"}
    assert alice.get(f"/signout?form={ours}&_method=POST", **override).status == 405
    assert alice.ask("TRACE", "/tokens", None, {}).status in (405, 501)
    assert is_in(alice)


# ---- sessions


def test_nobody_is_signed_in_by_a_cookie_that_somebody_else_has_chosen(office: Office, call: Call) -> None:
    alice, victim = office.house.person(), call()
    chosen = "A" * 43
    victim.cookies[SESSION] = victim.cookies[FORM] = chosen
    sign_in(victim, alice.uid, alice.password.decode(), alice.code().decode())
    assert is_in(victim)
    assert chosen not in victim.cookies.values()
    mallory = call()
    mallory.cookies[SESSION] = chosen
    assert not is_in(mallory)


def test_signing_in_anew_ends_the_session_that_was_there(office: Office, call: Call) -> None:
    alice, bob = office.house.person(), office.house.person()
    caller, old = call.signed_in(alice), call()
    old.cookies[SESSION] = caller.cookies[SESSION]
    assert is_in(old)
    form = field(caller.get("/tokens"))
    assert caller.post("/signin", {"form": form, "name": bob.uid, "password": bob.password.decode()}).status == 303
    assert caller.post("/signin/code", {"form": form, "code": bob.code().decode()}).status == 303
    assert f"Signed in as {bob.uid}" in caller.get("/tokens").text
    assert not is_in(old)


def test_a_cookie_is_worth_nothing_after_the_sign_out(office: Office, call: Call) -> None:
    alice, thief = call.signed_in(office.house.person()), call()
    thief.cookies[SESSION] = alice.cookies[SESSION]
    assert is_in(thief)
    alice.post("/signout", {"form": field(alice.get("/tokens"))})
    assert not is_in(thief)


def test_the_database_holds_nothing_that_a_cookie_can_be_made_of(office: Office, call: Call) -> None:
    alice = call.signed_in(office.house.person())
    rows = office.house.query("SELECT * FROM session")
    assert rows
    assert alice.cookies[SESSION] not in repr(rows)


def test_cookies_go_to_this_host_alone_and_to_no_script(office: Office, call: Call) -> None:
    alice, caller = office.house.person(), call()
    first = caller.get("/signin")
    second = name_and_password(caller, alice.uid, alice.password.decode())
    code = {"form": field(caller.get("/signin/code")), "code": alice.code().decode()}
    third = caller.post("/signin/code", code)
    for answer, name in ((first, FORM), (second, STEP), (third, SESSION)):
        value, flags = answer.cookies[name]
        assert value
        assert (flags["path"], flags["samesite"], flags["secure"], flags["httponly"]) == ("/", "Strict", "", "")
        assert "domain" not in flags
    assert 0 < int(second.cookies[STEP][1]["max-age"]) <= 120
    assert caller.cookies.keys() == {SESSION}


# ---- headers


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 303),
        ("/signin", 200),
        ("/signin/code", 303),
        ("/tokens", 303),
        ("/static/style.css", 200),
        ("/none", 404),
        ("/signout", 405),
        ("/static/../world.py", 404),
        ("/health", 200),
    ],
)
def test_every_answer_forbids_frames_and_foreign_content(path: str, status: int, call: Call) -> None:
    answer = call().get(path)
    assert answer.status == status
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["form-action"] == policy["script-src"] == policy["style-src"] == "'self'"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert re.fullmatch(r"max-age=\d{8}", answer.headers["Strict-Transport-Security"])
    assert path.startswith("/static/style") or answer.headers["Cache-Control"] == "no-store"
    assert not re.search(r"(?i)werkzeug|twisted|python|\d\.\d", answer.headers.get("Server", ""))


@pytest.mark.parametrize("host", ["evil.example", "evil.example:443", "localhost@evil.example", "a b", '"><b>'])
def test_a_host_that_is_not_ours_comes_into_no_page_and_no_redirect(host: str, call: Call) -> None:
    for path in ("/", "/signin", "/none", "/tokens"):
        for headers in ({"Host": host}, {"X_Forwarded_Host": host}):
            answer = call().get(path, **headers)
            assert answer.status in (200, 303, 400, 403, 404)
            assert "evil" not in answer.text + answer.headers.get("Location", "")
            assert "<b>" not in answer.text


ELSEWHERE = (
    EVIL,
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    "/../..//evil.example",
    "/tokens\r\nSet-Cookie: evil=1",
    "",
)


def test_nobody_is_sent_elsewhere_or_gets_another_header(office: Office, call: Call) -> None:
    """By the one parameter that says where to go next, on the page that asks for a code once more."""
    alice = office.house.person()
    caller = call.signed_in(alice)
    for back in ELSEWHERE:
        page = caller.get("/confirm?" + urlencode({"back": back}))
        ends = [page.headers.get("Location", "/")]
        if page.status == 200:
            fields = {"form": field(page), "back": back, "code": alice.code().decode()}
            ends.append(caller.post("/confirm?" + urlencode({"back": back}), fields).headers.get("Location", "/"))
        for end in ends:
            where = urlsplit(end)
            assert (where.scheme, where.netloc) == ("", ""), end
            assert re.match(r"/(?![/\\])[^\\\s]*$", end), end
    assert "evil" not in caller.cookies


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\0", "\u2028", "%0d%0a"])
def test_a_name_that_ends_a_line_ends_no_header(end: str, call: Call) -> None:
    caller = call()
    answer = name_and_password(caller, f"mallory{end}Set-Cookie: evil=1", "x")
    assert answer.status in (303, 401)
    assert caller.cookies.keys() <= {FORM, STEP}
    shown = caller.get("/signin/code")
    assert "evil" not in shown.cookies
    for path in ("/%0d%0aSet-Cookie:%20evil=1", "/tokens?done=%0d%0aSet-Cookie:%20evil=1", "/signin?done=%3Cb%3E"):
        answer = caller.get(path)
        assert "evil" not in answer.cookies
        assert "<b>" not in answer.text


def test_who_comes_without_encryption_gets_no_page(office: Office) -> None:
    where = urlsplit(office.portal.url)
    with socket.create_connection(("127.0.0.1", where.port or 0), 5) as plain:
        plain.sendall(b"GET /signin HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert b"<form" not in plain.recv(4096)


def test_old_versions_of_tls_are_refused(office: Office) -> None:
    where = urlsplit(office.portal.url)
    context = ssl.create_default_context(cafile=str(office.portal.authority.ca_file))
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.deprecated_call():
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", where.port or 0), 5) as plain, pytest.raises(OSError, match="alert"):
        context.wrap_socket(plain, server_hostname="localhost")


# ---- too many tries


def test_one_address_that_tries_too_often_has_to_wait_and_no_other(office: Office, call: Call) -> None:
    """Also where it tells of other addresses behind it, which nobody has to believe."""
    address, alice = an_address(), office.house.person()
    callers = [call(f"203.0.113.{number}, {address}") for number in range(8)]
    forms = [{"form": field(caller.get("/signin")), "name": "", "password": "x"} for caller in callers]

    def tries(caller: Caller, form: dict[str, str]) -> list[int]:
        return [caller.post("/signin", form).status for _ in range(11)]

    began = time.monotonic()
    with ThreadPoolExecutor(len(callers)) as threads:
        answers = Counter(chain.from_iterable(threads.map(tries, callers, forms)))
    refilled = time.monotonic() - began  # one try for each second
    assert answers.keys() == {401, 429}
    assert 60 <= answers[401] <= 61 + refilled
    assert is_in(call.signed_in(alice))
