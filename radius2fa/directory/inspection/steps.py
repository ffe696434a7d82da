"""Owns the words in which an inspection tells what it tried with a server, and how that went."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was tried. `detail` says what was found, or the fault; `remedy` is "" where all is well.

    A step that is ok and has a remedy nevertheless is a warning: logins work, and there is something to be done.
    `expires` is the end of the server's certificate in Unix seconds, at the step that saw one.
    """

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    expires: float | None = None


class Fault(Exception):  # noqa: N818 - the failed step, with which an inspection ends
    """A step that failed, after which no other can be tried."""

    def __init__(self, name: str, detail: str, remedy: str) -> None:
        """Say which step it is, what is wrong, and what to do."""
        super().__init__(detail)
        self.step = Step(name, ok=False, detail=detail, remedy=remedy)


@dataclass(frozen=True, slots=True)
class ServerReport:
    """What was tried with one server, up to the first fault."""

    url: str
    steps: tuple[Step, ...]

    @property
    def ok(self) -> bool:
        """Tell whether every step went well."""
        return all(step.ok for step in self.steps)

    @property
    def certificate_expires(self) -> float | None:
        """Return the end of the server's certificate in Unix seconds; None where none was accepted."""
        return next((step.expires for step in self.steps if step.expires is not None), None)
