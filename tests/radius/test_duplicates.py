"""protocol.md, "Duplicates" (RFC 5080 section 2.2.2). Time is a number, and nothing waits."""

from radius2fa.radius.duplicates import FULL, IN_PROGRESS, Duplicates, Key, Ticket

A, B = b"a" * 16, b"b" * 16


def key(identifier: int = 1, port: int = 50000, address: str = "192.0.2.7", listener: str = "udp4") -> Key:
    return (listener, address, port, identifier)


def begun(duplicates: Duplicates, which: Key, authenticator: bytes = A, client: str = "vpn", when: float = 0) -> Ticket:
    ticket = duplicates.begin(which, authenticator, client, when)
    assert isinstance(ticket, Ticket)
    return ticket


def test_a_repeated_request_gets_the_same_octets_again() -> None:
    duplicates = Duplicates()
    ticket = begun(duplicates, key())
    assert duplicates.answered(ticket, b"reply", 1) is True
    assert duplicates.begin(key(), A, "vpn", 2) == b"reply"
    assert duplicates.begin(key(), A, "vpn", 3) == b"reply"


def test_a_repeated_request_in_progress_is_dropped_however_long_that_takes() -> None:
    duplicates = Duplicates()
    begun(duplicates, key())
    assert duplicates.begin(key(), A, "vpn", 2) is IN_PROGRESS
    assert duplicates.begin(key(), A, "vpn", 3600) is IN_PROGRESS


def test_listener_address_port_and_identifier_tell_requests_apart() -> None:
    duplicates = Duplicates()
    begun(duplicates, key())
    for other in (key(identifier=2), key(port=50001), key(address="192.0.2.8"), key(listener="udp6")):
        begun(duplicates, other)
    assert duplicates.in_progress() == 5


def test_another_authenticator_is_a_new_request_and_the_late_result_of_the_old_one_is_abandoned() -> None:
    duplicates = Duplicates()
    old = begun(duplicates, key(), A)
    new = begun(duplicates, key(), B, when=1)
    assert duplicates.in_progress() == 1
    assert duplicates.answered(old, b"old", 2) is False
    assert duplicates.begin(key(), B, "vpn", 3) is IN_PROGRESS
    assert duplicates.answered(new, b"new", 4) is True
    assert duplicates.begin(key(), B, "vpn", 5) == b"new"


def test_another_authenticator_supersedes_an_answered_request_too() -> None:
    duplicates = Duplicates()
    duplicates.answered(begun(duplicates, key(), A), b"old", 0)
    begun(duplicates, key(), B, when=1)
    assert duplicates.begin(key(), B, "vpn", 2) is IN_PROGRESS
    assert duplicates.in_progress() == 1


def test_the_old_request_again_after_a_new_one_is_a_new_one_itself() -> None:
    duplicates = Duplicates()
    first = begun(duplicates, key(), A)
    begun(duplicates, key(), B)
    again = begun(duplicates, key(), A)
    assert duplicates.answered(first, b"late", 1) is False
    assert duplicates.answered(again, b"reply", 1) is True


def test_an_entry_lives_until_30_seconds_after_its_reply() -> None:
    duplicates = Duplicates()
    duplicates.answered(begun(duplicates, key()), b"reply", 10)
    assert duplicates.begin(key(), A, "vpn", 39.9) == b"reply"
    begun(duplicates, key(), when=40)


def test_expiry_frees_everything() -> None:
    duplicates = Duplicates()
    for identifier in range(256):
        duplicates.answered(begun(duplicates, key(identifier), client=f"client-{identifier % 3}"), b"reply", identifier)
    begun(duplicates, key(), B, "other", when=1000)
    assert (len(duplicates._tickets), len(duplicates._answers), list(duplicates._shares)) == (1, 0, ["other"])


def test_a_forgotten_request_is_worked_on_anew_and_its_late_result_is_not_written() -> None:
    duplicates = Duplicates()
    ticket = begun(duplicates, key())
    duplicates.forget(ticket)
    assert duplicates.in_progress() == 0
    assert duplicates.answered(ticket, b"late", 1) is False
    begun(duplicates, key(), when=2)


def test_to_forget_a_superseded_request_leaves_the_new_one() -> None:
    duplicates = Duplicates()
    old = begun(duplicates, key(), A)
    begun(duplicates, key(), B)
    duplicates.forget(old)
    assert duplicates.begin(key(), B, "vpn", 1) is IN_PROGRESS


def test_a_request_is_answered_once() -> None:
    duplicates = Duplicates()
    ticket = begun(duplicates, key())
    assert duplicates.answered(ticket, b"first", 1) is True
    assert duplicates.answered(ticket, b"second", 2) is False
    assert duplicates.begin(key(), A, "vpn", 3) == b"first"


def test_at_the_quota_the_oldest_answered_entry_of_the_same_client_gives_way() -> None:
    duplicates = Duplicates(quota=3)
    other = begun(duplicates, key(0, address="198.51.100.1"), client="other")
    duplicates.answered(other, b"other", 0)
    tickets = [begun(duplicates, key(identifier)) for identifier in (1, 2, 3)]
    duplicates.answered(tickets[1], b"two", 1)
    duplicates.answered(tickets[0], b"one", 2)
    begun(duplicates, key(4), when=3)
    assert duplicates.begin(key(1), A, "vpn", 3) == b"one"
    assert duplicates.begin(key(0, address="198.51.100.1"), A, "other", 3) == b"other"
    begun(duplicates, key(2), when=3)  # it gave way, and comes as a new request, for which `one` gives way
    assert duplicates.begin(key(3), A, "vpn", 3) is IN_PROGRESS


def test_full_is_a_client_whose_requests_are_all_in_progress() -> None:
    duplicates = Duplicates(quota=2)
    begun(duplicates, key(1))
    second = begun(duplicates, key(2))
    assert duplicates.begin(key(3), A, "vpn", 1) is FULL
    assert duplicates.begin(key(1), A, "vpn", 1) is IN_PROGRESS
    begun(duplicates, key(3, address="198.51.100.1"), client="other")
    duplicates.answered(second, b"reply", 2)
    begun(duplicates, key(3), when=3)


def test_a_new_request_in_place_of_an_old_one_needs_no_room() -> None:
    duplicates = Duplicates(quota=1)
    begun(duplicates, key(), A)
    begun(duplicates, key(), B)
    assert duplicates.in_progress() == 1


def test_a_full_client_leaves_no_trace() -> None:
    duplicates = Duplicates(quota=0)
    assert duplicates.begin(key(), A, "vpn", 0) is FULL
    assert duplicates.in_progress() == 0


def test_the_default_quota_is_16384() -> None:
    duplicates = Duplicates()
    for number in range(16384):
        begun(duplicates, key(number & 255, number >> 8))
    assert duplicates.begin(key(0, 60000), A, "vpn", 0) is FULL
    assert duplicates.in_progress() == 16384


def test_the_memory_stays_within_the_quota_under_load() -> None:
    duplicates = Duplicates(quota=100)
    for number in range(5000):
        ticket = begun(duplicates, key(number & 255, number >> 8), when=number / 1000)
        duplicates.answered(ticket, b"reply", number / 1000)
    assert (len(duplicates._tickets), len(duplicates._answers)) == (100, 100)
    assert len(duplicates._shares["vpn"].answered) == 100
