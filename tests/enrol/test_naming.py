import os

from radius2fa.enrol.naming import new_id


def test_imported_tokens_have_names_of_ten_letters_without_lookalikes() -> None:
    names = {new_id(os.urandom) for _ in range(2000)}
    assert len(names) == 2000
    assert {len(name) for name in names} == {10}
    assert set("".join(names)) == set("abcdefghjkmnpqrstuvwxyz23456789")


def test_a_name_is_as_long_as_is_asked_for() -> None:
    assert new_id(bytes, 8) == "aaaaaaaa"
