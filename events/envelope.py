"""An event as everybody outside sees it: CloudEvents 1.0 in JSON, the same bytes on every channel and every time."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import orjson

from events.models import Event
from walletplatform.api.times import time_text

# https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md, formats/json-format.md
CONTENT_TYPE = "application/cloudevents+json"
SOURCE = "/walletplatform"
VERSION = 1


def envelope(event: Event) -> bytes:
    """
    Return the event's JSON.

    ``sequence`` is its position in the log, as text (the Sequence extension); ``correlationid`` the id of
    the request that made it; ``dataschema`` names the shape of ``data``, published under docs/events/.
    """
    return _cloud_event(event, id=str(event.event_id), type=event.type, subject=event.subject, data=event.data)


def entry_envelopes(event: Event) -> list[tuple[str, bytes]]:
    """Return an ``entry.posted`` event for each of a wallet's entries in an event, with the wallet's id."""
    if event.type != "payment.settled":
        return []
    payment = orjson.loads(event.data)
    return [
        (
            entry["account_id"],
            _cloud_event(
                event,
                id=f"{event.event_id}:{place}",
                type="entry.posted",
                subject=entry["account_id"],
                data=orjson.dumps(entry | {"payment_id": payment["id"], "kind": payment["kind"]}),
            ),
        )
        for place, entry in enumerate(payment["entries"])
        if entry["account_kind"] == "wallet"
    ]


def ping_envelope(delivery_id: UUID, time: datetime) -> bytes:
    """Return the event of a webhook's test, which is not of the log."""
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": str(delivery_id),
            "source": SOURCE,
            "type": "webhook.ping",
            "time": time_text(time),
            "datacontenttype": "application/json",
            "data": {},
        }
    )


def _cloud_event(event: Event, *, id: str, type: str, subject: object, data: str | bytes) -> bytes:
    trace = {"traceparent": event.traceparent} if event.traceparent else {}
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": id,
            "source": SOURCE,
            "type": type,
            "time": time_text(event.time),
            "subject": str(subject),
            "datacontenttype": "application/json",
            "dataschema": f"urn:walletplatform:events:{type}:v{VERSION}",
            "correlationid": event.correlation_id,
            **trace,
            "sequence": str(event.position),
            "data": orjson.Fragment(data),
        }
    )
