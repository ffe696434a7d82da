import pytest
from hypothesis import given
from hypothesis import strategies as st
from ldap3.operation.search import compile_filter, parse_filter
from ldap3.utils.asn1 import encode
from ldap3.utils.conv import escape_filter_chars

from radius2fa.directory.filters import UserFilter, presence


def by_ldap3(text: str) -> bytes:
    return bytes(encode(compile_filter(parse_filter(text, None, True, False, None, False).elements[0])))  # noqa: FBT003 - ldap3's


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_name_is_put_in_as_the_escapes_of_rfc_4515_would(name: str, user: str) -> None:
    text = "(&(objectClass=person)(|(uid={user})(mail={name})(cn=x*{user}*y))(!(ou={user}-{name})))"
    escaped = text.replace("{user}", "\1").replace("{name}", "\2")
    escaped = escaped.replace("\1", every_octet_escaped(user)).replace("\2", every_octet_escaped(name))
    assert UserFilter(text).encode(name, user) == by_ldap3(escaped)


def every_octet_escaped(name: str) -> str:
    """RFC 4515 section 3 allows any octet to be escaped; so there is nothing that an encoder could get wrong."""
    return "".join(f"\\{octet:02x}" for octet in name.encode())


@pytest.mark.parametrize("name", ["*", "(", ")", "\\", "\0", "ä", "\\2a", "a)(uid=*", "{name}", "{user}"])
def test_each_character_that_means_something_in_a_filter_means_nothing_in_a_name(name: str) -> None:
    expected = by_ldap3(f"(uid={every_octet_escaped(name)})")
    assert UserFilter("(uid={user})").encode("typed", name) == expected


def test_escape_filter_chars_of_ldap3_agrees_on_the_five_characters() -> None:
    assert UserFilter("(uid={user})").encode("", "*()\\\0") == by_ldap3(
        f"(uid={escape_filter_chars('*()' + chr(92) + chr(0))})"
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("(uid=alice)", "neither {user} nor {name} is in it"),
        ("({user}=x)", "stands where only a value may"),
        ("(&(objectClass=person)({user}={user}))", "stands where only a value may"),
        ("(uid={user}", "user_filter: (uid={user}"),
        ("uid={user}", "invalid filter"),
        ("", "invalid filter"),
        ("(uid={user})(cn=x)", "missing boolean operator"),
    ],
)
def test_a_filter_that_cannot_serve_is_refused_with_its_text(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=r"^user_filter: ") as refusal:
        UserFilter(text)
    assert fault in str(refusal.value)


def test_a_presence_filter_has_the_octets_of_ldap3() -> None:
    assert presence("objectClass") == by_ldap3("(objectClass=*)")
