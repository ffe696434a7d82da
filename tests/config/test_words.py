from pathlib import Path

import pytest

from tests.config.files import CLIENT, DIRECTORY, VALID, reading_of


@pytest.mark.parametrize(
    ("text", "key", "message", "remedy"),
    [
        ("[server]\nthreads = 0\n", "server.threads", "must be at least 1", "Raise it."),
        ("[store]\ntimeout = 0\n", "store.timeout", "must be more than 0", "Raise it."),
        ("[server]\npatience = 61\n", "server.patience", "must be at most 60", "Lower it."),
        ("[server]\nthreads = 1.5\n", "server.threads", "must be a whole number", "Write it without quotes."),
        ('[server]\npatience = "long"\n', "server.patience", "must be a number", "Write it without quotes."),
        ("[server]\nreject_delay = nan\n", "server.reject_delay", "must be a number", "Write it without quotes."),
        (
            '[server]\nsend_class = "perhaps"\n',
            "server.send_class",
            "must be true or false",
            "Write it without quotes.",
        ),
        (
            '[server]\nsend_class = "no"\n',
            "server.send_class",
            "must be true or false",
            "Write it without quotes.",
        ),
        ("[server]\nlanguage = 5\n", "server.language", "must be a text", "Put it in quotes."),
        ("[server]\ndictionaries = [5]\n", "server.dictionaries[1]", "must be the name of a file", "Put it in quotes."),
        ('[server]\nlisten = "192.0.2.1"\n', "server.listen", "must be a list", 'Write it like ["one", "two"].'),
        ("[server]\nlisten = []\n", "server.listen", "is empty", "Give at least one."),
        ("[server]\nlisten = [5]\n", "server.listen[1]", "must be a text", 'Write it like "192.0.2.1:1812".'),
        ("[store]\nkey_file = 5\n", "store.key_file", "must be the name of a file", "Put it in quotes."),
        (
            '[store]\nurl = "postgresql://r@db/r"\npassword = 5\n',
            "store.password",
            "must be a text",
            "Put it in quotes.",
        ),
        (
            '[log]\nlevel = "loud"\n',
            "log.level",
            "must be 'debug', 'info', 'warning' or 'error'",
            "Write one of these, in quotes.",
        ),
        ("[log]\npath = 1\n", "log.path", "is no key of this section", "It knows level, format, file, syslog."),
        (
            "[figures]\n",
            "figures",
            "is no section",
            "It knows server, store, directory, client, policy, lockout, codes, text, portal, log, metrics.",
        ),
        ("[stor]\n", "stor", "is no section", "Did you mean store?"),
        ('[[policy]]\nname = "x"\nreply = 5\n', "policy[1].reply", "must be a table", "Write it like { Name = 1 }."),
        (
            '[[policy]]\nname = "x"\nusers = [""]\n',
            "policy[1].users[1]",
            "is empty",
            "Fill it in, or take it out.",
        ),
        ('[[policy]]\nname = "x"\nusers = []\n', "policy[1].users", "is empty", "Give at least one."),
        (
            '[[policy]]\nname = "x"\nkinds = ["sms"]\n',
            "policy[1].kinds[1]",
            "must be 'totp', 'hotp', 'yubikey', 'recovery', 'temporary' or 'passkey'",
            "Write one of these, in quotes.",
        ),
        (
            '[[policy]]\nname = "x"\nsecond_factor = "no"\n',
            "policy[1].second_factor",
            "must be 'required', 'if-enrolled', 'off' or 'deny'",
            "Write one of these, in quotes.",
        ),
        (
            "[text.de]\npromt = 1\n",
            "text.de.promt",
            "is no key of this section",
            "Did you mean prompt?",
        ),
        (
            '[text]\nprompt = "x"\n',
            "text.prompt",
            "is not written as a section",
            "Write it under [text.en], with the tag of its language.",
        ),
        (
            "text = 5\n",
            "text",
            "is not written as a section",
            "Write it under [text.en], with the tag of its language.",
        ),
        (
            '[[policy]]\nname = "all staff"\n',
            "policy[1].name",
            "must be made of letters, digits, dots, dashes and underscores, and begin with a letter or digit",
            "Choose another name.",
        ),
        (f'[[policy]]\nname = "{"x" * 65}"\n', "policy[1].name", "is longer than 64 characters", "Shorten it."),
        ("[[policy]]\n", "policy[1].name", "is missing", "Add name = … to this section."),
    ],
)
def test_a_fault_is_told_in_plain_words(tmp_path: Path, text: str, key: str, message: str, remedy: str) -> None:
    (fault,) = reading_of(tmp_path, text + VALID).faults
    assert (fault.key, fault.message, fault.remedy) == (key, message, remedy)


@pytest.mark.parametrize(
    "value",
    [
        "1.5",
        "true",
        "[]",
        "[1.5, {}]",
        '[{ ldap = "mail" }]',
        "{}",
        "{ first = true }",
        '{ ladp = "mail" }',
        '{ ldap = "mail", groups = { "cn=a" = 1 } }',
        '{ ldap = "mail", first = true }',
        "{ groups = {} }",
        '{ groups = { "cn=a" = 1.5 } }',
        '{ groups = { "cn=a" = ["x"] } }',
        '{ groups = { "cn=a" = 1 }, first = 1 }',
        "1979-05-27",
    ],
)
def test_a_reply_attribute_has_one_of_four_forms(tmp_path: Path, value: str) -> None:
    (fault,) = reading_of(tmp_path, f'[[policy]]\nname = "x"\nreply = {{ Class = {value} }}\n{VALID}').faults
    assert (fault.line, fault.key) == (3, "policy[1].reply.Class")
    assert fault.message == "must be a text, a whole number, a list of these, or from the directory"
    assert fault.remedy == (
        'Write it like "staff", [1, 2], { ldap = "department" } or { groups = { "cn=staff,dc=example,dc=org" = 7 } }.'
    )


def test_a_missing_secret_names_its_three_sources(tmp_path: Path) -> None:
    (fault,) = reading_of(tmp_path, DIRECTORY + '[[client]]\nname = "a"\naddresses = ["192.0.2.1"]\n').faults
    assert (fault.key, fault.remedy) == ("client[1].secret", "Give one of secret, secret_file, secret_credential.")


def test_an_empty_secret_is_told_how_to_make_one(tmp_path: Path) -> None:
    (fault,) = reading_of(
        tmp_path, DIRECTORY + '[[client]]\nname = "a"\naddresses = ["192.0.2.1"]\nsecret = ""\n'
    ).faults
    assert (fault.message, fault.remedy) == ("is empty", "Generate one: openssl rand -base64 24")


def test_a_misspelt_source_of_a_secret_is_recognised(tmp_path: Path) -> None:
    faults = reading_of(tmp_path, DIRECTORY + CLIENT + 'secret_flie = "x"\n').faults
    assert [(fault.key, fault.remedy) for fault in faults] == [("client[1].secret_flie", "Did you mean secret_file?")]


def test_a_fault_that_has_no_words_of_its_own_is_told_all_the_same(tmp_path: Path) -> None:
    """A date is TOML, and pydantic's own words serve for it."""
    (fault,) = reading_of(tmp_path, f"[server]\nbacklog = 1979-05-27\n{VALID}").faults
    assert fault.key == "server.backlog"
