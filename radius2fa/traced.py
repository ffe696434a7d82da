"""Owns telling of an unexpected exception without what it may quote."""

import traceback


def traced(fault: BaseException) -> str:
    """Tell where an unexpected exception arose and its type, but not its text, which may quote what was typed."""
    frames = traceback.extract_tb(fault.__traceback__)
    where = " < ".join(
        f"{frame.name} ({frame.filename.rpartition('/')[2]}:{frame.lineno})" for frame in reversed(frames)
    )
    return f"{type(fault).__name__} in {where}"
