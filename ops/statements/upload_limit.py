"""Nobody fills the disk: a request with files is as long as the longest statement, and a little for the form."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler

from ops.statements.reading import MOST_BYTES

# Of the form around the file.
SLACK = 64 * 1024


class UploadLimit(FileUploadHandler):
    """Refuses a request by its announced length, which the server holds it to, before anything is read."""

    def handle_raw_input(
        self, input_data: Any, META: Any, content_length: int, boundary: Any, encoding: str | None = None
    ) -> None:
        if content_length > MOST_BYTES + SLACK:
            raise RequestDataTooBig(f"Files have {MOST_BYTES // 1024**2} MiB at most.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None
