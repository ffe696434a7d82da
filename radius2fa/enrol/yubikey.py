"""Owns the beginning of a YubiKey's life here: its secret, as whoever wrote it into the key has written it down."""

from collections.abc import Callable

from radius2fa.enrol.enrolment import ID_LENGTH
from radius2fa.enrol.naming import new_id
from radius2fa.otp.token import AES_KEY_OCTETS, PRIVATE_ID_OCTETS, YubiKey


def read(text: str) -> tuple[bytes, bytes]:
    """Return the private id and the AES key of a text that holds the two in hex, in this order.

    Blanks, line ends or a comma stand between them.

    Raises:
        ValueError: it holds something else. The text of the error does not hold any of it.

    """
    words = text.replace(",", " ").split()
    lengths = (PRIVATE_ID_OCTETS, AES_KEY_OCTETS)
    try:
        private_id, key = map(bytes.fromhex, words)
        if (len(private_id), len(key)) == lengths:
            return private_id, key
    except ValueError:
        pass  # which would quote what is secret
    digits, more = (2 * length for length in lengths)
    raise ValueError(
        f"a YubiKey's secret is two words: its private id of {digits} hexadecimal digits, then its AES key of {more}"
    )


def begin(public_id: str, secret: tuple[bytes, bytes], random: Callable[[int], bytes]) -> YubiKey:
    """Make a YubiKey with a new name, of its public id in modhex (in either case), and its private id and AES key.

    Raises:
        ValueError: the public id is none; the text begins with the field's name.

    """
    private_id, key = secret
    return YubiKey(new_id(random, ID_LENGTH), public_id.lower(), key, private_id)
