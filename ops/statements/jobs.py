"""Matching as jobs: daily for all sources, and for one after each import. Each has transactions of its own."""

from __future__ import annotations

from uuid import UUID

from ops.jobs.registry import Payload, job
from ops.statements.matching import match_all, match_source
from ops.statements.uploading import forget_old


@job("statements.match", queue="jobs", outside=True, title="Match what is left of all statements")
def match_what_is_left(payload: Payload) -> None:
    match_all()
    forget_old()


@job("statements.match_source", queue="jobs", outside=True, title="Match a statement with the ledger")
def match_one(payload: Payload) -> None:
    match_source(UUID(payload["source"]))
