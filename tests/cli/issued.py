"""What is asked about codes that commands have handed out."""

import time

from radius2fa.login.place import place_of
from radius2fa.otp.token import Kind
from radius2fa.otp.verify import Match, Windows, check
from tests.cli.helpdesk import Helpdesk
from tests.servers.slapd import Slapd

LETTERS = r"[0-9a-hjkmnp-tv-z]{5}-[0-9a-hjkmnp-tv-z]{5}"  # Crockford's base32


def answers(desk: Helpdesk, slapd: Slapd, code: str, *, later: float = 0.0) -> Kind | None:
    """What the code is of alice's now, or some seconds later, as a login would judge it."""
    with desk.store() as store:
        now = time.time() + later
        tokens = store.ledger.standing(slapd.entry_uuid("alice"), place_of("vpn", "", None), now).tokens
    verdict = check(tokens, code.encode(), now, Windows(), resync=False)
    kinds = {token.id: token.kind for token in tokens}
    return kinds[verdict.token] if isinstance(verdict, Match) else None
