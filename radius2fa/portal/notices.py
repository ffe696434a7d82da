"""Owns what people are told by mail: every change to what they sign in with, whoever made it."""

from datetime import datetime

from flask import has_request_context

from radius2fa.config.model import Mail
from radius2fa.login.ports import Entry, Unavailable
from radius2fa.portal.letter import Letter
from radius2fa.portal.visitor import entry_of, visitor
from radius2fa.portal.words import LANGUAGES, texts_of
from radius2fa.portal.world import World, world
from radius2fa.store.sessions import Session


def tell(who: Entry | Session, key: str, **values: object) -> None:
    """Write to somebody, given by their entry or their session, in the words "mail.KEY.subject" and "mail.KEY.text".

    A change that was made stands, whether they can be told of it or not: this raises nothing.
    """
    here, mail = world(), world().settings.portal.mail
    if mail is None:
        return
    try:
        entry = who if isinstance(who, Entry) else entry_of(who)
        address = None if entry is None else _address(entry, mail)
        if address is None:
            here.log.info("no mail: no address", user=who.name, about=key)
            return
        here.post(_letter(here, address, who, key, values))
    except (Unavailable, OSError) as broken:
        here.log.warning("no mail", user=who.name, about=key, why=str(broken))


def _address(entry: Entry, mail: Mail) -> str | None:
    """Return the first address that the directory has for somebody, None if there is none that could be written to."""
    found = entry.attributes.get(mail.attribute.lower(), ())
    return next((text for text in found if "@" in text and text.isprintable() and " " not in text), None)


def _letter(here: World, address: str, who: Entry | Session, key: str, values: dict[str, object]) -> Letter:
    language = here.settings.server.language
    texts = texts_of(language if language in LANGUAGES else LANGUAGES[0])
    issuer = here.settings.codes.issuer
    parts = [
        texts["mail.greeting"].format(name=who.name),
        texts[f"mail.{key}.text"].format(**values),
        texts["mail.when"].format(when=_written(here.clock.now())) + _from(texts["mail.from"], who),
        texts["mail.not-you"],
        here.settings.portal.help,
        str(here.settings.portal.url),
    ]
    subject = texts["mail.subject"].format(issuer=issuer, subject=texts[f"mail.{key}.subject"])
    return Letter(address, subject, "\n\n".join(part for part in parts if part) + "\n")


def _from(pattern: str, who: Entry | Session) -> str:
    """Return the line that says from where it was done: if they did it themselves, and it is not the helpdesk's."""
    session = visitor().session if has_request_context() else None
    return "\n" + pattern.format(source=visitor().source) if session and session.subject == who.subject else ""


def _written(when: float) -> str:
    return datetime.fromtimestamp(when).astimezone().strftime("%Y-%m-%d %H:%M %Z")
