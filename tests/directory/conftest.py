"""What the tests of the directory share: a real slapd, settings for it, and a clock that can be put forward."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretBytes

from radius2fa.config.model import Directory
from tests.servers import samba as active_directory
from tests.servers.faulty_ldap import FaultyLdap
from tests.servers.samba import Samba
from tests.servers.slapd import ADMIN, ADMIN_PASSWORD, SUFFIX, Slapd
from tests.servers.tls import Authority

DRIVERS = ("ldap3", "libldap")


class Clock:
    """Monotonic seconds, which can be put forward."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self._ahead

    def advance(self, seconds: float) -> None:
        """Put it forward."""
        self._ahead += seconds

    def soon(self, seconds: float = 4.0) -> float:
        """A deadline."""
        return self() + seconds


class Tools:
    """What most tests need, over one driver."""

    def __init__(self, driver: str = "ldap3") -> None:
        self._driver = driver

    def settings(self, *urls: str, ca_file: Path | None = None, **others: object) -> Directory:
        """Settings for a slapd's administrator; without `ca_file` in the clear, and with short time-outs."""
        values: dict[str, object] = {
            "driver": self._driver,
            "urls": urls,
            "base": SUFFIX,
            "ca_file": ca_file,
            "start_tls": ca_file is not None,
            "bind_dn": ADMIN,
            "bind_password": SecretBytes(ADMIN_PASSWORD.encode()),
            **others,
        }
        return Directory.model_validate(values)

    def settings_of(self, samba: Samba, **others: object) -> Directory:
        """Settings for the administrator of an Active Directory, with StartTLS."""
        values: dict[str, object] = {
            "ca_file": samba.ca_file,
            "base": active_directory.PEOPLE,
            "group_base": active_directory.GROUPS,
            "bind_dn": active_directory.ADMIN,
            "bind_password": SecretBytes(active_directory.ADMIN_PASSWORD.encode()),
            "user_filter": active_directory.USER_FILTER,
            "id_attribute": "objectGUID",
            "name_attribute": "sAMAccountName",
            "realms": ("example.org",),
            "domains": ("EXAMPLE",),
            # It has one process and a queue of ten connections: Linux offers one that found no place again in a second.
            "connect_timeout": 4.0,
            "timeout": 4.0,
            **others,
        }
        return self.settings(samba.uri, **values)  # type: ignore[arg-type]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tools() -> Tools:
    return Tools()


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> str:
    """The library that carries LDAP, as the key `driver` names it: a test that takes this is run over each.

    So is every test of a module that has `tools` made from it.
    """
    return str(request.param)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def slapd(authority: Authority) -> Iterator[Slapd]:
    """One server for all tests, which add people of their own and leave it running."""
    with Slapd(authority=authority) as server:
        yield server


@pytest.fixture(scope="session")
def samba(authority: Authority) -> Iterator[Samba]:
    """One domain controller, likewise."""
    with Samba(authority) as server:
        yield server


@pytest.fixture
def faulty() -> Iterator[FaultyLdap]:
    with FaultyLdap() as server:
        yield server
