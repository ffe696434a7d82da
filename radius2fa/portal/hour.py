"""Owns how a page says that its answer shall leave later: the web server keeps it until then, and no thread waits."""

NAME = "X-Radius2fa-Leave-At"  # between page and web server only, which takes it out


def leave_at(monotonic: float) -> tuple[str, str]:
    """Return the header of an answer that shall leave no sooner than at a time (monotonic seconds)."""
    return NAME, repr(monotonic)
