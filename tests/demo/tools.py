"""The programs that the demo is tried with."""

import shutil

_PACKAGES = {"radclient": "freeradius-utils", "radtest": "freeradius-utils", "oathtool": "oathtool"}


def tool(program: str) -> str:
    """Return the path of a program; the test fails with the line that installs it where it is missing."""
    path = shutil.which(program)
    assert path, f"{program} is missing: apt-get install {_PACKAGES.get(program, 'ldap-utils')}"
    return path
