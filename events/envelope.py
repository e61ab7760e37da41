"""An event as everybody outside sees it: CloudEvents 1.0 in JSON, the same bytes on every channel and every time."""

from __future__ import annotations

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
    trace = {"traceparent": event.traceparent} if event.traceparent else {}
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": str(event.event_id),
            "source": SOURCE,
            "type": event.type,
            "time": time_text(event.time),
            "subject": str(event.subject),
            "datacontenttype": "application/json",
            "dataschema": f"urn:walletplatform:events:{event.type}:v{VERSION}",
            "correlationid": event.correlation_id,
            **trace,
            "sequence": str(event.position),
            "data": orjson.Fragment(event.data),
        }
    )
