"""Owns the ruling on one visit, in words: which rule holds, why those before it do not, and what it asks for."""

import typer

from radius2fa.cli.deciding import Asker, rule_words, token_words
from radius2fa.cli.showing import local_time, print_facts, print_table
from radius2fa.login.case import Visit
from radius2fa.login.policy import Rule, Rules, SecondFactor, Unfit, obstacles
from radius2fa.login.ports import Entry, Standing
from radius2fa.otp.token import Kind
from radius2fa.radius.attributes import ReplyAttribute, shown

NEVER = "cannot log in, whatever is typed"


class Ruling:
    """What the rules say of one visit at `now` (Unix seconds), to be shown. `verdict` says how it can end."""

    def __init__(self, rules: Rules, asker: Asker, visit: Visit, now: float) -> None:
        """Take the rules, and what they are to be applied to."""
        self._asker = asker
        self._visit = visit
        self._now = now
        self._rules = rules.in_order
        self.verdict = _verdict(visit, now)

    def print(self, *, several: bool) -> None:
        """Print it for people; `several` directories need to be told apart."""
        visit, asker = self._visit, self._asker
        print_facts(
            [
                ("User", f"{visit.entry.name} ({visit.entry.dn})"),
                *([("Directory", visit.entry.directory)] if several else []),
                *(("Group", group) for group in sorted(visit.entry.groups)),
                ("Client", asker.client.name),
                ("From", str(asker.address or asker.source or "not told")),
                ("Tokens", token_words(visit.standing.tokens) or "none"),
            ]
        )
        typer.echo()
        print_table(("", "Rule", ""), [(str(number), *row) for number, row in enumerate(self._trail(), 1)])
        typer.echo()
        print_facts(
            [
                ("Rule", rule_words(visit.rule, self._now)),
                *(("Reply", words) for words in _reply_words(visit.rule, visit.entry)),
                ("So", f"{visit.entry.name} {self.verdict}"),
            ]
        )

    def described(self) -> dict[str, object]:
        """Return it as JSON has it."""
        visit, asker = self._visit, self._asker
        return {
            "user": visit.entry.name,
            "dn": visit.entry.dn,
            "directory": visit.entry.directory,
            "groups": sorted(visit.entry.groups),
            "client": asker.client.name,
            "from": str(asker.address or asker.source),
            "rules": [{"name": name, "why": why} for name, why in self._trail()],
            "rule": visit.rule.name or None,
            "second_factor": visit.rule.asks_at(self._now),
            "tokens": [{"id": token.id, "kind": token.kind} for token in visit.standing.tokens],
            "reply": list(_reply_words(visit.rule, visit.entry)),
            "verdict": self.verdict,
        }

    def _trail(self) -> list[tuple[str, str]]:
        """Return each rule with a word on it, down to the one that matches."""
        trail = []
        for rule in self._rules:
            against = obstacles(rule, self._asker.client.name, self._visit.entry, self._asker.address)
            trail.append((rule.name, ", ".join(against) or "matches"))
            if not against:
                return trail
        return [*trail, ("(none)", "what holds where no rule matches")]


def _verdict(visit: Visit, now: float) -> str:
    """Say how a login ends that is right in all that is typed."""
    rule, standing = visit.rule, visit.standing
    if rule.second_factor is SecondFactor.DENY or rule.shuts_out(visit.entry):
        return NEVER
    try:
        rule.reply(visit.entry)
    except Unfit:
        return "cannot log in before the reply can be made: correct the entry in the directory"
    if now < standing.bypass_until:
        return f"needs no code until {local_time(standing.bypass_until)}: a bypass is in force"
    if rule.spares(now, enrolled=standing.enrolled):
        return "logs in with the password alone"
    return _verdict_on_tokens(rule, standing)


def _verdict_on_tokens(rule: Rule, standing: Standing) -> str:
    if rule.lets_adopt(enrolled=standing.enrolled):
        return "has no token yet; a YubiKey out of the stock becomes theirs by their first login with it"
    if not any(rule.allows(token.kind) for token in standing.tokens):
        if standing.enrolled and rule.allows(Kind.PASSKEY):
            return (
                "has no code that may answer here; by a passkey, if they have one, the portal gives them a login code"
            )
        return "has no token that may answer here, and cannot log in before there is one"
    return "logs in with password and code"


def _reply_words(rule: Rule, entry: Entry) -> list[str]:
    try:
        return [shown(each) for each in rule.reply(entry) if isinstance(each, ReplyAttribute)]
    except Unfit as unfit:
        return [f"cannot be made, and so the login is refused: {unfit}"]
