"""
The outbox: facts, written in the database transaction that makes them true.

An outbox id is drawn while the writer holds the locks of the accounts concerned, so ids follow each
wallet's own order. Nothing here knows what a payment or a wallet is.
"""

from django.db import models


class OutboxEvent(models.Model):
    """One fact, in the fields of CloudEvents 1.0; ``data`` is its JSON, as written."""

    id = models.BigAutoField(primary_key=True)
    event_id = models.UUIDField()
    type = models.CharField(max_length=40)
    subject = models.UUIDField(help_text="The wallet or payment that it is about.")
    time = models.DateTimeField()
    correlation_id = models.CharField(max_length=128)
    traceparent = models.CharField(max_length=64, blank=True)
    data = models.TextField()

    class Meta:
        db_table = "outbox_events"

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"
