r"""Owns the forms in which people type their names: `user`, `user@realm`, `DOMAIN\user`."""

from collections.abc import Iterable


def bare_user(name: str, realms: Iterable[str], domains: Iterable[str]) -> str:
    """Return the name without a realm or domain that is ours; a foreign one stays part of the user.

    Realms and domains are compared without regard to case. At most one of the two is removed.
    """
    user, at, realm = name.rpartition("@")
    if at and user and _among(realm, realms):
        return user
    domain, backslash, user = name.partition("\\")
    if backslash and user and _among(domain, domains):
        return user
    return name


def is_within(name: str, realms: Iterable[str], domains: Iterable[str]) -> bool:
    """Tell whether the name has a realm or domain that is ours, and so means somebody of ours."""
    return bare_user(name, realms, domains) != name


def _among(word: str, words: Iterable[str]) -> bool:
    return word.casefold() in {each.casefold() for each in words}
