"""Owns who sits at the command line, as the record of administration names them."""

import os
import pwd
from collections.abc import Mapping


def actor(environment: Mapping[str, str] = os.environ, uid: int | None = None) -> str:
    """Return "cli:" and the login name of whoever ran the command, before sudo made somebody else of them.

    A process whose user id has no name is named by the number.
    """
    uid = os.getuid() if uid is None else uid
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = str(uid)
    return f"cli:{environment.get('SUDO_USER') or name}"
