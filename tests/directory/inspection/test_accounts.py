"""How often an inspection tries a service account with a wrong password."""

import pytest
from pydantic import SecretBytes

from radius2fa.config.model import Directory
from radius2fa.directory.drivers import driver_of
from radius2fa.directory.endpoint import parse_url
from radius2fa.directory.inspection.accounts import Accounts
from radius2fa.directory.ldap import dialling_of
from radius2fa.directory.link import dial
from radius2fa.login.ports import Unavailable
from tests.directory.conftest import Clock, Tools
from tests.servers.faulty_ldap import INVALID_CREDENTIALS, FaultyLdap, result


def bind(accounts: Accounts, settings: Directory, clock: Clock) -> None:
    (url,) = settings.urls
    connection = dial(driver_of(settings.driver, dialling_of(settings, clock)), parse_url(url), clock.soon())
    try:
        accounts.of(settings).bind(connection, clock.soon())
    finally:
        connection.close()


def test_an_account_that_was_refused_is_not_tried_again_however_long_the_inspection_takes(
    faulty: FaultyLdap, clock: Clock, tools: Tools
) -> None:
    """Each server may cost its ten seconds, and so the rest of a running server would be over."""
    faulty.on_service_bind = result("bindResponse", INVALID_CREDENTIALS)
    accounts, settings = Accounts(clock), tools.settings(faulty.uri)
    for each in (settings, settings.model_copy(update={"name": "of the same account"})):
        with pytest.raises(Unavailable, match="was refused"):
            bind(accounts, each, clock)
        clock.advance(3600)
    assert faulty.service_binds == 1


def test_another_password_is_another_account(faulty: FaultyLdap, clock: Clock, tools: Tools) -> None:
    faulty.on_service_bind = result("bindResponse", INVALID_CREDENTIALS)
    accounts = Accounts(clock)
    for password in (b"one", b"two"):
        with pytest.raises(Unavailable, match="was refused"):
            bind(accounts, tools.settings(faulty.uri, bind_password=SecretBytes(password)), clock)
    assert faulty.service_binds == 2


def test_accounts_without_a_password_are_those_of_their_directories(tools: Tools, clock: Clock) -> None:
    accounts = Accounts(clock)
    for account in ({"bind_dn": "", "bind_password": None}, {"bind_method": "external", "bind_password": None}):
        settings = tools.settings("ldapi:///", **account)  # type: ignore[arg-type]
        other = settings.model_copy(update={"name": "other"})
        assert accounts.of(settings) is accounts.of(settings)
        assert accounts.of(settings) is not accounts.of(other)
