"""Owns saying in plain words what pydantic found wrong."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from radius2fa.config.credentials import SECRETS, SUFFIXES
from radius2fa.config.faults import Finding, Key
from radius2fa.config.model import (
    Client,
    Codes,
    Directory,
    Lockout,
    Log,
    Mail,
    Metrics,
    Policy,
    Portal,
    Section,
    Server,
    Store,
    Syslog,
    Text,
)

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

SECTIONS: dict[str, type[Section]] = {
    "server": Server,
    "store": Store,
    "directory": Directory,
    "client": Client,
    "policy": Policy,
    "lockout": Lockout,
    "codes": Codes,
    "text": Text,
    "portal": Portal,
    "portal.mail": Mail,
    "log": Log,
    "log.syslog": Syslog,
    "metrics": Metrics,
}
SEVERAL = frozenset({"directory", "client", "policy"})  # written in double brackets
BY_LANGUAGE = "text"  # one section for each language

_WORDS = {
    "literal_error": ("must be {expected}", "Write one of these, in quotes."),
    "greater_than_equal": ("must be at least {ge:g}", "Raise it."),
    "greater_than": ("must be more than {gt:g}", "Raise it."),
    "less_than_equal": ("must be at most {le:g}", "Lower it."),
    "string_type": ("must be a text", "Put it in quotes."),
    "bytes_type": ("must be a text", "Put it in quotes."),
    "path_type": ("must be the name of a file", "Put it in quotes."),
    "tuple_type": ("must be a list", 'Write it like ["one", "two"].'),
    "dict_type": ("must be a table", "Write it like {{ Name = 1 }}."),
    "model_type": ("must be a text", 'Write it like "192.0.2.1:1812".'),
    "string_too_short": ("is empty", "Fill it in, or take it out."),
    "string_too_long": ("is longer than {max_length} characters", "Shorten it."),
    "string_pattern_mismatch": (
        "must be made of letters, digits, dots, dashes and underscores, and begin with a letter or digit",
        "Choose another name.",
    ),
}
_NUMBERS = {"int": "a whole number", "float": "a number", "finite": "a number", "bool": "true or false"}
_REPLY_KEY = 4  # ("policy", 0, "reply", "Filter-Id"): pydantic goes on with the form, and every type that it tried
_REPLY_FORMS = (
    "must be a text, a whole number, a list of these, or from the directory",
    'Write it like "staff", [1, 2], { ldap = "department" } or { groups = { "cn=staff,dc=example,dc=org" = 7 } }.',
)
_EMPTY_SECRET = "Generate one: openssl rand -base64 24"  # noqa: S105 - how to make one


def known_keys(section: str) -> tuple[str, ...]:
    """Return every key that the section may hold; of the section "", the sections."""
    if not section:
        return tuple(name for name in SECTIONS if "." not in name)
    secret = SECRETS.get(section)
    return (*SECTIONS[section].model_fields, *(secret + suffix for suffix in SUFFIXES if secret))


def findings(errors: "Iterable[ErrorDetails]") -> list[Finding]:
    """Return pydantic's errors as findings: one for each key, none that only follows from another."""
    found: dict[Key, Finding] = {}
    details = list(errors)
    for error in details:
        key = _key(error)
        below = any(other["loc"][: len(key)] == key and other is not error for other in details)
        if error["type"] == "too_short" and below:
            continue
        found.setdefault(key, _in_words(key, error))
    return list(found.values())


def _key(error: "ErrorDetails") -> Key:
    """Return the key as it is in the file: pydantic names the form of a reply, and marks a name among values."""
    key = tuple(part for part in error["loc"] if part != "[key]")
    if key[2:3] != ("reply",):
        return key
    return (*key[:_REPLY_KEY], *key[_REPLY_KEY + 1 :]) if error["type"] == "rule" else key[:_REPLY_KEY]


def _in_words(key: Key, error: "ErrorDetails") -> Finding:
    context: dict[str, Any] = error.get("ctx", {})
    kind = error["type"]
    match kind:
        case "rule":
            message, remedy = context["message"], context["remedy"]
        case _ if key[2:3] == ("reply",) and len(key) == _REPLY_KEY:
            message, remedy = _REPLY_FORMS
        case "missing":
            message, remedy = "is missing", _missing(key)
        case "extra_forbidden":
            message, remedy = _unknown(key)
        case "too_short":
            message, remedy = "is empty", _EMPTY_SECRET if key[-1] == "secret" else "Give at least one."
        case "model_type" | "tuple_type" | "dict_type" if key[0] == BY_LANGUAGE or _is_section(key):
            message, remedy = "is not written as a section", f"Write it under {_brackets(section_of(key))}."
        case _:
            message, remedy = _of_type(kind, error["msg"])
            message, remedy = message.format(**context), remedy.format(**context)
    return Finding(key, message, remedy)


def _of_type(kind: str, otherwise: str) -> tuple[str, str]:
    wanted = _NUMBERS.get(kind.partition("_")[0])
    if wanted:
        return f"must be {wanted}", "Write it without quotes."
    return _WORDS.get(kind, (otherwise.replace("{", "{{").replace("}", "}}"), "Look at etc/radius2fa.toml."))


def _is_section(key: Key) -> bool:
    return all(isinstance(part, int) for part in key[1:]) or ".".join(map(str, key)) in SECTIONS


def section_of(key: Key) -> str:
    """Return the name of the section that the key is in, or is: the longest that is one, as "portal.mail"."""
    names = (".".join(map(str, key[:length])) for length in range(len(key), 0, -1))
    return next((name for name in names if name in SECTIONS), str(key[0]))


def _missing(key: Key) -> str:
    if len(key) == 1:
        return f"Add a section {_brackets(str(key[0]))}."
    if key[-1] == "secret":
        return "Give one of secret, secret_file, secret_credential."
    return f"Add {key[-1]} = … to this section."


def _unknown(key: Key) -> tuple[str, str]:
    """Say that a key is unknown, and which known one looks like it."""
    known = known_keys(section_of(key) if len(key) > 1 else "")
    near = get_close_matches(str(key[-1]), known, n=1)
    return (
        "is no key of this section" if len(key) > 1 else "is no section",
        f"Did you mean {near[0]}?" if near else f"It knows {', '.join(known)}.",
    )


def _brackets(section: str) -> str:
    if section == BY_LANGUAGE:
        return f"[{section}.en], with the tag of its language"
    return f"[[{section}]]" if section in SEVERAL else f"[{section}]"
