"""Owns the CSV of Microsoft Entra ID: TOTP tokens of six digits and SHA-1, each of somebody or of nobody yet.

Source: Microsoft's documentation of OATH hardware tokens.
"""

from collections.abc import Mapping

from radius2fa.enrol import seed
from radius2fa.enrol.formats import values
from radius2fa.enrol.formats.rows import Draft, Format
from radius2fa.enrol.formats.table import Dialect
from radius2fa.otp.token import Algorithm, Kind

_ORDER = ("upn", "serial number", "secret key", "time interval", "manufacturer", "model")


def _headless(fields: list[str]) -> tuple[str, ...] | None:
    """Return the usual titles for a row whose fourth field is a time interval, where no other format has one."""
    return _ORDER if len(fields) <= len(_ORDER) and fields[3:4] in (["30"], ["60"]) else None


def _read(row: Mapping[str, str], token_id: str) -> Draft:
    number = values.needed_serial(row["serial number"])
    key = seed.read_base32(row["secret key"])
    period = values.whole(row["time interval"], "time interval", 30)
    token = values.oath(token_id, Kind.TOTP, key, Algorithm.SHA1, 6, period, 0)
    label = values.label(row.get("manufacturer", ""), row.get("model", ""))
    return Draft(token, number, row["upn"] or None, label)


ENTRA = Dialect(
    Format.ENTRA,
    {title: title for title in _ORDER},
    frozenset(_ORDER[:4]),
    _headless,
    _read,
    f"Entra ID CSV, with the header {','.join(_ORDER)}",
)
