import pytest

from radius2fa.login.reason import Reason


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_remedy_in_a_whole_sentence(reason: Reason) -> None:
    assert reason.remedy[0].isupper()
    assert reason.remedy.endswith(".")
    assert len(reason.remedy) > 15
