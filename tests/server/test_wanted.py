"""What the directory is asked for, by what the policy speaks of."""

import pytest

from radius2fa.directory.wanted import Wanted
from radius2fa.server.wanted import wanted
from tests.server.configured import policy, settings

STAFF = "cn=staff,dc=example,dc=org"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, Wanted()),
        ({"networks": ["::1"], "reply": {"Class": "x"}}, Wanted()),
        ({"users": ["alice"]}, Wanted(names=True)),
        ({"groups": [STAFF]}, Wanted(groups=True)),
        ({"required_groups": [STAFF]}, Wanted(groups=True)),
        ({"reply": {"Class": {"groups": {STAFF: "x"}}}}, Wanted(groups=True)),
        ({"reply": {"Class": {"ldap": "ou"}}}, Wanted(attributes=frozenset({"ou"}))),
        (
            {"reply": {"Class": {"ldap": "ou"}, "Filter-Id": {"ldap": "departmentNumber"}}, "groups": [STAFF]},
            Wanted(groups=True, attributes=frozenset({"ou", "departmentNumber"})),
        ),
    ],
)
def test_only_what_some_policy_speaks_of_is_fetched(keys: dict[str, object], expected: Wanted) -> None:
    assert wanted(settings(policy("first"), policy(**keys))) == expected
