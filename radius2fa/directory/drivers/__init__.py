"""Owns the choice among the libraries that carry LDAP for us. Nothing outside this folder imports one to connect."""

from radius2fa.directory.link import Dialling, Driver


def driver_of(name: str, dialling: Dialling) -> Driver:
    """Return the driver of that name: "ldap3", or "libldap", which is an extra.

    Raises:
        ValueError: naming the key of a file that is unusable, or what is not installed.

    """
    # ruff: noqa: PLC0415 - only the one that is used, since the other need not be there
    if name == "ldap3":
        from radius2fa.directory.drivers.ldap3_driver import Ldap3Driver

        return Ldap3Driver(dialling)
    try:
        from radius2fa.directory.drivers.libldap_driver import LibldapDriver
    except ImportError as fault:
        raise ValueError(
            f"driver: {name} needs python-ldap ({fault}): pip install 'radius2fa[libldap]', "
            "which is compiled with Debian's libldap-dev and libsasl2-dev"
        ) from fault
    return LibldapDriver(dialling)
