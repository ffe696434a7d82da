"""Owns `radius2fa token add`: a new token for somebody, by QR code or with a secret that exists."""

import os
import time
from contextlib import closing
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from radius2fa.cli.confirming import confirmed
from radius2fa.cli.finding import no_room
from radius2fa.cli.moments import beginning, ending, require_order
from radius2fa.cli.opening import NO, USAGE, fail, open_settings, open_store
from radius2fa.cli.person import entry_of
from radius2fa.cli.token_facts import form
from radius2fa.otp.token import Algorithm, Kind, Token, YubiKey
from radius2fa.printable import printable

if TYPE_CHECKING:  # imported where they are needed: each of them is heavy
    from radius2fa.enrol.enrolment import Form
    from radius2fa.store.engine import Store
    from radius2fa.store.tokens import NewToken


class Device(StrEnum):
    """The kinds of token that are added. Codes that are handed out are made by `radius2fa user`."""

    TOTP = Kind.TOTP
    HOTP = Kind.HOTP
    YUBIKEY = Kind.YUBIKEY


def add(
    user: Annotated[str, typer.Argument(metavar="USER", help="Whose it is: a name that they log in with.")],
    *,
    kind: Annotated[Device, typer.Option(help="What makes the next code: time, a button, or a YubiKey.")] = Device.TOTP,
    digits: Annotated[int, typer.Option(help="The length of a code: 6 or 8.")] = 6,
    period: Annotated[int, typer.Option(help="The seconds that a code of a TOTP token lasts: 30 or 60.")] = 30,
    algorithm: Annotated[
        Algorithm, typer.Option(case_sensitive=False, help="The hash; many apps know SHA1 only.")
    ] = Algorithm.SHA1,
    label: Annotated[str, typer.Option(help="A note that tells this token from others.")] = "",
    serial: Annotated[str | None, typer.Option(help="The serial number of a hardware token.")] = None,
    public_id: Annotated[
        str | None,
        typer.Option(metavar="MODHEX", help="What a YubiKey types in front of each code; '' if it is nothing."),
    ] = None,
    seed_file: Annotated[
        typer.FileText | None,
        typer.Option(
            metavar="FILE",
            errors="replace",
            help="The seed of a token that exists, in hex or base32; of a YubiKey its private id and its AES key, in "
            "hex. - reads it from standard input.",
        ),
    ] = None,
    valid_from: Annotated[
        float | None, typer.Option(parser=beginning, metavar="TIME", help="The day or time from which it may answer.")
    ] = None,
    valid_until: Annotated[
        float | None, typer.Option(parser=ending, metavar="TIME", help="The last day, or the time that ends it.")
    ] = None,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Ask for a first code. Until one is right, nothing is added.")
    ] = False,
) -> None:
    """Give USER a new token, and show its secret as a QR code and for typing.

    With --seed-file the token has its secret already, and nothing is shown. A YubiKey always has.
    """
    from radius2fa.enrol.enrolment import Form  # noqa: PLC0415 - heavy
    from radius2fa.store.tokens import NewToken  # noqa: PLC0415 - heavy

    require_order(valid_from, valid_until)
    oath, secret = Form(Kind(kind), algorithm, digits, period), None if seed_file is None else seed_file.read()
    token = _yubikey(oath, public_id, secret) if kind is Device.YUBIKEY else _oath(oath, public_id, secret)
    settings = open_settings()
    entry = entry_of(user, settings)
    new = NewToken(token, entry.subject, entry.name, label, serial, valid_from, valid_until)
    with closing(open_store(settings)) as store:
        if confirm:
            _require_possible(store, new, entry.name)
        else:
            _keep(store, new, entry.name)
        if isinstance(token, Token) and secret is None:
            show_secret(token, settings.codes.issuer, entry.name)
        if confirm:
            used = confirmed(token, settings.codes) or _not_confirmed(kind, shown=secret is None)
            _keep(store, replace(new, token=used), entry.name)
            typer.echo("The code is right.")
    typer.echo(f"Token {token.id} for {printable(entry.name)}: {form(token)}.")


def show_secret(token: Token, issuer: str, account: str) -> None:
    """Print a token's secret, as a QR code and for typing."""
    from radius2fa.enrol.enrolment import present  # noqa: PLC0415 - heavy
    from radius2fa.enrol.qr import draw  # noqa: PLC0415 - heavy

    made = present(token, issuer, account)
    typer.echo(draw(made.uri))
    typer.echo(f"Secret: {made.secret}")


def _oath(form: "Form", public_id: str | None, secret: str | None) -> Token:
    from radius2fa.enrol import enrolment, seed  # noqa: PLC0415 - heavy

    if public_id is not None:
        fail(USAGE, "only a YubiKey has a --public-id: give --kind yubikey as well")
    try:
        return enrolment.begin(form, os.urandom, None if secret is None else seed.read(secret))
    except ValueError as wrong:
        fail(USAGE, str(wrong))


def _yubikey(form: "Form", public_id: str | None, secret: str | None) -> YubiKey:
    from radius2fa.enrol import enrolment, yubikey  # noqa: PLC0415 - heavy

    if form != enrolment.Form(form.kind):
        fail(USAGE, "a YubiKey's codes have one form: leave --digits, --period and --algorithm out")
    if secret is None:
        fail(USAGE, _HOW_TO_WRITE_ONE)
    if public_id is None:
        fail(USAGE, "which YubiKey? Give --public-id with the letters that it types in front of each code")
    try:
        return yubikey.begin(public_id, yubikey.read(secret), os.urandom)
    except ValueError as wrong:
        fail(USAGE, str(wrong))


_HOW_TO_WRITE_ONE = (
    "a YubiKey's secret is written into the key by Yubico's own program: run "
    "`ykman otp yubiotp 2 --serial-public-id --generate-private-id --generate-key`, write the private id and the "
    "secret key that it shows into a file, and give that as --seed-file, and the public id as --public-id"
)


def _require_possible(store: "Store", new: "NewToken", name: str) -> None:
    """End the program with 1 if the token could not be added: or somebody would scan its QR code for nothing."""
    from radius2fa.store.tokens import Intake  # noqa: PLC0415 - heavy

    [fate] = store.tokens.take_in([new], time.time(), dry=True)
    if fate is Intake.TOO_MANY:
        no_room(name)
    if fate is not Intake.ADDED:
        named = (("serial", new.serial), ("public id", new.public_id))
        names = " or the ".join(f"{field} {value}" for field, value in named if value is not None)
        fail(NO, printable(f"a token with the {names} exists already"))


def _keep(store: "Store", new: "NewToken", name: str) -> None:
    from radius2fa.store.tokens import Taken, TooManyTokens  # noqa: PLC0415 - heavy

    try:
        store.tokens.add(new, time.time())
    except TooManyTokens:
        no_room(name)
    except Taken as taken:
        fail(NO, printable(str(taken)))


def _not_confirmed(kind: Device, *, shown: bool) -> NoReturn:
    """End the program with 1, for want of a right code, and say what to do."""
    if kind is Device.YUBIKEY:
        remedy = "compare the public id, the private id and the key with those of the slot that was touched"
    elif shown:
        remedy = "delete the token from the app, see that the clocks are right"
    else:
        remedy = "compare the seed, and the kind and form of the codes, with the token, see that the clocks are right"
    fail(NO, f"nothing was added, for want of a right code: {remedy}, and run the command again")
