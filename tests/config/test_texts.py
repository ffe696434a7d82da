"""Which words a client's users read."""

from pathlib import Path

import pytest

from radius2fa.config.texts import BUILT_IN, Texts, texts_of
from tests.config.files import CLIENT, DIRECTORY, VALID, faults_of, reading_of

OWN = '[text.de]\nprompt = "Code?"\n[text.pt-BR]\nrefusal = "Não."\n[text.da]\nprompt = "Kode:"\nrefusal = "Nej."\n'


def texts(folder: Path, *, server: str = "", client: str = "", more: str = "") -> Texts:
    settings = reading_of(folder, f"[server]\n{server}\n{more}{DIRECTORY}{CLIENT}{client}\n").settings
    assert settings is not None
    return texts_of(settings.client[0], settings)


@pytest.mark.parametrize(
    ("server", "client", "more", "expected"),
    [
        ("", "", "", BUILT_IN["en"]),
        ('language = "fr"', "", "", BUILT_IN["fr"]),
        ('language = "fr"', 'language = "nl"', "", BUILT_IN["nl"]),
        ("", 'language = "DE"', "", BUILT_IN["de"]),
        ("", 'language = "de-AT"', "", BUILT_IN["de"]),
        ("", 'language = "de"', OWN, Texts("Code?", BUILT_IN["de"].refusal)),
        ("", 'language = "de-AT"', OWN, Texts("Code?", BUILT_IN["de"].refusal)),
        ("", 'language = "pt-br"', OWN, Texts(BUILT_IN["pt"].prompt, "Não.")),
        ("", 'language = "pt"', OWN, BUILT_IN["pt"]),
        ('language = "da"', "", OWN, Texts("Kode:", "Nej.")),
        ('language = "da"', 'prompt = "PIN?"', OWN, Texts("PIN?", "Nej.")),
        ("", 'language = "da"\nprompt = "PIN?"\nrefusal = ""', "", Texts("PIN?", "")),
        ("", "", '[text.en]\nprompt = ""\n', Texts("", BUILT_IN["en"].refusal)),
    ],
)
def test_the_words_are_the_clients_else_those_of_its_language(
    tmp_path: Path, server: str, client: str, more: str, expected: Texts
) -> None:
    assert texts(tmp_path, server=server, client=client, more=more) == expected


def test_the_address_of_the_portal_is_put_into_texts(tmp_path: Path) -> None:
    more = '[portal]\nurl = "https://p.example.org"\n[text.en]\nrefusal = "No. See {portal}, {portal}"\n'
    told = texts(tmp_path, client='prompt = "{portal}?"', more=more)
    assert told == Texts("https://p.example.org?", "No. See https://p.example.org, https://p.example.org")


@pytest.mark.parametrize(
    ("more", "line", "key"),
    [
        ('[text.en]\nprompt = "Go to {portal}"\n', 3, "text.en.prompt"),
        ('[text.de]\nrefusal = "Go to {portal}"\n', 3, "text.de.refusal"),
        ('prompt = "Go to {portal}"\n', 10, "client[1].prompt"),
        ('refusal = "Go to {portal}"\n', 10, "client[1].refusal"),
    ],
)
def test_a_text_that_speaks_of_a_portal_without_address_is_a_fault(
    tmp_path: Path, more: str, line: int, key: str
) -> None:
    text = VALID + more if key.startswith("client") else "\n" + more.lstrip() + VALID
    (fault,) = reading_of(tmp_path, text).faults
    assert (fault.line, fault.key) == (line, key)
    assert fault.message == "speaks of {portal}, of which there is no address"
    assert fault.remedy == 'Give url = "https://…" in [portal].'


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (f'[server]\nlanguage = "da"\n{VALID}', "server.language"),
        (f'{VALID}language = "da"\n', "client[1].language"),
        (f'{VALID}language = "da"\nprompt = "Kode:"\n', "client[1].language"),
        (f'[text.da]\nprompt = "Kode:"\n{VALID}language = "da"\n', "client[1].language"),
    ],
)
def test_a_language_without_both_texts_is_a_fault(tmp_path: Path, text: str, key: str) -> None:
    (fault,) = reading_of(tmp_path, text).faults
    assert (fault.key, fault.message) == (key, "there are not both texts in the language 'da'")
    assert fault.remedy == "Give prompt and refusal in [text.da], or use one of de, en, es, fr, it, nl, pl, pt."


def test_the_language_of_the_server_is_a_fault_once_and_only_if_a_client_needs_it(tmp_path: Path) -> None:
    second = CLIENT.replace('"vpn"', '"switch"').replace("192.0.2.10", "192.0.2.20")
    text = f'[server]\nlanguage = "da"\n{VALID}{{}}{second}{{}}'
    assert [key for key, _ in faults_of(tmp_path, text.format("", ""))] == ["server.language"]
    assert faults_of(tmp_path, text.format('language = "de"', 'prompt = "?"\nrefusal = "no"')) == []


def test_a_faulty_text_does_not_make_its_language_one_without(tmp_path: Path) -> None:
    text = f'[text.da]\nprompt = 5\nrefusal = "Nej."\n{VALID}language = "da"\n'
    assert faults_of(tmp_path, text) == [("text.da.prompt", "must be a text")]


def test_the_built_in_words_fit_one_attribute_and_the_screen_of_a_phone() -> None:
    """RFC 2865 section 5.18 leaves 253 octets; an app shows some 30 characters in a line."""
    assert sorted(BUILT_IN) == ["de", "en", "es", "fr", "it", "nl", "pl", "pt"]
    assert max(len(each) for texts in BUILT_IN.values() for each in (texts.prompt, texts.refusal)) <= 30
