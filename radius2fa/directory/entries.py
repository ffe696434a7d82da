"""Owns what of an entry's attributes makes a person: the stable id, the name, and what the policy speaks of."""

import uuid

from radius2fa.config.model import Directory
from radius2fa.directory.terms import Found
from radius2fa.directory.wanted import NOTHING_MORE, Wanted
from radius2fa.login.policy import folded
from radius2fa.login.ports import Entry, Unavailable

OBJECT_SID = "objectsid"
PRIMARY_GROUP_ID = "primarygroupid"


def attributes_to_ask_for(settings: Directory, wanted: Wanted) -> tuple[str, ...]:
    """Return the attributes of a search for people, each once: the id, the name, and then the others.

    Where groups are wanted, those are among them that tell the primary group in Active Directory. Other servers leave
    out what they do not know (RFC 4511 section 4.5.1.8).
    """
    own = (settings.id_attribute, settings.name_attribute)
    known = {name.lower() for name in own}
    others = {name.lower() for name in wanted.attributes}
    if wanted.groups:
        others |= {OBJECT_SID, PRIMARY_GROUP_ID}
    return own + tuple(sorted(others - known))


def entry_of(found: Found, typed: str, settings: Directory, wanted: Wanted = NOTHING_MORE) -> Entry:
    """Return the person whom a search found by the name `typed`, without groups.

    Raises:
        Unavailable: when the entry has not exactly one value of the id attribute, or an unusable one, or a name
            or an attribute of the policy's that cannot be read.

    """
    values = found.attributes.get(settings.id_attribute.lower(), ())
    subject = _subject(values[0], settings.id_attribute) if len(values) == 1 else ""
    if not subject:
        cause = f"{found.dn!r} has not one readable {settings.id_attribute}: see id_attribute, and the account's rights"
        raise Unavailable("directory", cause)
    name, *_ = (*found.attributes.get(settings.name_attribute.lower(), ()), typed.encode())
    attributes = attributes_of(found, wanted) if wanted.attributes else {}
    names = frozenset(map(folded, own_names_of(found, settings))) if wanted.names else frozenset()
    shown = name.decode(errors="replace")
    return Entry(subject, found.dn, shown, typed, attributes=attributes, names=names, directory=settings.name)


def attributes_of(found: Found, wanted: Wanted) -> dict[str, tuple[str, ...]]:
    """Return those of the wanted attributes that the entry has, by their names in lower case.

    Subtypes that a server sends along, such as `cn;lang-de` with `cn`, are attributes of their own (RFC 4512 2.5).

    Raises:
        Unavailable: when one has a value that is no text, or more values than the server sends.

    """
    read = {name: _texts(found, name) for name in sorted({name.lower() for name in wanted.attributes})}
    return {name: values for name, values in read.items() if values}


def shown_name_of(found: Found, settings: Directory) -> str:
    """Return the entry's name to be shown, or its DN where it has none."""
    values = found.attributes.get(settings.name_attribute.lower(), ())
    return values[0].decode(errors="replace") if values else found.dn


def own_names_of(found: Found, settings: Directory) -> tuple[str, ...]:
    """Return the entry's names as the directory has them: never as somebody typed one.

    A rule for a user would be escaped by another spelling, such as user@realm.

    Raises:
        Unavailable: when there is none, or it is no text.

    """
    values = _texts(found, settings.name_attribute.lower())
    if not values:
        raise Unavailable("directory", f"{found.dn!r} has no readable {settings.name_attribute}: see name_attribute")
    return values


def _texts(found: Found, name: str) -> tuple[str, ...]:
    """Return all values of an attribute as text, in the server's order.

    A value that is no UTF-8, or a part of the values, is not left out: a rule that sees fewer values than there are may
    give somebody more rights than they have.

    Raises:
        Unavailable: when they cannot all be had.

    """
    if any(each.startswith(f"{name};range=") for each in found.attributes):
        # Active Directory's way to send some of very many values ([MS-ADTS] 3.1.1.3.1.3.3).
        raise Unavailable("directory", f"{found.dn!r} has more values of {name} than the server sends at once")
    try:
        return tuple(value.decode() for value in found.attributes.get(name, ()))
    except UnicodeDecodeError:
        raise Unavailable("directory", f"{found.dn!r} has a value of {name} that is no UTF-8 text") from None


def _subject(value: bytes, attribute: str) -> str:
    """Return the id as text, or "" where it is none.

    Active Directory keeps an objectGUID as 16 octets, the first three parts in little-endian order ([MS-DTYP] 2.3.4).
    """
    try:
        return str(uuid.UUID(bytes_le=value)) if attribute.lower() == "objectguid" else value.decode().strip().lower()
    except ValueError:
        return ""
