"""The database's clock, as ``ledger_now()`` tells it on Django's connection."""

from datetime import datetime

from django.db import connection


def now() -> datetime:
    """Return the platform's time. Decisions about money read it under their locks instead."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_now()")
        (moment,) = cursor.fetchone()
    assert isinstance(moment, datetime)
    return moment
