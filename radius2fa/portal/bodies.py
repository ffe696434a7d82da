"""Owns how what a browser sends is held while it is read: in memory, since an import file is full of secrets."""

import io
from typing import IO

from flask import Request


class InMemory(Request):
    """A request whose files are written to no disk, however large. The application bounds the whole of it."""

    def _get_file_stream(
        self,
        total_content_length: int | None,  # noqa: ARG002 - werkzeug's signature
        content_type: str | None,  # noqa: ARG002 - as above
        filename: str | None = None,  # noqa: ARG002 - as above
        content_length: int | None = None,  # noqa: ARG002 - as above
    ) -> IO[bytes]:
        """Return what a file is held in; werkzeug's own would put larger ones into a temporary file."""
        return io.BytesIO()
