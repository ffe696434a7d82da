import pytest
from hypothesis import given
from hypothesis import strategies as st
from ldap3.operation.search import compile_filter, parse_filter
from ldap3.utils.asn1 import encode
from ldap3.utils.conv import escape_filter_chars

from radius2fa.directory.filters import UserFilter, escaped, presence


def by_ldap3(text: str) -> bytes:
    """The octets that a server gets."""
    return bytes(encode(compile_filter(parse_filter(text, None, False, False, None, False).elements[0])))  # noqa: FBT003 - ldap3's


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_name_is_put_in_as_the_escapes_of_rfc_4515_would(name: str, user: str) -> None:
    text = "(&(objectClass=person)(|(uid={user})(mail={name})(cn=x*{user}*y))(!(ou={user}-{name})))"
    filled = text.replace("{user}", "\1").replace("{name}", "\2")
    filled = filled.replace("\1", every_octet_escaped(user)).replace("\2", every_octet_escaped(name))
    assert by_ldap3(UserFilter(text).fill(name, user)) == by_ldap3(filled)


def every_octet_escaped(name: str) -> str:
    """RFC 4515 section 3 allows any octet to be escaped; so there is nothing that an encoder could get wrong."""
    return "".join(f"\\{octet:02x}" for octet in name.encode())


@pytest.mark.parametrize(
    "name", ["*", "(", ")", "\\", "\0", "ä", "\\2a", "a)(uid=*", "{name}", "{user}", " a ", "*)(!(uid=x"]
)
def test_each_character_that_means_something_in_a_filter_means_nothing_in_a_name(name: str) -> None:
    expected = by_ldap3(f"(uid={every_octet_escaped(name)})")
    assert by_ldap3(UserFilter("(uid={user})").fill("typed", name)) == expected


def test_escape_filter_chars_of_ldap3_agrees_on_the_five_characters() -> None:
    assert escaped("*()\\\0") == escape_filter_chars("*()\\\0")


def test_escaped_blanks_are_kept_which_ldap3_would_drop() -> None:
    assert escaped(" a\t") == "\\20a\\09"
    assert b" a\t" in by_ldap3(UserFilter("(uid={user})").fill("", " a\t"))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("(uid=alice)", "neither {user} nor {name} is in it"),
        ("({user}=x)", "stands where only a value may"),
        ("(&(objectClass=person)({user}={user}))", "stands where only a value may"),
        ("(uid={user}", "user_filter: (uid={user}"),
        ("uid={user}", "invalid filter"),
        ("", "invalid filter"),
        (r"(uid=DOMAIN\{user})", r"the character itself is \5c"),
        (r"(uid=\5g{user})", r"the character itself is \5c"),
        ("(&(cn=\\ff*)(uid={user}))", "no UTF-8"),
        ("(uid={user})(cn=x)", "missing boolean operator"),
    ],
)
def test_a_filter_that_cannot_serve_is_refused_with_its_text(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=r"^user_filter: ") as refusal:
        UserFilter(text)
    assert fault in str(refusal.value)


def test_a_presence_filter_is_that_of_rfc_4515() -> None:
    assert presence("objectClass") == "(objectClass=*)"


def test_a_backslash_of_the_filter_itself_is_no_part_of_the_name_behind_it() -> None:
    filled = UserFilter(r"(uid=DOMAIN\5c{user})").fill("", "2a")
    assert b"DOMAIN\\2a" in by_ldap3(filled)
