"""Owns the measurement of an import: so many tokens in one file, by the installed program, into a fresh database."""

import argparse
import base64
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.process import beside, figures

PROGRAM = Path(sys.executable).with_name("radius2fa")
TOKENS = 100_000

CONFIGURATION = """
[store]
url = "sqlite:///{folder}/radius2fa.db"
key_file = "{folder}/master.key"

[[directory]]
urls = ["ldap://127.0.0.1:1"]
start_tls = false
base = "dc=example,dc=org"

[[client]]
name = "gateway"
addresses = ["127.0.0.1/32"]
secret = "nobody sends anything to this one"
"""

PACKAGE = """\
  <KeyPackage>
    <DeviceInfo>
      <Manufacturer>ACME</Manufacturer>
      <SerialNo>{serial}</SerialNo>
    </DeviceInfo>
    <Key Id="{serial}" Algorithm="urn:ietf:params:xml:ns:keyprov:pskc:totp">
      <AlgorithmParameters>
        <ResponseFormat Length="6" Encoding="DECIMAL"/>
      </AlgorithmParameters>
      <Data>
        <Secret>
          <PlainValue>{seed}</PlainValue>
        </Secret>
        <Time>
          <PlainValue>0</PlainValue>
        </Time>
        <TimeInterval>
          <PlainValue>60</PlainValue>
        </TimeInterval>
      </Data>
      <Policy>
        <StartDate>2024-08-01T00:00:00Z</StartDate>
        <ExpiryDate>2037-12-31T00:00:00Z</ExpiryDate>
      </Policy>
    </Key>
  </KeyPackage>
"""


def table(count: int) -> Iterator[str]:
    """Yield the lines of an OATH CSV."""
    for number in range(count):
        yield f"{2_600_000_000_000 + number},{os.urandom(20).hex()},totp,6,30,0\n"


def container(count: int) -> Iterator[str]:
    """Yield a PSKC file, one package after the other."""
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield '<KeyContainer Version="1.0" xmlns="urn:ietf:params:xml:ns:keyprov:pskc">\n'
    for number in range(count):
        seed = base64.b64encode(os.urandom(20)).decode()
        yield PACKAGE.format(serial=2_600_000_000_000 + number, seed=seed)
    yield "</KeyContainer>\n"


FILES: dict[str, Callable[[int], Iterator[str]]] = {"csv": table, "pskc": container}


def importing(count: int = TOKENS) -> dict:
    """Import a file of each format into a database of its own, and return the figures of each.

    `seconds` are those of the whole program, `resident_mb` the most memory that it had (10**6 octets).
    """
    return {name: measured(name, count) for name in FILES}


def measured(name: str, count: int) -> dict:
    """Import one file."""
    with tempfile.TemporaryDirectory(prefix="radius2fa-bench-") as place:
        folder = Path(place)
        configuration, file = folder / "radius2fa.toml", folder / "tokens"
        run(configuration, "init", "--state", place)
        configuration.write_text(CONFIGURATION.format(folder=folder))
        with file.open("w") as out:
            out.writelines(FILES[name](count))
        took = run(configuration, "token", "import", str(file))
        return {
            "tokens": count,
            "file_mb": round(file.stat().st_size / 1e6, 1),
            "seconds": took["seconds"],
            "resident_mb": took["resident_mb"],
        }


def run(configuration: Path, *arguments: str) -> dict:
    """Run the program to its end, and return what it took."""
    return figures(beside("bench.command", str(PROGRAM), "--config", str(configuration), *arguments))


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="bench.importing", description="Measure an import on this machine.")
    parser.add_argument("--tokens", type=int, default=TOKENS)
    for name, found in importing(parser.parse_args().tokens).items():
        size, cost = (
            f"{found['tokens']:,} tokens, {found['file_mb']} MB",
            f"{found['seconds']} s, {found['resident_mb']} MB",
        )
        print(f"{name}: {size}: {cost}")


if __name__ == "__main__":
    main()
