"""Owns the texts that users read: those that are built in, those of the file, and which of them a client shows."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from radius2fa.config.faults import Finding, Key
from radius2fa.config.model import Client, Portal, Server, Settings, Text


@dataclass(frozen=True, slots=True)
class Texts:
    """The question for a one-time code, and the words of every refusal."""

    prompt: str
    refusal: str


BUILT_IN = {
    "en": Texts("One-time code:", "Login refused."),
    "de": Texts("Einmalcode:", "Anmeldung abgelehnt."),
    "es": Texts("Código de un solo uso:", "Acceso denegado."),
    "fr": Texts("Code à usage unique :", "Connexion refusée."),
    "it": Texts("Codice monouso:", "Accesso negato."),
    "nl": Texts("Eenmalige code:", "Aanmelden geweigerd."),
    "pl": Texts("Kod jednorazowy:", "Odmowa dostępu."),
    "pt": Texts("Código de uso único:", "Acesso negado."),
}
_PORTAL = "{portal}"
_NAMES = ("prompt", "refusal")


def texts_of(client: Client, settings: Settings) -> Texts:
    """Return what a client shows to all its users: its own texts, else those of its language."""
    portal = settings.portal.url or ""
    prompt, refusal = (_text(name, client, settings.server, settings.text) or "" for name in _NAMES)
    return Texts(prompt.replace(_PORTAL, portal), refusal.replace(_PORTAL, portal))


def faults(clients: Mapping[int, Client], server: Server, own: Mapping[str, Text], portal: Portal) -> Iterator[Finding]:
    """Yield the languages that have no text, and the texts that speak of a portal without an address."""
    without: dict[Key, str] = {}
    for place, client in clients.items():
        if any(_text(name, client, server, own) is None for name in _NAMES):
            holder: Key = ("server",) if client.language is None else ("client", place)
            without[*holder, "language"] = _language(client, server)
    for key_of_language, language in without.items():
        known = ", ".join(sorted(BUILT_IN))
        remedy = f"Give prompt and refusal in [text.{language}], or use one of {known}."
        yield Finding(key_of_language, f"there are not both texts in the language {language!r}", remedy)
    if portal.url is None:
        for key_of_text in _speaking_of_portal(clients, own):
            message = f"speaks of {_PORTAL}, of which there is no address"
            yield Finding(key_of_text, message, 'Give url = "https://…" in [portal].')


def _text(name: str, client: Client, server: Server, own: Mapping[str, Text]) -> str | None:
    """Return a text of a client, None if there is none in its language."""
    given: str | None = getattr(client, name)
    return next(_in_language(name, _language(client, server), own), None) if given is None else given


def _language(client: Client, server: Server) -> str:
    return server.language if client.language is None else client.language


def _in_language(name: str, language: str, own: Mapping[str, Text]) -> Iterator[str]:
    """Yield the texts that serve: those of "de-AT" before those of "de" (RFC 4647 section 3.4), the file's first."""
    by_tag = {tag.lower(): text for tag, text in own.items()}
    tag = language.lower()
    while tag:
        for texts in (by_tag.get(tag), BUILT_IN.get(tag)):
            text: str | None = getattr(texts, name, None)
            if text is not None:
                yield text
        tag = tag.rpartition("-")[0]


def _speaking_of_portal(clients: Mapping[int, Client], own: Mapping[str, Text]) -> Iterator[Key]:
    holders: Iterable[tuple[Key, Client | Text]] = (
        *((("text", tag), text) for tag, text in own.items()),
        *((("client", place), client) for place, client in clients.items()),
    )
    for key, holder in holders:
        for name in _NAMES:
            if _PORTAL in (getattr(holder, name) or ""):
                yield (*key, name)
