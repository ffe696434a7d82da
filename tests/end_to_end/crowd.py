"""People by the dozen, who are in a directory from its start; and what tells that the server has read its socket."""

import uuid
from collections.abc import Iterable

from tests.end_to_end.people import Person, new_seed
from tests.end_to_end.radius import Nas, Reply
from tests.servers.slapd import person_ldif


def crowd(many: int, name: str) -> list[Person]:
    """Make people who are nowhere yet.

    No code of theirs comes twice within what oathtool computed, so that a used one cannot be right again by chance.
    """
    people = [_person(f"{name}{number}") for number in range(many)]
    for person in people:
        while len(set(person.codes)) < len(person.codes):
            person.seed = new_seed()
            del person.codes
    return people


def crowd_ldif(people: Iterable[Person]) -> str:
    """Return the people as a seed for a Slapd."""
    return "".join(person_ldif(each.uid, each.password, entryUUID=each.subject) for each in people)


def repeated(nas: Nas, earlier: Reply) -> bytes:
    """Send a request again that was answered before; return what comes.

    The reactor answers it from memory, whatever the directory does: what was sent before has been read by then.
    """
    return nas.ask(earlier.asked).octets


def _person(uid: str) -> Person:
    return Person(uid, f"password of {uid}".encode(), str(uuid.uuid4()), new_seed())
