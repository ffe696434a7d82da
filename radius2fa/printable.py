"""Owns making text from outside safe to show: in a log, on a terminal, in a table."""


def printable(text: str) -> str:
    """Return the text with every character that prints nothing written as an escape.

    No such text can begin a line, steer a terminal or turn the direction of writing.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape", "surrogatepass").decode() for one in text)
