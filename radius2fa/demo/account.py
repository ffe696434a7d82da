"""Owns the shape of the demo's directory: its branches, and the accounts and groups in them."""

from dataclasses import dataclass, field

SUFFIX = "dc=example,dc=org"
PEOPLE = f"ou=people,{SUFFIX}"
SERVICES = f"ou=services,{SUFFIX}"
GROUPS = f"ou=groups,{SUFFIX}"
BRANCHES = (PEOPLE, SERVICES, GROUPS)


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who can bind: a person or a service. `parent` is the DN of the branch that holds the entry."""

    uid: str
    name: str
    uuid: str
    password: bytes = field(repr=False)
    parent: str = PEOPLE
    disabled: bool = False

    @property
    def dn(self) -> str:
        """The distinguished name."""
        return f"uid={self.uid},{self.parent}"


@dataclass(frozen=True, slots=True)
class Group:
    """A group of accounts, of which there is at least one."""

    name: str
    members: tuple[Account, ...]

    @property
    def dn(self) -> str:
        """The distinguished name."""
        return f"cn={self.name},{GROUPS}"
