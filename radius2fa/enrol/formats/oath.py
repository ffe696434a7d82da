"""Owns the CSV of OATH tokens: serial number, seed, kind, and what of digits, period and counter is not the usual."""

from collections.abc import Mapping

from radius2fa.enrol import seed
from radius2fa.enrol.formats import values
from radius2fa.enrol.formats.rows import Draft, Format
from radius2fa.enrol.formats.table import Dialect
from radius2fa.otp.token import Kind

_TITLES = {
    "serial": ("serial", "serial number", "serial no", "serialnumber", "serialno", "token serial"),
    "seed": ("seed", "secret", "secret key", "key", "otp key", "otpkey"),
    "kind": ("kind", "type", "token type", "otp type"),
    "digits": ("digits", "length", "otp length", "otplen", "otp len"),
    "period": ("period", "interval", "time interval", "time step", "timestep"),
    "counter": ("counter",),
    "algorithm": ("algorithm", "hash", "hashlib"),
    "user": ("user", "user name", "username", "upn", "owner"),
    "maker": ("manufacturer",),
    "model": ("model",),
}
_ORDER = ("serial", "seed", "kind", "digits", "period", "counter")
_KINDS = {
    "totp": Kind.TOTP,
    "time": Kind.TOTP,
    "oath-totp": Kind.TOTP,
    "hotp": Kind.HOTP,
    "event": Kind.HOTP,
    "oath-hotp": Kind.HOTP,
}


def _headless(fields: list[str]) -> tuple[str, ...] | None:
    """Return the usual titles for a row whose second field is a seed, or third a kind."""
    number, second, third, *more = [*fields, "", ""]
    if not number or len(more) > len(_ORDER) - 1:
        return None
    if third.lower() in _KINDS:
        return _ORDER
    try:
        seed.read(second)
    except ValueError:
        return None
    return _ORDER


def _mended(fields: list[str]) -> list[str]:
    """Put what stands in the fifth and last field of a HOTP token, its counter, into the sixth.

    A HOTP token has no period, which is the fifth field of a TOTP token, so that other programs write no field for it.
    """
    if len(fields) == 5 and _KINDS.get(fields[2].lower()) is Kind.HOTP:  # noqa: PLR2004 - as said
        return [*fields[:4], "", fields[4]]
    return fields


def _read(row: Mapping[str, str], token_id: str) -> Draft:
    number = values.needed_serial(row["serial"])
    key = seed.read(row["seed"])
    kind = _KINDS.get(row.get("kind", "").lower())
    if kind is None:
        raise ValueError("the kind is not totp or hotp")
    token = values.oath(
        token_id,
        kind,
        key,
        values.algorithm(row.get("algorithm", "")),
        values.whole(row.get("digits", ""), "length of the codes", 6),
        values.whole(row.get("period", ""), "time interval", 30),
        values.whole(row.get("counter", ""), "counter", 0) if kind is Kind.HOTP else 0,
    )
    label = values.label(row.get("maker", ""), row.get("model", ""))
    return Draft(token, number, row.get("user") or None, label)


OATH = Dialect(
    Format.OATH,
    {title: column for column, titles in _TITLES.items() for title in titles},
    frozenset({"serial", "seed"}),
    _headless,
    _read,
    "OATH CSV, with rows of serial number, seed (hex or base32), kind (totp or hotp), digits, period, counter, or with "
    "a header that names the columns",
    _mended,
)
