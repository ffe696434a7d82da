"""Owns the CSV of YubiKeys: the log of Yubico's personalisation tool, and what its validation server takes in.

Sources: the source code of Yubico's personalisation tool (its two fixed log formats), and of its key storage module.
"""

import re
from collections.abc import Mapping

from radius2fa.enrol.formats import values
from radius2fa.enrol.formats.rows import Draft, Format
from radius2fa.enrol.formats.table import Dialect
from radius2fa.otp.token import AES_KEY_OCTETS, MODHEX, PRIVATE_ID_OCTETS, PUBLIC_ID_MOST, YubiKey

_TITLES = {
    "serial": ("serial", "serialnr", "serial number"),
    "public id": ("public id", "public identity", "identity", "publicname"),
    "private id": ("private id", "private identity", "internaluid", "internalname"),
    "key": ("secret key", "aes key", "aeskey"),
    "event": ("event",),
}
_FLAT = ("serial", "public id", "private id", "secret key", "access code", "created", "accessed", "flags")
_TRADITIONAL = (
    *("event", "time", "slot", "public id", "private id", "secret key", "current access code", "new access code"),
    *("oath fixed modhex 1", "oath fixed modhex 2", "oath fixed modhex", "hotp digits", "moving factor"),
    *("strong password 1", "strong password 2", "send reference", "challenge button", "hmac below 64"),
)
_OTP = "yubico otp"
_START = "logging start"
_EVENTS = re.compile(
    "yubico otp|oath-hotp|static password(: .*)?|challenge-response: .*|configuration (update|swap)|logging start|"
    "unknown programming mode"
)
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})*", re.ASCII)


def _headless(fields: list[str]) -> tuple[str, ...] | None:
    if _EVENTS.fullmatch(fields[0].lower()):
        return _TRADITIONAL
    if len(fields) < 4 or (fields[0] and not fields[0].isdecimal()):  # noqa: PLR2004 - up to the key
        return None
    modhex = fields[1] and not set(fields[1].lower()) - MODHEX
    keyed = _is_hex(fields[2], PRIVATE_ID_OCTETS) and _is_hex(fields[3], AES_KEY_OCTETS)
    return _FLAT if modhex and keyed else None


def _mended(fields: list[str]) -> list[str]:
    """Join the time of a traditional row that was written, without quotation marks, with a comma in it."""
    if len(fields) == len(_TRADITIONAL) + 1 and _EVENTS.fullmatch(fields[0].lower()):
        return [fields[0], f"{fields[1]} {fields[2]}", *fields[3:]]
    return fields


def _read(row: Mapping[str, str], token_id: str) -> Draft:
    if row.get("event", _OTP).lower() != _OTP:
        raise ValueError("the slot was not programmed with Yubico OTP (one with OATH-HOTP comes in by an OATH CSV)")
    public_id = row["public id"].lower()
    if not public_id:
        raise ValueError("the public id is missing: without one the YubiKey cannot be told from others")
    return Draft(key(token_id, public_id, row["private id"], row["key"]), values.serial(row.get("serial", "")))


def key(token_id: str, public_id: str, private_id: str, secret: str) -> YubiKey:
    """Return a YubiKey, by its ids in modhex and hex and its AES key in hex.

    Raises:
        ValueError: one of them is of another form.

    """
    if set(public_id) - MODHEX or len(public_id) % 2 or len(public_id) > PUBLIC_ID_MOST:
        raise ValueError(f"the public id is not made of an even number of up to {PUBLIC_ID_MOST} modhex characters")
    if not _is_hex(private_id, PRIVATE_ID_OCTETS):
        raise ValueError(f"the private id is not made of {2 * PRIVATE_ID_OCTETS} hexadecimal digits")
    if not _is_hex(secret, AES_KEY_OCTETS):
        raise ValueError(f"the AES key is not made of {2 * AES_KEY_OCTETS} hexadecimal digits")
    return YubiKey(token_id, public_id, bytes.fromhex(secret), bytes.fromhex(private_id))


def _is_hex(text: str, octets: int) -> bool:
    return len(text) == 2 * octets and _HEX.fullmatch(text) is not None


YUBICO = Dialect(
    Format.YUBICO,
    dict.fromkeys((*_FLAT, *_TRADITIONAL), "")
    | {title: column for column, titles in _TITLES.items() for title in titles},
    frozenset({"public id", "private id", "key"}),
    _headless,
    _read,
    "Yubico CSV, the personalisation tool's log in its traditional or its Yubico format: rows with public id (modhex), "
    "private id and AES key (hex)",
    _mended,
    lambda fields: fields[0].lower() == _START,
)
