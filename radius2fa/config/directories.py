"""Owns the checks of several directories against each other, and against the clients that may use them."""

from collections.abc import Collection, Iterator, Mapping

from radius2fa.config.faults import Finding
from radius2fa.config.model import Client, Directory

# Ids that are made to be unique everywhere, by the attributes that directories keep them in: RFC 4530, Active
# Directory, FreeIPA, 389 Directory Server, eDirectory.
UNIQUE_EVERYWHERE = ("entryUUID", "objectGUID", "ipaUniqueID", "nsUniqueId", "GUID")


def faults(
    directories: Mapping[int, Directory], clients: Mapping[int, Client], names: Collection[str]
) -> Iterator[Finding]:
    """Yield what makes the directories unusable together although each is right by itself.

    `names` are all names of directories, also of those that are not right by themselves.
    """
    if len(directories) > 1:
        for place, directory in directories.items():
            yield from _id(place, directory)
    known = {each.name for each in directories.values()} | set(names)
    for place, client in clients.items():
        for name in (name for name in client.directories or () if name not in known):
            remedy = f"Known: {', '.join(sorted(known)) or '-'}."
            yield Finding(("client", place, "directories"), f"no directory is named {name!r}", remedy)


def warnings(directories: Mapping[int, Directory], clients: Mapping[int, Client]) -> Iterator[Finding]:
    """Yield what works and is hardly meant."""
    own = [_own(client, directories) for client in clients.values()] or [tuple(directories.values())]
    for place, directory in directories.items():
        key = ("directory", place)
        if not any(directory in each for each in own):
            message = "is never asked: every client names the directories of its users, and none names this one"
            yield Finding(key, message, f"Add {directory.name!r} to the key directories of a client, or take it out.")
        elif not any(_is_asked(directory, each) for each in own):
            message = "is never asked: others are the default, and it has neither realms nor domains"
            yield Finding(key, message, "Give it realms or domains, or say default = true in it as well.")


def _id(place: int, directory: Directory) -> Iterator[Finding]:
    """Ask for an id that no other directory gives to somebody else: the token would open for both."""
    if directory.id_attribute.lower() not in {name.lower() for name in UNIQUE_EVERYWHERE}:
        message = f"{directory.id_attribute} may be the same in two directories, and tokens belong to whoever has it"
        remedy = f"With several directories, name one of {', '.join(UNIQUE_EVERYWHERE)}."
        yield Finding(("directory", place, "id_attribute"), message, remedy)


def _own(client: Client, directories: Mapping[int, Directory]) -> tuple[Directory, ...]:
    """Return those that the client may use."""
    names = client.directories
    return tuple(each for each in directories.values() if names is None or each.name in names)


def _is_asked(directory: Directory, own: Collection[Directory]) -> bool:
    """Tell whether a client that may use its own, these, can have a name looked for there."""
    defaults = [each for each in own if each.default]
    return directory in own and (directory in (defaults or own) or bool(directory.realms or directory.domains))
