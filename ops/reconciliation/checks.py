"""
What a check is: a query whose rows are differences.

Its columns are the subject's id, what was expected and what is there (both JSON; amounts are minor units, as text).
None of it shares a line with the money path or with ``verify_ledger``: a mistake made there is not made here again.
Each looks up what it needs by index, subject by subject, so that it costs what its chunk costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Of each kind in one run: somebody who has that many needs no more to begin with.
MOST_KEPT = 1_000

# An amount with its sign, of an entry ``e``.
CHANGE = "(e.amount * CASE WHEN e.direction = 'CREDIT' THEN 1 WHEN e.direction = 'DEBIT' THEN -1 END)"


@dataclass(frozen=True, slots=True)
class Check:
    """
    A promise, and the query for what breaks it: parameters as its module says, and ``limit``.

    ``kind`` names the finding; ``subject`` is the type of what it is about.
    """

    kind: str
    promise: str
    says: str
    subject: str
    sql: str


@dataclass(frozen=True, slots=True)
class Difference:
    """What a check has found, before it is on record."""

    kind: str
    subject_type: str
    subject_id: str
    evidence: Mapping[str, object]
