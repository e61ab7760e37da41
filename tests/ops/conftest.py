"""A story in a database of its own, copied for each test that spoils it."""

from __future__ import annotations

from uuid import uuid4

import psycopg
import pytest
from django.test import override_settings

from ledger.database import close_money_pool
from tests.conftest import admin_url, drop_database, make_database, use_database
from tests.ops.story import tell_story


@pytest.fixture(scope="module")
def told(database):
    """A database where a story was told, to be copied; with the names of what is in it."""
    name = f"reconcile_story_{uuid4().hex[:12]}"
    make_database(name)
    use_database(name)
    try:
        with override_settings(PAYMENT_POLICY="tests.payments.policies.by_metadata"):
            names = tell_story()
        yield name, names
    finally:
        use_database(database)
        drop_database(name)


@pytest.fixture
def own_database(database, told):
    """A copy of the story's database, to spoil."""
    name = f"reconcile_{uuid4().hex[:12]}"
    close_money_pool()
    use_database(name)
    with psycopg.connect(admin_url(), autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{told[0]}" OWNER owner')
        admin.execute(f'GRANT CONNECT ON DATABASE "{name}" TO app')
    try:
        yield name
    finally:
        close_money_pool()
        use_database(database)
        drop_database(name)


@pytest.fixture
def story(own_database, told):
    """The names of what is in the story."""
    return told[1] | {"made": str(uuid4())}
