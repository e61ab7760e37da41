"""Every event is as its published schema says; and every schema is of an event that there is."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import orjson
import pytest
from django.db.models import Max
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

from events import log
from events.envelope import VERSION, entry_envelopes, envelope
from events.models import Event
from events.sequencer import sequence
from events.types import TYPES

FOLDER = Path(__file__).parent.parent.parent / "docs" / "events"
SCHEMAS = {
    path.name.removesuffix(f".v{VERSION}.json"): orjson.loads(path.read_bytes()) for path in FOLDER.glob("*.json")
}
REGISTRY = Registry().with_resources((schema["$id"], Resource.from_contents(schema)) for schema in SCHEMAS.values())


def check(name, value):
    Draft202012Validator(SCHEMAS[name], registry=REGISTRY, format_checker=FormatChecker()).validate(value)


@pytest.fixture
def story(shop):
    """Wallets and payments that come to rest in every way; returns all that was told of them."""
    while sequence():
        pass
    before = Event.objects.aggregate(last=Max("position"))["last"] or 0  # what other tests have told
    ann, bob = shop.wallet(holding="100.00"), shop.wallet()

    def hold(amount, **more):
        return shop.pay(ann, bob, amount, capture=False, **more).json()["id"]

    shop.pay(ann, bob, "1000.00", metadata={"order": "7"})
    paid = shop.pay(ann, bob, "3.00", description="Order 7").json()["id"]
    shop.post(f"/payments/{paid}/refund", {"amount": "1.00"})
    shop.post(f"/payments/{hold('2.00')}/void", {})
    partly = hold("5.00")
    shop.post(f"/payments/{partly}/capture", {"amount": "2.00", "final": False})
    shop.post(f"/payments/{partly}/reauthorize", {"amount": "6.00"})
    shop.post(f"/payments/{partly}/extend", {"expires_in": 900_000})
    shop.post(f"/payments/{partly}/void", {})
    shop.post(f"/payments/{hold('2.00')}/capture", {})
    shop.set_status(bob, "SUSPENDED")
    shop.pay(ann, bob, "1.00")
    shop.unfreeze(bob)
    closing = shop.wallet()
    shop.set_status(closing, "SUSPENDED")
    shop.set_status(closing, "CLOSED")
    while sequence():
        pass
    return [event for event in log.read(after=before, limit=100_000) if event.correlation_id]


def test_every_event_is_as_its_schema_says(story):
    for event in story:
        told = orjson.loads(envelope(event))
        check("envelope", told)
        assert told["dataschema"] == SCHEMAS[event.type]["$id"]
        check(event.type, told["data"])
        for _, entry in entry_envelopes(event):
            check("entry.posted", orjson.loads(entry)["data"])
    told_types = {event.type for event in story}
    assert told_types >= set(TYPES) - {"payment.created", "payment.expired"}


def test_there_is_a_schema_for_each_type_and_each_is_sound():
    assert set(SCHEMAS) == {*TYPES, "entry.posted", "payment", "wallet", "entry", "envelope"}
    for schema in SCHEMAS.values():
        Draft202012Validator.check_schema(schema)


def test_a_schema_refuses_what_is_not_of_it(story):
    settled = orjson.loads(next(event.data for event in story if event.type == "payment.settled"))

    for wrong in (
        settled | {"amount": 12.5},
        settled | {"status": "FAILED"},
        settled | {"surplus": 1},
        {name: value for name, value in settled.items() if name != "entries"},
    ):
        assert not Draft202012Validator(SCHEMAS["payment.settled"], registry=REGISTRY).is_valid(wrong)


def test_the_correlation_id_is_the_request_s(shop):
    wallet = shop.wallet()
    paid = shop.post("/topups", {"wallet_id": wallet, "amount": "1.00"})
    while sequence():
        pass

    told = log.read_of_wallet(UUID(wallet), after=0, limit=9, types=["payment.settled"])
    assert [event.correlation_id for event in told] == [paid["X-Request-ID"]]
