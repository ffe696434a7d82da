"""Owns following an object to everything that it keeps."""

import gc
import types
from collections.abc import Iterator


def reachable(root: object) -> Iterator[object]:
    """Everything that an object leads to, but not through modules, classes and functions."""
    seen: set[int] = set()
    left = [root]
    while left:
        thing = left.pop()
        if id(thing) in seen or isinstance(thing, types.ModuleType | types.FunctionType | types.FrameType | type):
            continue
        seen.add(id(thing))
        yield thing
        left += gc.get_referents(thing)
