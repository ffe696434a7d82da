"""A configured folder for the tests of commands, and the running of a command in it."""

from pathlib import Path

from typer.testing import CliRunner, Result

from radius2fa.cli.main import app

SECRET = "c3VyZSB0aGlzIGlzIG5vIHNlY3JldA"


def configured(folder: Path, *, url: str = "ldap://127.0.0.1:1", listen: str = "127.0.0.1:0", more: str = "") -> Path:
    """Write a configuration with its key and database in the folder, and return its path."""
    config = folder / "radius2fa.toml"
    command(config, "init", "--state", str(folder))
    config.write_text(f"""\
[server]
listen = ["{listen}"]
[store]
url = "sqlite:///{folder}/radius2fa.db"
key_file = "master.key"
[[directory]]
urls = ["{url}"]
start_tls = false
base = "dc=example,dc=org"
[[client]]
name = "vpn"
addresses = ["127.0.0.1"]
secret = "{SECRET}"
{more}""")
    return config


def command(config: Path, *arguments: str) -> Result:
    """Run a command of the program with a configuration."""
    return CliRunner().invoke(app, ["--config", str(config), *arguments])
