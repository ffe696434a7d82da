"""Owns the control in which a server says why it refuses a bind (draft-behera-ldap-password-policy)."""

from radius2fa.directory.ber import elements

OID = "1.3.6.1.4.1.42.2.27.8.5.1"

_SEQUENCE, _ERROR = 0x30, 0x81  # tags in the control's value (section 6.2)


def error_of(value: object) -> int | None:
    """Return the error in a password policy control's value, or None where there is none, or none to be read.

    The value is SEQUENCE { warning [0] OPTIONAL, error [1] ENUMERATED OPTIONAL }. Warnings, of grace logins and of days
    that are left, say nothing of this login.
    """
    try:
        ((tag, parts),) = elements(value if isinstance(value, bytes) else b"")
        ((error,),) = [octets for each, octets in elements(parts) if each == _ERROR]
    except (ValueError, IndexError):
        return None
    return error if tag == _SEQUENCE else None
