"""What the tests of commands start from: alice and bob in a directory, a person at the command line, a far zone."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.helpdesk import Helpdesk
from tests.servers.slapd import Slapd, person_ldif


@pytest.fixture(scope="module")
def slapd() -> Iterator[Slapd]:
    with Slapd(seed=person_ldif("alice", "secret") + person_ldif("bob", "secret")) as running:
        yield running


@pytest.fixture
def desk(tmp_path: Path, slapd: Slapd) -> Helpdesk:
    return Helpdesk(tmp_path, slapd)


@pytest.fixture
def in_auckland() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "NZST-12NZDT,M9.5.0,M4.1.0/3"  # needs no files of time zones
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()
