"""Owns how files are told apart: by what is in them, never by their names."""

from radius2fa.enrol.formats.entra import ENTRA
from radius2fa.enrol.formats.oath import OATH
from radius2fa.enrol.formats.pskc import ROOT, PskcFile
from radius2fa.enrol.formats.rows import BadFile, Format, Reader
from radius2fa.enrol.formats.source import Source
from radius2fa.enrol.formats.table import BOM, Dialect, NewId, TableFile, recognised
from radius2fa.enrol.formats.xmlenc import Ask
from radius2fa.enrol.formats.yubico import YUBICO

DIALECTS = (ENTRA, YUBICO, OATH)  # OATH last: with other titles, a file of Entra ID is one, too
_PSKC = f"PSKC (RFC 6030), which is XML with the root element {ROOT}"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def reader(source: Source, wanted: Format | None, new_id: NewId, ask: Ask, when: float) -> Reader:
    """Return what reads the file, as what it is, or as the format that is wanted.

    Raises:
        BadFile: it is none of the formats, or not the wanted one; the reason says what was looked for.

    """
    if not source.head.strip():
        raise BadFile("the file is empty")
    if source.head.startswith(_UTF16):
        raise BadFile("the file is UTF-16: save it as UTF-8")
    if source.head.startswith(b"-----BEGIN PGP MESSAGE"):
        raise BadFile("the file is encrypted by PGP: decrypt it first, with `gpg --decrypt`")
    markup = source.head.removeprefix(BOM).lstrip().startswith(b"<")
    if wanted is Format.PSKC or (wanted is None and markup):
        return PskcFile(source, new_id, ask, when)
    dialects = [one for one in DIALECTS if wanted is None or one.format == wanted]
    for dialect in [] if markup else dialects:
        if layout := recognised(source.head, dialect):
            return TableFile(source, dialect, layout, new_id)
    raise BadFile(_unknown(wanted, dialects))


def _unknown(wanted: Format | None, dialects: list[Dialect]) -> str:
    looked_for = "; ".join([*([] if wanted else [_PSKC]), *(one.wants for one in dialects)])
    return f"the file is not of a known format; looked for: {looked_for}"
