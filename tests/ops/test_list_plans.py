"""No page of the console reads more the larger the ledger is: asked of the database itself, at 50,000 payments."""

from __future__ import annotations

import pytest
from django.db import connection

from tests.ops.large import WIDEST, large_ledger, look_at_all

MOST_QUERIES = 12


@pytest.fixture(scope="module")
def large(database):
    with large_ledger(f"{database}_large", 50_000, back_to=database):
        yield


def test_no_page_scans_counts_or_asks_too_often(large):
    assert connection.settings_dict["NAME"].endswith("_large")
    wrong = []
    for seen in look_at_all():
        if seen.status != 200 or seen.queries > MOST_QUERIES or seen.counted or seen.rows > WIDEST:
            wrong.append((seen.name, seen.status, seen.queries, seen.rows, seen.counted or seen.widest[:1500]))
    assert not wrong
