import pytest

from radius2fa.directory.diagnosis import verdict_of
from radius2fa.directory.terms import Result
from radius2fa.login.ports import BindResult


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        ("525", BindResult.WRONG_PASSWORD),
        ("52e", BindResult.WRONG_PASSWORD),
        ("52E", BindResult.WRONG_PASSWORD),
        ("530", BindResult.NOT_NOW),
        ("531", BindResult.NOT_NOW),
        ("532", BindResult.PASSWORD_EXPIRED),
        ("533", BindResult.ACCOUNT_DISABLED),
        ("701", BindResult.ACCOUNT_EXPIRED),
        ("773", BindResult.PASSWORD_MUST_CHANGE),
        ("775", BindResult.ACCOUNT_LOCKED),
        ("57", BindResult.WRONG_PASSWORD),
        ("999", BindResult.WRONG_PASSWORD),
    ],
)
def test_active_directory_tells_the_cause_in_its_message(data: str, verdict: BindResult) -> None:
    said = f"80090308: LdapErr: DSID-0C09042A, comment: AcceptSecurityContext error, data {data}, v3839"
    assert verdict_of(Result(49, said)) is verdict


@pytest.mark.parametrize(
    ("code", "said", "verdict"),
    [
        (0, "", BindResult.OK),
        (49, "", BindResult.WRONG_PASSWORD),
        (49, "password expired!", BindResult.PASSWORD_EXPIRED),
        (32, "", BindResult.WRONG_PASSWORD),
        (19, "Exceed password retry limit. Please try later.", BindResult.ACCOUNT_LOCKED),
        (53, "Account inactivated. Contact system administrator.", BindResult.ACCOUNT_DISABLED),
        (53, "Account expired", BindResult.ACCOUNT_EXPIRED),
        (53, "unauthenticated bind (DN with no password) disallowed", BindResult.REFUSED),
        (19, "", BindResult.REFUSED),
        (48, "", BindResult.REFUSED),
        (50, "", BindResult.REFUSED),
    ],
)
def test_a_code_and_its_words_give_a_verdict(code: int, said: str, verdict: BindResult) -> None:
    assert verdict_of(Result(code, said)) is verdict


@pytest.mark.parametrize("code", [1, 2, 3, 8, 10, 11, 13, 14, 51, 52, 80, 118, 4711, -1])
def test_any_other_code_says_nothing_of_the_password(code: int) -> None:
    assert verdict_of(Result(code, "data 52e, success, ok")) is None


def test_no_code_but_0_is_ok() -> None:
    assert [code for code in range(-1, 4096) if verdict_of(Result(code, "success")) is BindResult.OK] == [0]


@pytest.mark.parametrize(
    ("code", "policy", "verdict"),
    [
        (49, 0, BindResult.PASSWORD_EXPIRED),
        (49, 1, BindResult.ACCOUNT_LOCKED),
        (19, 1, BindResult.ACCOUNT_LOCKED),
        (0, 2, BindResult.PASSWORD_MUST_CHANGE),
        (49, 3, BindResult.WRONG_PASSWORD),
        (49, 255, BindResult.WRONG_PASSWORD),
        (0, 8, BindResult.OK),
    ],
)
def test_the_error_of_a_password_policy_says_more_than_the_code(code: int, policy: int, verdict: BindResult) -> None:
    """The numbers are those of draft-behera-ldap-password-policy section 6.2."""
    assert verdict_of(Result(code, "", policy=policy)) is verdict


def test_no_policy_makes_a_success_or_a_verdict_of_what_is_none() -> None:
    successes = {
        (code, policy)
        for code in range(128)
        for policy in range(256)
        if verdict_of(Result(code, "", policy=policy)) is BindResult.OK
    }
    assert successes == {(0, policy) for policy in range(3, 256)}
    assert {verdict_of(Result(code, "", policy=1)) for code in (1, 2, 10, 51, 52, 80)} == {None}
