import pytest
from hypothesis import given
from hypothesis import strategies as st
from ldap3.operation.search import compile_filter, parse_filter
from ldap3.utils.asn1 import encode
from ldap3.utils.conv import escape_filter_chars

from radius2fa.directory.filters import GroupFilter, UserFilter, escaped, presence


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


@pytest.mark.parametrize(
    ("text", "everybody"),
    [
        ("(&(objectClass=person)(uid={user}))", "(&(objectClass=person)(uid=*))"),
        ("(|(uid={user})(mail={name}))", "(|(uid=*)(mail=*))"),
        ("(userPrincipalName={user}@example.org)", "(userPrincipalName=*@example.org)"),
        ("(cn=x*{user}*y)", "(cn=x*y)"),
        ("(cn={user}{name})", "(cn=*)"),
        (r"(&(cn=\2a*)(uid={user}))", r"(&(cn=\2a*)(uid=*))"),
        ("(&(!(pwdReset>=1))(uid={user})(a:1.2.3:=4))", "(&(!(pwdReset>=1))(uid=*)(a:1.2.3:=4))"),
    ],
)
def test_a_filter_that_everybody_passes_has_an_asterisk_for_the_name(text: str, everybody: str) -> None:
    assert UserFilter(text).anybody() == everybody


@pytest.mark.parametrize(
    "text",
    [
        "(!(uid={user}))",
        "(&(objectClass=person)(!(|(ou=x)(uid={user}))))",
        "( ! (uid={user}))",
        "(&(uid={user})(!(mail={name})))",
        "(uid~={user})",
        "(uid>={user})",
        "(|(cn=x)(uid<={name}))",
        "(uid:2.5.13.2:={user})",
        "(uid:dn:={user})",
    ],
)
def test_where_no_filter_is_passed_by_everybody_it_is_said(text: str) -> None:
    """Presence would find fewer: `(!(uid=*))` is passed by those without a uid alone."""
    with pytest.raises(ValueError, match=r"^user_filter: .*: people can be listed by \(attribute=\{user\}\) only"):
        UserFilter(text).anybody()


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_dn_and_a_name_are_put_in_as_the_escapes_of_rfc_4515_would(dn: str, user: str) -> None:
    text = "(|(member={dn})(uniqueMember={dn})(&(objectClass=posixGroup)(memberUid={user})))"
    filled = text.replace("{user}", "\1").replace("{dn}", every_octet_escaped(dn))
    assert by_ldap3(GroupFilter(text).fill([dn], user)) == by_ldap3(filled.replace("\1", every_octet_escaped(user)))


def test_the_groups_of_several_dns_are_those_of_any_of_them() -> None:
    filled = GroupFilter("(member={dn})").fill(["cn=a,dc=x", "cn=*)(x=,dc=x"], "")
    expected = f"(|(member={every_octet_escaped('cn=a,dc=x')})(member={every_octet_escaped('cn=*)(x=,dc=x')}))"
    assert by_ldap3(filled) == by_ldap3(expected)


def test_active_directory_s_search_in_chain_takes_a_dn() -> None:
    chain = GroupFilter("(member:1.2.840.113556.1.4.1941:={dn})")
    assert (chain.takes_dn, chain.takes_user) == (True, False)
    escapes = every_octet_escaped("cn=a\\,b,dc=x")
    expected = by_ldap3(f"(member:1.2.840.113556.1.4.1941:={escapes})")
    assert by_ldap3(chain.fill(["cn=a\\,b,dc=x"], "")) == expected


def test_a_group_filter_tells_what_it_takes() -> None:
    posix = GroupFilter("(memberUid={user})")
    assert (posix.takes_dn, posix.takes_user) == (False, True)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("(cn=staff)", "neither {dn} nor {user} is in it"),
        ("(member={name})", "neither {dn} nor {user} is in it"),
        ("({dn}=x)", "stands where only a value may"),
        ("(member={dn}", "invalid filter"),
        (r"(member=cn=\{dn})", r"the character itself is \5c"),
    ],
)
def test_a_group_filter_that_cannot_serve_is_refused_with_its_text(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=r"^group_filter: ") as refusal:
        GroupFilter(text)
    assert fault in str(refusal.value)
