"""Tags and lengths, by the examples of X.690 section 8.1 and the octets of RFC 4511's messages."""

import pytest

from radius2fa.directory.ber import element, elements, operation_of, size_of

SHORT = bytes.fromhex("300c 020105 61 07 0a0100 0400 0400".replace(" ", ""))
LONG = bytes.fromhex("3084 00000013 0204 00000105 6184 00000007 0a0100 0400 0400".replace(" ", ""))


@pytest.mark.parametrize(
    ("octets", "size"),
    [
        ("", 0),
        ("30", 0),
        ("300c", 14),
        ("3000", 2),
        ("307f", 129),
        ("3081", 0),
        ("3081c9", 204),  # X.690 section 8.1.3.5: a length of 201 octets
        ("308400", 0),
        ("308400000100", 262),
        ("3084ffffffff", 6 + 0xFFFFFFFF),
    ],
)
def test_a_message_tells_how_long_it_is_once_its_length_has_come(octets: str, size: int) -> None:
    assert size_of(bytes.fromhex(octets)) == size


@pytest.mark.parametrize("octets", ["3080", "308501", "30ff", "310c", "4854"])
def test_what_is_no_message_of_definite_length_is_refused(octets: str) -> None:
    with pytest.raises(ValueError, match=r"^$"):
        size_of(bytes.fromhex(octets))


@pytest.mark.parametrize(("octets", "expected"), [(SHORT, (5, 0x61)), (LONG, (0x105, 0x61))])
def test_a_message_has_a_number_and_an_operation(octets: bytes, expected: tuple[int, int]) -> None:
    assert operation_of(octets) == expected
    assert size_of(octets) == len(octets)


@pytest.mark.parametrize("octets", ["3003040105", "30050281010561", "3003020105", "30020205", "3000"])
def test_a_message_without_them_is_refused(octets: str) -> None:
    with pytest.raises((ValueError, IndexError)):
        operation_of(bytes.fromhex(octets))


def test_elements_are_parted_whatever_the_form_of_their_lengths() -> None:
    assert elements(bytes.fromhex("0a0100 0400 04810161 84840000000162".replace(" ", ""))) == [
        (0x0A, b"\0"),
        (0x04, b""),
        (0x04, b"a"),
        (0x84, b"b"),
    ]
    assert elements(b"") == []


@pytest.mark.parametrize(
    ("octets", "fault"),
    [("0402 61", ValueError), ("04", IndexError), ("048400", ValueError), ("0480 61 0000", ValueError)],
)
def test_elements_that_are_cut_off_or_of_no_definite_length_are_refused(octets: str, fault: type[Exception]) -> None:
    with pytest.raises(fault):
        elements(bytes.fromhex(octets.replace(" ", "")))


@pytest.mark.parametrize(
    ("size", "head"),
    [(0, "0400"), (127, "047f"), (128, "048180"), (201, "0481c9"), (256, "04820100"), (65536, "0483010000")],
)
def test_an_element_is_written_with_the_shortest_length(size: int, head: str) -> None:
    """X.690 sections 8.1.3.4 and 8.1.3.5, whose example has 201 octets."""
    assert element(0x04, b"x" * size) == bytes.fromhex(head) + b"x" * size
