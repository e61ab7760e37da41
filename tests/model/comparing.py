"""Hold an answer of the platform beside the model's, and say in one line where they differ."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

AMOUNTS = ("capturable_amount", "refundable_amount", "captured_amount", "allowed", "left")


class Ids:
    """Which id the platform gave to each payment of the model."""

    def __init__(self) -> None:
        self.by_number: dict[int, str] = {}

    def learn(self, number: int, id: str) -> list[str]:
        known = self.by_number.setdefault(number, id)
        return [] if known == id else [f"payment {number} is {id}, and was {known}"]


def differences(
    expected: Mapping[str, Any], status: int, body: Mapping[str, Any], replayed: bool, ids: Ids
) -> list[str]:
    """Compare an answer (of one request, or of a bundle) with what the model expects."""
    if status != expected["status"]:
        return [f"answered {status} {body.get('code')}, expected {expected['status']} {expected['code']}"]
    found = [] if replayed == bool(expected.get("replayed")) else [f"replayed: {replayed}"]
    if expected["code"] is not None:
        return found + _problem(expected, body, ids)
    if "results" in expected:
        return found + _results(expected["results"], body, ids)
    return found + _payment(expected, body, ids)


def _problem(expected: Mapping[str, Any], body: Mapping[str, Any], ids: Ids) -> list[str]:
    found = []
    if body["code"] != expected["code"]:
        found.append(f"code {body['code']}, expected {expected['code']}")
    for name in ("current_state", "limit"):
        if body.get(name) != expected.get(name):
            found.append(f"{name} {body.get(name)}, expected {expected.get(name)}")
    for name in AMOUNTS:
        told = None if name not in body else Decimal(body[name])
        if told != expected.get(name):
            found.append(f"{name} {told}, expected {expected.get(name)}")
    if ("payment" in expected) != ("payment_id" in body):
        found.append(f"payment_id {body.get('payment_id')}, expected payment {expected.get('payment')}")
    elif "payment" in expected:
        found += ids.learn(expected["payment"], body["payment_id"])
    if "place" in expected and not body["errors"][0]["pointer"].endswith(f"/{expected['place']}"):
        found.append(f"errors {body['errors']}, expected place {expected['place']}")
    return found


def _results(expected: list[Mapping[str, Any]], body: Mapping[str, Any], ids: Ids) -> list[str]:
    if "data" in body:
        return [
            one for wanted, shown in zip(expected, body["data"], strict=True) for one in _payment(wanted, shown, ids)
        ]
    found = []
    for place, (wanted, result) in enumerate(zip(expected, body["results"], strict=True)):
        inner = result.get("payment") or result["problem"]
        for one in differences(wanted, result["status"], inner, result["replayed"], ids):
            found.append(f"item {place}: {one}")
    return found


def _payment(expected: Mapping[str, Any], body: Mapping[str, Any], ids: Ids) -> list[str]:
    shown = dict(expected["shown"])
    found = ids.learn(expected["payment"], body["id"])
    parent = shown.pop("parent")
    if body["parent_id"] != (None if parent is None else ids.by_number[parent]):
        found.append(f"parent {body['parent_id']}, expected payment {parent}")
    for name, wanted in shown.items():
        told = Decimal(body[name]) if isinstance(wanted, Decimal) else body[name]
        if told != wanted:
            found.append(f"{name} {told}, expected {wanted}")
    return found
