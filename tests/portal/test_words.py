"""The texts: in all languages the same ones, with the same gaps to fill in, and all that the pages ask for."""

import re
from pathlib import Path
from string import Formatter

import pytest

import radius2fa.portal
from radius2fa.otp.token import Kind
from radius2fa.portal.devices import State
from radius2fa.portal.words import LANGUAGES, text, texts_of

PORTAL = Path(radius2fa.portal.__file__).parent
CALL = re.compile(r"""\bt\(\s*["']([a-z]+\.[a-z0-9.-]+)["']\s*[,)]""")
DONE = re.compile(r"""\bdone=["']([a-z-]+)["']""")


def gaps(pattern: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(pattern) if name is not None}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_texts_with_the_same_gaps(language: str) -> None:
    ours, others = texts_of(language), texts_of(LANGUAGES[0])
    assert ours.keys() == others.keys()
    assert {key: gaps(pattern) for key, pattern in ours.items()} == {
        key: gaps(pattern) for key, pattern in others.items()
    }
    assert all(pattern.strip() == pattern and pattern for pattern in ours.values())


def test_german_is_german() -> None:
    english, german = texts_of("en"), texts_of("de")
    same = {key for key in english if english[key] == german[key] and len(english[key]) > 20}
    assert same == set()


def test_every_text_that_a_template_names_is_there() -> None:
    known = texts_of("en")
    for file in PORTAL.glob("templates/**/*.html"):
        for key in CALL.findall(file.read_text("utf-8")):
            assert key in known, f"{file.name} asks for {key}"


def test_every_note_of_what_was_done_is_there() -> None:
    known = texts_of("en")
    for file in PORTAL.glob("**/*.py"):
        for key in DONE.findall(file.read_text("utf-8")):
            assert f"done.{key}" in known, f"{file.name} tells {key}"


def test_every_kind_factor_and_state_has_a_word() -> None:
    known = texts_of("en")
    for name in (*Kind, "app", "hardware", "off", "not-enrolled", "bypass", *(f"state-{state}" for state in State)):
        assert f"kinds.{name}" in known


def test_what_is_filled_in_cannot_become_markup() -> None:
    assert text("en", "tokens.remove-title", name="<i>{0}</i>") == "Remove “&lt;i&gt;{0}&lt;/i&gt;”?"
