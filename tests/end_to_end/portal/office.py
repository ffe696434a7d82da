"""An office for people who enrol: a house for logins with its portal, and those who work at the helpdesk."""

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.end_to_end.house import House, Ready, client, directory_section
from tests.end_to_end.people import Person
from tests.servers.portal import Portal, portal_section
from tests.servers.program import Section, Value
from tests.servers.slapd import GROUPS, Slapd, group_dn
from tests.servers.tls import Authority, Certificate

CLIENTS = (
    client("appended", "127.0.0.1"),
    client("challenge", "127.0.0.2", code="challenge"),
    client("either", "127.0.0.3", code="either"),
)


class Office:
    """`radius2fa serve` and `radius2fa portal` over one database. Use as a context manager.

    `portal` are keys of its section; with `staff` the groups of the helpdesk and of the administrators have their
    rights.
    """

    def __init__(
        self,
        folder: Path,
        slapd: Slapd,
        ready: Ready,
        *,
        authority: Authority,
        certificate: Certificate,
        clients: Iterable[Section] = CLIENTS,
        **portal: Value,
    ) -> None:
        section = portal_section(certificate, **portal)
        directory = directory_section(slapd, group_base=GROUPS, cache_seconds=0)
        more = [("[codes]", {"issuer": "Example Corp"}), ("[portal]", section)]
        self.house = House(folder, slapd, ready, clients=clients, directory=directory, more=more)
        self.portal = Portal(self.house.program, str(section["url"]), authority)

    def __enter__(self) -> Self:
        self.house.__enter__()
        self.portal.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.portal.__exit__(kind, error, at)
        self.house.__exit__(kind, error, at)


class Staff:
    """Helen of the helpdesk and Ada, who administrates: in groups of the directory. Each has a token."""

    HELPDESK, ADMINS = group_dn("helpdesk"), group_dn("admins")

    def __init__(self, office: Office) -> None:
        self.helen: Person = office.house.person("helen")
        self.ada: Person = office.house.person("ada")
        office.house.slapd.add_group("helpdesk", self.helen.dn)
        office.house.slapd.add_group("admins", self.ada.dn)
