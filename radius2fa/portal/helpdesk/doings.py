"""Owns what the helpdesk and administrators do for somebody: who may do it, what it takes, and what comes of it.

Everything is written down with who did it and why. What is shown once is returned, and kept nowhere.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from werkzeug.exceptions import Forbidden

from radius2fa.enrol.enrolment import confirm
from radius2fa.otp.token import Kind, Token
from radius2fa.otp.verify import Match, Windows, resync
from radius2fa.portal.attempts import squeezed
from radius2fa.portal.devices import called
from radius2fa.portal.helpdesk.whom import Person, bar
from radius2fa.portal.helpdesk.why import why_typed
from radius2fa.portal.notices import tell
from radius2fa.portal.pen import pen
from radius2fa.portal.visitor import Role, role
from radius2fa.portal.world import World, world
from radius2fa.store.engine import Store
from radius2fa.store.tokens import TokenRow, TooManyTokens

HOUR, DAY = 3600, 86400
CODE_LASTS = (HOUR, 8 * HOUR, DAY, 7 * DAY)  # seconds
MOST_USES = 20
INVITATION_LASTS = (DAY, 7 * DAY, 30 * DAY)
BYPASS_LASTS = (HOUR, 2 * HOUR, 4 * HOUR)  # whoever has the password needs nothing else meanwhile
_LOOK = 1000  # codes ahead: a button may have been pressed any number of times

Fields = Mapping[str, str]


class Refused(Exception):  # noqa: N818 - named by what it means to the visitor
    """It was not done. `key` is that of a text for the visitor."""

    def __init__(self, key: str) -> None:
        """Name the text."""
        super().__init__(key)
        self.key = key


@dataclass(frozen=True, slots=True)
class Given:
    """A code to be given to somebody, which is shown once. `kind` is a key of the words; `until` is in Unix seconds."""

    kind: str
    code: str = field(repr=False)
    until: float
    uses: int


Do = Callable[[Store, Person, Fields], Given | None]


@dataclass(frozen=True, slots=True)
class Doing:
    """Something that can be done: by whom at `least`.

    It `restrains` where it only takes away what lets somebody in. It `enters` where it is of use to those only who are
    in the directory. The person is told of it in the words of `letter`.
    """

    do: Do
    letter: str
    least: Role = Role.HELPDESK
    restrains: bool = False
    enters: bool = False


def allowed(name: str, person: Person) -> bool:
    """Tell whether the visitor may do this to a person, as they are now."""
    doing = _DOINGS[name]
    return (
        role() >= doing.least
        and bar(person, restrains=doing.restrains) is None
        and (person.entry is not None or not doing.enters)
    )


def do(name: str, person: Person, fields: Fields) -> Given | None:
    """Do what the name says, with the fields of a form; return what is to be shown once.

    Raises:
        Forbidden: the visitor may not do this to this person, or there is no such thing.
        Refused: it cannot be done so.

    """
    if name not in _DOINGS or not allowed(name, person):
        raise Forbidden
    why = why_typed(fields)
    if why is None:
        raise Refused("person.why-missing")
    doing, token = _DOINGS[name], _token_in_words(person, fields)
    given = doing.do(pen(why), person, fields)
    if person.entry is not None:
        tell(person.entry, doing.letter, token=token)
    return given


def _token_in_words(person: Person, fields: Fields) -> str:
    """Return what the person calls the token that a form names; of one that is not theirs yet, the serial number."""
    for row in world().store.tokens.list(person.subject) if "token" in fields else ():
        if row.id == fields["token"]:
            return called(row)
    return fields.get("serial", "").strip()


def _unlock(store: Store, person: Person, _: Fields) -> None:
    if not store.accounts.unlock(person.subject):
        raise Refused("person.not-locked")


def _code(store: Store, person: Person, fields: Fields) -> Given:
    lasting, uses = (
        _one_of(CODE_LASTS, fields.get("valid", "")),
        _one_of(range(1, MOST_USES + 1), fields.get("uses", "")),
    )
    now = world().clock.now()
    code = store.codes.new_temporary(person.subject, person.name, until=now + lasting, uses=uses, when=now)
    return Given("code", code, now + lasting, uses)


def _invite(store: Store, person: Person, fields: Fields) -> Given:
    if world().settings.portal.enrolment == "closed":
        raise Refused("person.enrolment-closed")
    lasting, now = _one_of(INVITATION_LASTS, fields.get("valid", "")), world().clock.now()
    code = store.codes.new_invitation(person.subject, person.name, until=now + lasting, when=now)
    return Given("invitation", code, now + lasting, 1)


def _assign(store: Store, person: Person, fields: Fields) -> None:
    here, serial = world(), fields.get("serial", "").strip()
    row = here.store.tokens.get(serial) if serial else None
    if row is None:
        raise Refused("person.no-such-serial")
    if row.subject is not None:
        raise Refused("person.is-theirs" if row.subject == person.subject else "person.is-anothers")
    if not row.active:
        raise Refused("person.is-disabled")
    first, second = (squeezed(fields.get(name, "")) for name in ("code", "second"))
    if first or second:
        _require_at_hand(here, store, row, first, second)
    try:
        given = store.tokens.assign(row.id, person.subject, person.name, here.clock.now())
    except TooManyTokens:
        raise Refused("person.too-many") from None
    if not given:
        raise Refused("person.is-anothers")


def _require_at_hand(here: World, store: Store, row: TokenRow, first: bytes, second: bytes) -> None:
    """Return if the codes are the token's, and have been used up: one, or two of a button.

    Raises:
        Refused: they are not.

    """
    token, now = store.tokens.secret(row.id), here.clock.now()
    match: Match | None = None
    if isinstance(token, Token) and token.kind is Kind.HOTP:
        if not second:
            raise Refused("person.second-code-missing")
        match = resync(token, first, second, now, _LOOK)
    elif token is not None:
        # As far from our clock as a code that needs a second one at a login: one that lay in a drawer has drifted.
        codes = here.settings.codes
        windows = Windows(totp=max(codes.totp_window, codes.totp_resync), hotp=codes.hotp_window)
        match = confirm(token, first, now, windows)
    if match is None or not store.tokens.advance(row.id, match.counter, match.drift, now):
        raise Refused("person.wrong-code")


def _enable(store: Store, person: Person, fields: Fields) -> None:
    try:
        done = store.tokens.set_active(_their_token(store, person, fields).id, True)  # noqa: FBT003 - the value that is set
    except TooManyTokens:
        raise Refused("person.too-many") from None
    _require(done)


def _disable(store: Store, person: Person, fields: Fields) -> None:
    _require(store.tokens.set_active(_their_token(store, person, fields).id, False))  # noqa: FBT003 - as above


def _unassign(store: Store, person: Person, fields: Fields) -> None:
    row = _their_token(store, person, fields)
    if row.kind is Kind.WEBAUTHN:
        raise Refused("person.passkey-is-theirs")
    _require(store.tokens.unassign(row.id))


def _remove(store: Store, person: Person, fields: Fields) -> None:
    _require(store.tokens.remove(_their_token(store, person, fields).id))


def _end_sessions(store: Store, person: Person, _: Fields) -> None:
    if not store.sessions.end_all(person.subject):
        raise Refused("person.no-sessions")


def _end_codes(store: Store, person: Person, _: Fields) -> None:
    if not store.codes.revoke(person.subject):
        raise Refused("person.no-codes")


def _end_invitation(store: Store, person: Person, _: Fields) -> None:
    if not store.codes.revoke_invitation(person.subject):
        raise Refused("person.no-invitation")


def _bypass(store: Store, person: Person, fields: Fields) -> None:
    lasting, now = _one_of(BYPASS_LASTS, fields.get("valid", "")), world().clock.now()
    store.accounts.bypass(person.subject, person.name, now + lasting, now)


def _end_bypass(store: Store, person: Person, _: Fields) -> None:
    if not store.accounts.end_bypass(person.subject, world().clock.now()):
        raise Refused("person.no-bypass")


def _their_token(store: Store, person: Person, fields: Fields) -> TokenRow:
    """Return the token that a form names, if it is this person's: another's has an owner who was not looked at."""
    for row in store.tokens.list(person.subject):
        if row.id == fields.get("token"):
            return row
    raise Refused("person.no-such-token")


def _require(done: bool) -> None:  # noqa: FBT001 - the answer of the store
    if not done:
        raise Refused("person.no-such-token")


def _one_of(choices: tuple[int, ...] | range, typed: str) -> int:
    """Return what was chosen. Raises Refused if it is none of the choices."""
    if typed.isascii() and typed.isdecimal() and len(typed) < 8 and int(typed) in choices:  # noqa: PLR2004 - digits
        return int(typed)
    raise Refused("person.no-such-choice")


_DOINGS = {
    "unlock": Doing(_unlock, "unlocked"),
    "code": Doing(_code, "temporary", enters=True),
    "invite": Doing(_invite, "invited", enters=True),
    "assign": Doing(_assign, "added", enters=True),
    "enable": Doing(_enable, "enabled"),
    "disable": Doing(_disable, "disabled", restrains=True),
    "unassign": Doing(_unassign, "removed"),
    "remove": Doing(_remove, "removed", least=Role.ADMIN),
    "end-sessions": Doing(_end_sessions, "sessions", restrains=True),
    "end-codes": Doing(_end_codes, "temporary-ended", restrains=True),
    "end-invitation": Doing(_end_invitation, "invitation-ended", restrains=True),
    "bypass": Doing(_bypass, "bypass", least=Role.ADMIN, enters=True),
    "end-bypass": Doing(_end_bypass, "bypass-ended", restrains=True),
}
NAMES = tuple(_DOINGS)
OF_TOKENS = ("disable", "enable", "unassign", "remove")
