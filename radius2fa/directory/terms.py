"""Owns what is asked of a directory, and what it answers, in our own terms: whichever library carries it."""

from dataclasses import dataclass
from enum import Enum, auto

NO_ATTRIBUTES = "1.1"  # RFC 4511 section 4.5.1.8

# The names of RFC 4511 section 4.1.9 for what is met with in the field; any other has its number alone.
_NAMES = {
    0: "success",
    1: "operationsError",
    2: "protocolError",
    3: "timeLimitExceeded",
    4: "sizeLimitExceeded",
    7: "authMethodNotSupported",
    8: "strongerAuthRequired",
    10: "referral",
    11: "adminLimitExceeded",
    12: "unavailableCriticalExtension",
    13: "confidentialityRequired",
    16: "noSuchAttribute",
    17: "undefinedAttributeType",
    18: "inappropriateMatching",
    19: "constraintViolation",
    21: "invalidAttributeSyntax",
    32: "noSuchObject",
    34: "invalidDNSyntax",
    48: "inappropriateAuthentication",
    49: "invalidCredentials",
    50: "insufficientAccessRights",
    51: "busy",
    52: "unavailable",
    53: "unwillingToPerform",
    80: "other",
}
# The errors of the password policy control that a bind can meet (draft-behera-ldap-password-policy section 6.2).
_POLICY_ERRORS = {0: "passwordExpired", 1: "accountLocked", 2: "changeAfterReset"}


class Scope(Enum):
    """How far below its base a search goes (RFC 4511 section 4.5.1.2)."""

    BASE = auto()
    SUBTREE = auto()


@dataclass(frozen=True, slots=True)
class Page:
    """A part of what a search finds: at most `size` entries, behind those of the page that ended with `cookie`."""

    size: int
    cookie: bytes = b""


@dataclass(frozen=True, slots=True)
class Search:
    """What to search. `filter` is text (RFC 4515); limits are entries and seconds, or 0.

    Aliases are never dereferenced. With `manage_dsa_it`, entries that are referrals are entries like others (RFC 3296).
    """

    base: str
    scope: Scope
    filter: str
    attributes: tuple[str, ...]
    size_limit: int
    time_limit: int
    page: Page | None = None
    manage_dsa_it: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """An entry that a search found. The attributes' names are in lower case."""

    dn: str
    attributes: dict[str, tuple[bytes, ...]]


@dataclass(frozen=True, slots=True)
class Result:
    """The LDAPResult that ends an operation (RFC 4511 section 4.1.9): its code, and what the server said to it.

    `cookie` asks for the next page; it is empty where there is none. `policy` is the error of a password policy
    (draft-behera-ldap-password-policy section 6.2), where the answer to a bind names one that can be read.
    `referred` tells that a search met references to other servers, which nobody follows.
    """

    code: int
    diagnosis: str
    cookie: bytes = b""
    policy: int | None = None
    referred: bool = False

    def __str__(self) -> str:
        """Return it for a log line: one line of bounded length, whatever the server sent."""
        name = _NAMES.get(self.code, "result")
        said = "".join(c if c.isprintable() else " " for c in self.diagnosis[:200]).strip()
        policy = "" if self.policy is None else f", {_POLICY_ERRORS.get(self.policy, f'policy error {self.policy}')}"
        return f"{name} ({self.code}){policy}" + (f": {said}" if said else "")
