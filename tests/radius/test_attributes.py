import pytest

from radius2fa.radius.attributes import ReplyAttribute, shown


@pytest.mark.parametrize(
    ("attribute", "text"),
    [
        (ReplyAttribute("Filter-Id", 11, b"staff"), "Filter-Id = staff"),
        (ReplyAttribute("Reply-Message", 18, "gr\u00fcn".encode()), "Reply-Message = 0x6772c3bc6e"),
        (ReplyAttribute("Session-Timeout", 27, bytes.fromhex("00007080")), "Session-Timeout = 28800"),
        (ReplyAttribute("Tunnel-Type", 64, bytes.fromhex("00000d"), tag=1), "Tunnel-Type:1 = 13"),
        (ReplyAttribute("Framed-IPv6-Prefix", 97, bytes(18)), f"Framed-IPv6-Prefix = 0x{'00' * 18}"),
        (ReplyAttribute("Tunnel-Password", 69, b"canary", tag=0, salted=True), "Tunnel-Password:0 = (a secret)"),
    ],
)
def test_an_attribute_is_shown_as_people_write_it_and_never_a_secret(attribute: ReplyAttribute, text: str) -> None:
    assert shown(attribute) == text
