"""Owns what policies tell a client beyond the acceptance: attributes, made ready at start-up, and their faults."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from radius2fa.config.faults import Finding, Key
from radius2fa.config.model import ByGroup, FromLdap, Policy, ReplyValue, Settings
from radius2fa.config.places import shipped
from radius2fa.login.dn import normal_dn
from radius2fa.login.policy import Reply, Unfit, no_reply
from radius2fa.login.ports import Entry
from radius2fa.radius.attributes import ReplyAttribute
from radius2fa.radius.definition import Attribute
from radius2fa.radius.dictionary import Dictionary

Attributes = tuple[ReplyAttribute, ...]
_Part = Callable[[Entry], Attributes]  # what becomes of one key of a reply
_SITE = ("server", "dictionaries")

# Octets that the attributes of one policy may take. A packet has 4096 at most (RFC 2865 section 3), and what finds no
# room in it is left out: a filter that is missing would widen rights. So 1024 are kept free: for the header (20), the
# Message-Authenticator (18), a Class of any length (255), and 731 of Proxy-State, more than two of the longest.
MOST_OCTETS = 3072
_NOBODY = Entry("", "", "", "")  # is told what everybody is told


@dataclass(frozen=True, slots=True)
class Replies:
    """The replies of the policies, by their names, as far as they can be made; `faults` says what cannot, and why."""

    by_policy: Mapping[str, Reply] = field(default_factory=dict)
    faults: tuple[Finding, ...] = ()


class UnusableReplies(ValueError):  # noqa: N818 - named by what is wrong
    """The policies speak of attributes or values that cannot be sent; `faults` says of which."""

    def __init__(self, faults: tuple[Finding, ...]) -> None:
        """Take every fault of the replies."""
        super().__init__("; ".join(fault.message for fault in faults))
        self.faults = faults


def replies(settings: Settings) -> Replies:
    """Make the replies of all policies. The dictionaries are read once, and only if there is something to say."""
    if not any(policy.reply for policy in settings.policy):
        return Replies()
    try:
        dictionary = Dictionary.load(shipped("dictionaries"), *settings.server.dictionaries)
    except ValueError as wrong:
        return Replies(faults=(Finding(_SITE, str(wrong), "Correct that file, or take it out of the list."),))
    faults: list[Finding] = []
    made = {
        policy.name: _reply(policy, ("policy", place, "reply"), dictionary, faults)
        for place, policy in enumerate(settings.policy)
    }
    return Replies(made, tuple(faults))


def _reply(policy: Policy, key: Key, dictionary: Dictionary, faults: list[Finding]) -> Reply:
    """Return what makes a policy's attributes, in the order of the file."""
    parts: list[_Part] = []
    for name, value in policy.reply.items():
        try:
            attribute = dictionary.attribute(name)
        except ValueError as wrong:
            remedy = "Correct the name, or give the dictionary that it stands in as server.dictionaries."
            faults.append(Finding((*key, name), str(wrong), remedy))
            continue
        parts.append(_part(attribute, value, (*key, name), faults))
    reply = _joined(parts)
    try:
        reply(_NOBODY)
    except Unfit as wrong:
        faults.append(Finding(key, str(wrong), "Leave out some of the attributes, or shorten them."))
    return reply


def _joined(parts: list[_Part]) -> Reply:
    if not parts:
        return no_reply
    return lambda entry: _fitting(tuple(each for part in parts for each in part(entry)))


def _fitting(attributes: Attributes) -> Attributes:
    """Return the attributes if there is room for all of them.

    Raises:
        Unfit: there is not; the first one without room is named.

    """
    taken = 0
    for attribute in attributes:
        taken += attribute.size
        if taken > MOST_OCTETS:
            raise Unfit(
                f"{attribute.name}: no room, since the attributes of a reply may take {MOST_OCTETS} octets together"
            )
    return attributes


def _part(attribute: Attribute, value: ReplyValue, key: Key, faults: list[Finding]) -> _Part:
    match value:
        case FromLdap(ldap=name):
            return _from_ldap(attribute, name)
        case ByGroup(groups=values, first=first):
            made = (
                (normal_dn(dn), _encoded(attribute, [each], (*key, "groups", dn), faults))
                for dn, each in values.items()
            )
            return _by_group(dict(made), 1 if first else None)
        case tuple():
            return _constant(_encoded(attribute, value, key, faults))
        case _:
            return _constant(_encoded(attribute, [value], key, faults))


def _encoded(attribute: Attribute, values: Iterable[str | int], key: Key, faults: list[Finding]) -> Attributes:
    """Return the values that can be sent; the others are faults."""

    def each() -> Iterator[ReplyAttribute]:
        for value in values:
            try:
                yield attribute.encode(value)
            except ValueError as wrong:
                faults.append(Finding(key, str(wrong), "Correct the value."))

    return tuple(each())


def _constant(attributes: Attributes) -> _Part:
    return lambda _: attributes


def _by_group(values: Mapping[str, Attributes], most: int | None) -> _Part:
    def reply(entry: Entry) -> Attributes:
        mine = (attributes for group, attributes in values.items() if group in entry.groups)
        return tuple(each for attributes in islice(mine, most) for each in attributes)

    return reply


def _from_ldap(attribute: Attribute, name: str) -> _Part:
    lower = name.lower()

    def reply(entry: Entry) -> Attributes:
        try:
            return tuple(map(attribute.encode, entry.attributes.get(lower, ())))
        except ValueError as wrong:
            raise Unfit(f"{wrong} ({name} of the entry)") from None

    return reply
