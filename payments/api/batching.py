"""``POST /payments/batch``: up to 5,000 payments in one request and one database transaction."""

from __future__ import annotations

from typing import Any

from django.core.validators import RegexValidator
from django.http import HttpRequest, HttpResponse
from rest_framework import serializers

from payments.api.money import DRY_RUN, PROBLEMS, MoneyView
from payments.api.moving import TRANSFER, WALLET_MONEY, check_backdating, move_command
from payments.api.serializers import MAX_BATCH, PaymentAnswer
from payments.bundles import Batch
from payments.commands import Move
from walletplatform.api.fields import FlagField, StrictSerializer, TextField, WholeNumberField, validated
from walletplatform.api.idempotency import fingerprint
from walletplatform.api.problems import Problem, invalid
from walletplatform.api.schema import KEY_HEADER, ProblemDocument, operation

# The kinds that an item may be of, with the path and the shape of the same payment alone.
SINGLE = {
    "transfer": ("/api/v1/payments", TRANSFER),
    "topup": ("/api/v1/topups", WALLET_MONEY),
    "bonus": ("/api/v1/bonuses", WALLET_MONEY),
    "spend": ("/api/v1/spends", WALLET_MONEY),
}
OF_THE_TREASURY = frozenset({"topup", "bonus"})
OWN_FIELDS = ("idempotency_key", "kind", "after")
SHOWN_ERRORS = 20
# An end user's batch holds wallets of strangers: those whom it pays.
MAX_OF_A_USER = 100


class BatchItem(StrictSerializer):
    """What an item says besides the fields of the same payment alone."""

    idempotency_key = TextField(validators=[RegexValidator(r"\A[\x21-\x7e]{1,255}\Z")])
    kind = serializers.ChoiceField(list(SINGLE), required=False, default="transfer")
    after = WholeNumberField(required=False, min_value=0, help_text="The index of an earlier item: fails with it.")


class BatchRequest(StrictSerializer):
    mode = serializers.ChoiceField(["independent", "atomic"])
    payments = serializers.ListField(
        child=serializers.DictField(),
        min_length=1,
        max_length=MAX_BATCH,
        help_text="Each with idempotency_key, kind (transfer), after, and the fields of that payment alone."
        f" {MAX_OF_A_USER} at most from an end user.",
    )


class BatchResult(StrictSerializer):
    index = serializers.IntegerField()
    idempotency_key = TextField()
    status = serializers.IntegerField(help_text="The HTTP status that it would have alone.")
    replayed = FlagField()
    payment = PaymentAnswer(required=False)
    problem = ProblemDocument(required=False)


class BatchAnswer(StrictSerializer):
    mode = TextField()
    results = BatchResult(many=True)


ITEM = BatchItem()
EXAMPLE = {
    "mode": "atomic",
    "payments": [
        {
            "idempotency_key": "order-1001",
            "sender_wallet_id": "01939f3e-5f1c-7d3a-8b52-5a2f3c1d9e77",
            "receiver_wallet_id": "01939f3e-6a20-7c11-9f0e-3b6d8e2a4c55",
            "amount": "12.50",
        },
    ],
}


class BatchView(MoneyView):
    scopes = {"POST": "payments:write"}
    max_body = 2 * 1024 * 1024

    @operation(
        "Make many payments in one request",
        request=BatchRequest,
        answer=BatchAnswer,
        problems=[*PROBLEMS, "invalid_state", "predecessor_failed"],
        parameters=[KEY_HEADER, DRY_RUN],
        example=EXAMPLE,
        description="`independent`: each on its own. `atomic`: all or none; the first refusal is the answer.",
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        raw = self.body(request)
        mode, items = _envelope(raw, most=MAX_OF_A_USER if self.principal.is_user else MAX_BATCH)
        read = _read_items(items)
        for kind, fields, _ in read:
            check_backdating(self.principal, fields)
            if kind in OF_THE_TREASURY and "treasury:write" not in self.principal.scopes:
                raise Problem("forbidden", "The token lacks the scope treasury:write.")
        asked = self.asked(request, raw)
        for index, item in enumerate(items):
            if item["idempotency_key"] == asked["key"]:
                detail = "This is the key of the batch: a key stands for one request."
                raise invalid(f"/payments/{index}/idempotency_key", "key_of_the_batch", detail)
        commands = [
            self._command(kind, fields, item, asked) for (kind, fields, _), item in zip(read, items, strict=True)
        ]
        batch = Batch(
            **asked, commands=commands, after=[after for _, _, after in read], atomic=mode == "atomic",
            pointer="/payments", status=200,
        )  # fmt: skip
        return self.run_bundle(request, batch, kinds=[command.kind for command in commands])

    def _command(self, kind: str, fields: dict[str, Any], item: dict[str, Any], asked: dict[str, Any]) -> Move:
        alone = {name: value for name, value in item.items() if name not in OWN_FIELDS}
        own = {"key": item["idempotency_key"], "fingerprint": fingerprint("POST", SINGLE[kind][0], alone)}
        return move_command(kind, fields, asked | own)


def _envelope(raw: Any, *, most: int) -> tuple[str, list[Any]]:
    """
    Return a batch's mode and items. The items are looked at one by one, each by its own shape.

    :raises Problem: ``validation_error``
    """
    if not isinstance(raw, dict):
        raise invalid("", "invalid", "A batch is an object.")
    if unknown := raw.keys() - {"mode", "payments"}:
        raise invalid(f"/{min(unknown)[:60]}", "unknown_field", "There is no such field.")
    mode, items = raw.get("mode"), raw.get("payments")
    if mode not in ("independent", "atomic"):
        raise invalid("/mode", "invalid", "One of: independent, atomic.")
    if not isinstance(items, list) or not 1 <= len(items) <= most:
        raise invalid("/payments", "invalid", f"A batch is a list of 1 to {most} payments.")
    return str(mode), items


def _read_items(items: list[Any]) -> list[tuple[str, dict[str, Any], int | None]]:
    """
    Return of each item its kind, the fields of the same payment alone, and what it comes after.

    :raises Problem: ``validation_error`` with a pointer for each field of each item, the first twenty
    """
    read: list[tuple[str, dict[str, Any], int | None]] = []
    errors: list[dict[str, str]] = []
    for index, item in enumerate(items):
        try:
            read.append(read_item(item, index))
        except Problem as problem:
            found = problem.errors or []
            errors += [error | {"pointer": f"/payments/{index}{error['pointer']}"} for error in found]
            if len(errors) >= SHOWN_ERRORS:
                break
    if errors:
        raise Problem("validation_error", "The request has errors.", errors=errors[:SHOWN_ERRORS])
    return read


def read_item(item: Any, index: int) -> tuple[str, dict[str, Any], int | None]:
    """
    Return an item's kind, the fields of the same payment alone, and what it comes after.

    :raises Problem: ``validation_error``
    """
    if not isinstance(item, dict):
        raise invalid("", "invalid", "A payment is an object.")
    own = validated(ITEM, {name: item[name] for name in OWN_FIELDS if name in item})
    after = own.get("after")
    if after is not None and after >= index:
        raise invalid("/after", "not_earlier", "A payment comes after an earlier one of its batch.")
    serializer = SINGLE[own["kind"]][1]
    fields = validated(serializer, {name: value for name, value in item.items() if name not in OWN_FIELDS})
    return own["kind"], fields, after
