"""Why something about an approval was not done."""

from __future__ import annotations


class Refused(Exception):
    """
    Nothing was changed; ``detail`` is for the person who asked.

    ``code`` is forbidden, not_found, invalid, already_open, own_request, not_pending, expired, tampered or
    target_changed.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
