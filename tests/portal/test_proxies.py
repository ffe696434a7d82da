from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from radius2fa.portal.proxies import Asker, Told, asker, behind

OURS = (ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/48"))


def who(peer: str, forwarded_for: str = "", *, proto: str = "", host: str = "", https: bool = False) -> Asker:
    return asker(peer, Told(forwarded_for, proto, host), OURS, https=https)


@pytest.mark.parametrize("peer", ["198.51.100.7", "2001:db8:2::1", "11.0.0.1"])
def test_a_stranger_is_who_they_are_whatever_they_tell(peer: str) -> None:
    assert who(peer, "10.0.0.1, 192.0.2.1", proto="https", host="evil.example") == Asker(peer, https=False)
    assert who(peer, "192.0.2.1", proto="http", https=True) == Asker(peer, https=True)


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "address"),
    [
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "192.0.2.66, 198.51.100.7", "198.51.100.7"),  # what a client wrote itself stands further left
        ("10.0.0.1", "198.51.100.7, 10.0.0.2,10.9.9.9", "198.51.100.7"),
        ("10.0.0.1", "10.1.1.1, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
        ("2001:db8:1::1", "2001:db8:2::7", "2001:db8:2::7"),
        ("2001:db8:1::1", "2001:DB8:2::0007", "2001:db8:2::7"),
        ("10.0.0.1", "2001:db8:2::7, 2001:db8:1::9", "2001:db8:2::7"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),  # somebody within
        ("::ffff:10.0.0.1", "::ffff:198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "198.51.100.7:4711", "198.51.100.7"),
        ("10.0.0.1", "[2001:db8:2::7]:4711", "2001:db8:2::7"),
        ("10.0.0.1", "[2001:db8:2::7]", "2001:db8:2::7"),
    ],
)
def test_of_a_proxy_that_is_trusted_the_address_is_taken(peer: str, forwarded_for: str, address: str) -> None:
    assert who(peer, forwarded_for).address == address


@pytest.mark.parametrize("garbage", ["unknown", "_hidden", "198.51.100.7 10.0.0.2", "1.2.3", "::1::", ";", "256.1.1.1"])
def test_what_is_no_address_ends_the_list(garbage: str) -> None:
    assert who("10.0.0.1", garbage).address == "10.0.0.1"
    assert who("10.0.0.1", f"198.51.100.7, {garbage}").address == "10.0.0.1"
    assert who("10.0.0.1", f"198.51.100.7, {garbage}, 10.0.0.2").address == "10.0.0.2"
    assert who("10.0.0.1", f"{garbage}, 198.51.100.7").address == "198.51.100.7"


@pytest.mark.parametrize(
    ("proto", "https", "expected"),
    [
        ("https", False, True),
        ("HTTPS", False, True),
        ("http", True, False),
        ("", True, True),
        ("", False, False),
        ("gopher", False, False),
        ("gopher", True, True),
    ],
)
def test_a_proxy_tells_whether_it_was_asked_by_https(proto: str, https: bool, expected: bool) -> None:  # noqa: FBT001 - cases
    assert who("10.0.0.1", "198.51.100.7", proto=proto, https=https).https is expected


def test_of_several_proxies_the_outermost_knows_how_it_was_asked() -> None:
    assert who("10.0.0.1", "198.51.100.7, 10.0.0.2", proto="https, http", host="p.example, in.example") == Asker(
        "198.51.100.7", https=True, host="p.example"
    )
    assert who("10.0.0.1", "198.51.100.7, 10.0.0.2", proto="https").https
    # The one proxy adds to what its client wrote.
    assert not who("10.0.0.1", "198.51.100.7", proto="https, http").https


@pytest.mark.parametrize("host", ["portal.example.org", "portal.example.org:8443", "[2001:db8::1]:443", "192.0.2.1"])
def test_a_proxy_tells_the_host_that_was_asked_for(host: str) -> None:
    assert who("10.0.0.1", "198.51.100.7", host=host).host == host


@pytest.mark.parametrize("host", ["", "a b", "a/b", "a\r\nSet-Cookie: x", "user@a", "a:b", "é.example"])
def test_what_is_no_host_is_none(host: str) -> None:
    assert who("10.0.0.1", "198.51.100.7", host=host).host is None


addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))
ours = st.one_of(
    st.ip_addresses(network="10.0.0.0/8"),
    st.ip_addresses(network="2001:db8:1::/48"),
)


def plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


@given(st.lists(addresses, max_size=4), addresses, st.lists(ours, max_size=4), ours)
def test_whatever_a_client_writes_it_is_known_by_where_the_first_proxy_saw_it(
    written: list[IPv4Address], client: IPv4Address, proxies: list[IPv4Address], peer: IPv4Address
) -> None:
    """The client's own address is the one that the outermost proxy added, unless that is a proxy of ours itself."""
    if any(plain(client) in network for network in OURS):
        return
    header = ", ".join(map(str, (*written, client, *proxies)))
    assert who(str(peer), header).address == str(plain(client))


@given(st.text(), st.text(), st.text(), st.text())
@example("fe80::1%\n", "\u0661\u0660.0.0.1", "https", "h")
@example("10.0.0.1", "fe80::1%\n", "https", "h\n")
def test_no_text_in_a_header_breaks_anything(peer: str, a: str, b: str, c: str) -> None:
    assert isinstance(who(peer, a, proto=b, host=c), Asker)
    trusted = who("10.0.0.1", a, proto=b, host=c)
    assert str(ip_address(trusted.address)) == trusted.address
    assert trusted.host is None or trusted.host.isprintable()


def asked(environ: Mapping[str, object], *, https_only: bool = True) -> tuple[str, dict[str, object]]:
    seen: dict[str, object] = {}
    statuses: list[str] = []

    def page(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        seen.update(environ)
        start_response("200 OK", [])
        return [b"page"]

    def start_response(status: str, _: list[tuple[str, str]], __: object = None) -> object:
        statuses.append(status)
        return None

    body = b"".join(behind(page, OURS, https_only=https_only)(dict(environ), start_response))  # type: ignore[arg-type]  # what it returns is not used
    assert (body == b"page") is (statuses == ["200 OK"])
    return statuses[0], seen


BY_PROXY = {
    "REMOTE_ADDR": "10.0.0.1",
    "HTTP_HOST": "inside:8443",
    "HTTP_X_FORWARDED_FOR": "198.51.100.7",
    "HTTP_X_FORWARDED_PROTO": "https",
    "HTTP_X_FORWARDED_HOST": "portal.example.org",
    "wsgi.url_scheme": "http",
    "PATH_INFO": "/",
}


def test_the_application_sees_who_really_asks() -> None:
    status, seen = asked(BY_PROXY)
    assert status == "200 OK"
    assert seen["REMOTE_ADDR"] == "198.51.100.7"
    assert seen["wsgi.url_scheme"] == "https"
    assert seen["HTTP_HOST"] == "portal.example.org"


def test_without_https_there_is_no_page_but_the_one_for_monitors() -> None:
    plainly = {**BY_PROXY, "HTTP_X_FORWARDED_PROTO": "http"}
    assert asked(plainly)[0] == "403 Forbidden"
    assert asked({**BY_PROXY, "REMOTE_ADDR": "198.51.100.9"})[0] == "403 Forbidden"
    assert asked({**plainly, "PATH_INFO": "/health"})[0] == "200 OK"
    assert asked(plainly, https_only=False)[0] == "200 OK"
