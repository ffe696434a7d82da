import pytest

from radius2fa.directory.names import bare_user, is_within


@pytest.mark.parametrize(
    ("name", "user"),
    [
        ("alice", "alice"),
        ("alice@example.org", "alice"),
        ("alice@EXAMPLE.ORG", "alice"),
        ("alice@example.net", "alice@example.net"),
        ("alice@home@example.org", "alice@home"),
        ("@example.org", "@example.org"),
        ("alice@", "alice@"),
        ("CORP\\alice", "alice"),
        ("corp\\alice", "alice"),
        ("OTHER\\alice", "OTHER\\alice"),
        ("CORP\\", "CORP\\"),
        ("CORP\\OTHER\\alice", "OTHER\\alice"),
        ("CORP\\alice@example.org", "CORP\\alice"),
        ("", ""),
    ],
)
def test_only_a_realm_or_domain_of_ours_is_removed_and_only_one(name: str, user: str) -> None:
    assert bare_user(name, ("example.org",), ("CORP",)) == user


def test_without_realms_and_domains_a_name_stays_whole() -> None:
    assert bare_user("CORP\\alice@example.org", (), ()) == "CORP\\alice@example.org"


@pytest.mark.parametrize(
    ("name", "within"),
    [
        ("alice", False),
        ("alice@Example.ORG", True),
        ("alice@example.net", False),
        ("@example.org", False),
        ("corp\\alice", True),
        ("OTHER\\alice", False),
    ],
)
def test_a_realm_or_domain_of_ours_makes_a_name_one_of_ours(name: str, within: bool) -> None:  # noqa: FBT001 - a case
    assert is_within(name, ("example.org",), ("CORP",)) is within
