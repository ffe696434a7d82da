from pathlib import Path

import pytest

from radius2fa.enrol.formats.markup import DEEPEST, LARGEST, Document, Part
from radius2fa.enrol.formats.rows import BadFile


def parts(*pieces: bytes) -> list[Part]:
    return list(Document().parts(pieces, "a"))


def fault(*pieces: bytes) -> str:
    with pytest.raises(BadFile) as raised:
        parts(*pieces)
    return f"line {raised.value.line}: {raised.value.reason}"


TEXT = b"""\
<?xml version="1.0"?>
<x:a xmlns:x="urn:x" y="1">
 <!-- > -->
 <x:b z="&lt;">t&amp;u<c>v</c></x:b>
 <d/></x:a>
"""


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_the_parts_and_their_octets_do_not_depend_on_the_pieces(size: int) -> None:
    first, second = parts(*(TEXT[at : at + size] for at in range(0, len(TEXT), size)))
    assert (first.element.name, first.element.namespace, first.element.line) == ("b", "urn:x", 4)
    assert first.element.attributes == {"z": "<"}
    assert (first.element.text, first.element.content("c"), first.element.content("no", "c")) == ("t&u", "v", "")
    assert first.octets == b'<x:b z="&lt;">t&amp;u<c>v</c></x:b>'
    assert (second.before, second.octets, second.element.line) == (b"\n ", b"<d/>", 5)
    assert b"".join(part.before + part.octets for part in (first, second)) + b"</x:a>\n" == TEXT


@pytest.mark.parametrize(
    "part",
    [b"<b/>", b'<b c="/>"/>', b'<b c="/>"></b>', b"<b></b>", b"<b>/></b>", b"<b><c/></b >", b"<b><!-- /> --></b>"],
)
def test_a_part_ends_where_its_element_does(part: bytes) -> None:
    first, second = parts(b"<a>" + part + b"<z></z></a>")
    assert (first.octets, second.octets) == (part, b"<z></z>")
    [last] = parts(b"<a>" + part + b"</a>")
    assert last.octets == part


def test_no_text_shows_in_a_repr() -> None:
    assert "t&u" not in repr(parts(TEXT))
    assert b"t&amp;u" not in repr(parts(TEXT)).encode()


def test_another_file_is_never_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("<b>secret</b>")
    external = f'<!DOCTYPE a [<!ENTITY e SYSTEM "file://{secret}">]><a>&e;</a>'.encode()
    subset = f'<!DOCTYPE a SYSTEM "file://{secret}"><a/>'.encode()
    for text in (external, subset):
        assert fault(text) == (
            "line 1: the file declares a document type (DTD), which may make a reader open other files: remove it"
        )


def test_nothing_is_expanded() -> None:
    laughs = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(9))
    assert "document type" in fault(f'<!DOCTYPE a [<!ENTITY l0 "ha">{laughs}]><a><b>&l9;</b></a>'.encode())
    assert fault(b"<a><b>&l9;</b></a>") == "line 1: the file is no well-formed XML (undefined entity)"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"<a>\n<b>\0</b></a>", "line 2: the file holds a NUL octet: it is damaged, or no XML"),
        (
            b"<a>\n<b>\xe4</b></a>",
            "line 2: the file is not in the encoding that it says (UTF-8, if it says none): save it as UTF-8",
        ),
        (b"<a>\n<b></c></a>", "line 2: the file is no well-formed XML (mismatched tag)"),
        (b"<a>\n<b", "line 2: the file ends too early: get the whole file, and import it again"),
        (b"<a>\n<b>", "line 2: the file ends too early: get the whole file, and import it again"),
        (b"<a>\n<b><![CDATA[x", "line 2: the file ends too early: get the whole file, and import it again"),
        (b"<b/>", "line 1: the root element of the file is not a"),
        (b"<a>" + b"<b>" * (DEEPEST + 1), f"line 1: more than {DEEPEST} elements are within each other"),
    ],
)
def test_a_broken_file_is_told_with_its_line(text: bytes, reason: str) -> None:
    assert fault(text) == reason


def test_an_element_without_end_is_not_kept() -> None:
    assert fault(b"<a><b>", *[b"x" * 65536] * (LARGEST // 65536)) == "line 1: an element is larger than 1024 KiB"


def test_what_stands_before_a_fault_is_given() -> None:
    given = Document().parts([b"<a><b/><c/></x>"], "a")
    assert [next(given).element.name, next(given).element.name] == ["b", "c"]
    with pytest.raises(BadFile):
        next(given)


@pytest.mark.parametrize(
    "encoding",
    ["windows-31j", "EUC-JP", "Shift_JIS", "big5", "utf-7", "hex", "idna", "rot13", "undefined", "punycode", "x" * 500],
)
def test_an_encoding_that_is_not_known_is_told_with_what_to_do(encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?>\n<a><b/></a>'.encode()
    reason = "line 1: the XML declaration names an encoding that is not known here: save it as UTF-8"
    assert fault(text) == reason
    assert fault(*(text[at : at + 1] for at in range(len(text)))) == reason


def test_a_fault_of_the_program_is_not_put_down_to_the_file() -> None:
    class Broken(Document):
        def _end(self, _: str) -> None:
            raise ValueError("a fault of the program")

    document = Broken()
    with pytest.raises(ValueError, match="a fault of the program"):
        list(document.parts([b"<a><b/></a>"], "a"))


def test_latin_1_is_read_where_the_file_says_so() -> None:
    [part] = parts(b'<?xml version="1.0" encoding="ISO-8859-1"?><a><b>\xe4</b></a>')
    assert part.element.text == "ä"
    assert part.octets == b"<b>\xe4</b>"
