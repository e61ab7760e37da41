"""Adjustments: what two people have approved, and nobody alone, sets a balance right; nothing is made or lost."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID, uuid4

import orjson
import psycopg
import pytest

from events.sequencer import sequence
from ledger.models import Account
from ops.approvals.actions import ACTIONS
from ops.approvals.executing import execute_approved
from ops.approvals.models import Approval
from ops.approvals.proposing import propose
from ops.approvals.refusing import Refused
from payments.commands import Adjust
from payments.engine import execute
from tests.events.test_schemas import check
from tests.ledger.test_database_rules import connect
from tests.money import rows, snapshot, value
from tests.ops.staff import ROLES, person
from tests.ops.two_people import REASON, allow, approved, ask
from tests.payments.holds import act
from walletplatform.identity.principal import staff


@pytest.fixture
def ann(shop, rare_asset):
    return shop.wallet(rare_asset, holding="10.00")


def account(asset, kind):
    return Account.objects.get(asset_id=asset, kind=kind).pk


def balances(asset):
    found = dict(rows("SELECT kind, sum(balance)::bigint FROM accounts WHERE asset = %s GROUP BY kind", asset))
    assert sum(found.values()) == 0
    return {kind: balance for kind, balance in found.items() if balance}


def adjust(target, amount, direction, **more):
    action = more.pop("action", "wallet.adjust")
    return ask(action, target, amount=Decimal(amount), direction=direction, **more)


@pytest.mark.parametrize(
    ("direction", "counter", "after"),
    [
        ("credit", None, {"wallet": 1250, "treasury": -1000, "suspense": -250}),
        ("debit", None, {"wallet": 750, "treasury": -1000, "suspense": 250}),
        ("credit", "fees", {"wallet": 1250, "treasury": -1000, "fees": -250}),
        ("debit", "treasury", {"wallet": 750, "treasury": -750}),
    ],
)
def test_a_wallet_is_credited_or_debited_against_a_system_account(shop, rare_asset, ann, direction, counter, after):
    approval = adjust(ann, "2.5", direction, **({"counter": counter} if counter else {}), reference="case 7")
    assert balances(rare_asset) == {"wallet": 1000, "treasury": -1000}
    effect = ACTIONS["wallet.adjust"].effect(approval)
    sides = [f"{counter or 'suspense'} account", "wallet"]
    source, end = sides if direction == "credit" else sides[::-1]
    assert effect == f"2.50 {rare_asset} are moved from the {source} to the {end}, for case 7."
    [seen] = [row for row in ACTIONS["wallet.adjust"].preview(approval)["rows"] if row["is_wallet"]]
    assert [text.split()[0] for text in seen["balance"]] == ["10.00", f"{after['wallet'] / 100:.2f}"]

    done = approved(approval)

    assert (done.state, balances(rare_asset)) == ("EXECUTED", after)
    payment = shop.get(f"/payments/{done.result['payment_id']}").json()
    assert (payment["kind"], payment["status"], payment["amount"], payment["description"], payment["metadata"]) == (
        "adjustment", "SETTLED", "2.50", REASON, {"reference": "case 7"},
    )  # fmt: skip
    assert {payment["sender_wallet_id"], payment["receiver_wallet_id"]} == {ann, None}
    ledger = shop.get(f"/transactions/{payment['id']}/ledger").json()
    assert [entry["amount"] for entry in ledger["entries"]] == ["2.50", "2.50"]
    assert shop.get(f"/payments?wallet_id={ann}&kind=adjustment").json()["data"] == [payment]


def test_a_system_account_is_adjusted_against_another_as_often_as_there_are_references(shop, rare_asset, ann):
    settlement = account(rare_asset, "settlement")
    first, second = (
        adjust(settlement, "1.00", "debit", action="account.adjust", reference=f"line {number}") for number in (1, 2)
    )
    with pytest.raises(Refused) as refused:
        adjust(settlement, "3.00", "debit", action="account.adjust", reference="line 2")
    assert refused.value.code == "already_open"
    told = "1.00 {0} are moved from the settlement account to the suspense account, for line 2."
    assert ACTIONS["account.adjust"].effect(second) == told.format(rare_asset)
    assert (approved(first).state, approved(second).state) == ("EXECUTED", "EXECUTED")
    assert balances(rare_asset) == {"wallet": 1000, "treasury": -1000, "settlement": -200, "suspense": 200}


def test_it_is_told_as_any_payment_and_fits_the_schema(shop, rare_asset, ann):
    done = allow("account.adjust", account(rare_asset, "fees"), amount=Decimal(1), direction="credit")
    while sequence():
        pass
    payment = UUID(done.result["payment_id"])
    [(kind, data, wallets)] = rows("SELECT type, data, wallet_ids FROM events WHERE subject = %s", payment)
    assert (kind, wallets) == ("payment.settled", [])
    check("payment.settled", orjson.loads(data))


def test_what_is_not_there_is_not_taken_and_the_wallet_is_told_so(shop, rare_asset, ann):
    approval = adjust(ann, "10.01", "debit")
    assert ACTIONS["wallet.adjust"].preview(approval)["declined"] == "The available balance is too small."
    done = approved(approval)
    assert (done.state, done.result["code"]) == ("FAILED", "insufficient_funds")
    payment = shop.get(f"/payments/{done.result['payment_id']}").json()
    assert (payment["kind"], payment["status"]) == ("adjustment", "FAILED")
    assert balances(rare_asset) == {"wallet": 1000, "treasury": -1000}


def test_a_wallet_that_is_not_active_is_adjusted_by_nobody(shop, rare_asset, ann):
    approval = adjust(ann, "1.00", "credit")
    shop.set_status(ann, "SUSPENDED")
    for attempt in (lambda: approved(approval), lambda: adjust(ann, "1.00", "debit")):
        with pytest.raises(Refused):
            attempt()
    assert balances(rare_asset) == {"wallet": 1000, "treasury": -1000}


def test_done_again_after_a_crash_it_is_done_once(shop, rare_asset, ann):
    approval = adjust(ann, "1.00", "credit")
    done = approved(approval)
    with connect("owner") as owner:
        owner.execute("ALTER TABLE approvals DISABLE TRIGGER approvals_move")
        owner.execute(
            "UPDATE approvals SET state = 'APPROVED', executed_at = NULL, result = NULL WHERE id = %s", [approval.pk]
        )
        owner.execute("ALTER TABLE approvals ENABLE TRIGGER approvals_move")
        owner.commit()
    again = execute_approved(approval.pk)
    assert (again.state, again.result["payment_id"]) == ("EXECUTED", done.result["payment_id"])
    assert balances(rare_asset) == {"wallet": 1100, "treasury": -1000, "suspense": -100}


def test_an_adjustment_is_undone_by_another_one_only(shop, rare_asset, ann):
    payment = allow("wallet.adjust", ann, amount=Decimal(1), direction="credit").result["payment_id"]
    for verb, body in (("refund", {"amount": "1.00"}), ("reverse", {"reason": "x"}), ("capture", {}), ("void", {})):
        answer = act(shop, payment, verb, body)
        assert (answer.status_code, answer.json()["code"]) == (409, "invalid_state")
    with pytest.raises(Refused):
        propose(maker=person("operator"), action="payment.reverse", target_id=UUID(payment), reason=REASON)
    allow("wallet.adjust", ann, amount=Decimal(1), direction="debit")
    assert balances(rare_asset) == {"wallet": 1000, "treasury": -1000}


@pytest.mark.parametrize(
    "given",
    [
        {"amount": Decimal(0), "direction": "credit"}, {"amount": Decimal("0.001"), "direction": "credit"},
        {"amount": Decimal(-1), "direction": "credit"}, {"amount": Decimal(10) ** 18, "direction": "credit"},
        {"amount": None, "direction": "credit"}, {"amount": Decimal(1), "direction": "both"},
        {"amount": Decimal(1)}, {"amount": Decimal(1), "direction": "debit", "counter": "wallet"},
        {"amount": Decimal(1), "direction": "debit", "counter": "nowhere"},
        {"amount": Decimal(1), "direction": "debit", "reference": "x" * 65},
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_not_asked_for(ann, given):
    before = snapshot()
    with pytest.raises(Refused) as refused:
        ask("wallet.adjust", ann, **given)
    assert (refused.value.code, snapshot()) == ("invalid", before)


def test_an_account_is_not_adjusted_against_itself_and_a_wallets_account_is_no_target(rare_asset, ann):
    with pytest.raises(Refused):
        adjust(account(rare_asset, "suspense"), "1.00", "credit", action="account.adjust")
    with pytest.raises(Refused) as refused:
        adjust(UUID(ann), "1.00", "credit", action="account.adjust")
    assert refused.value.code == "not_found"


@pytest.mark.parametrize("role", ROLES)
def test_only_finance_asks_for_one(ann, role):
    maker, given = person(role), {"amount": Decimal(1), "direction": "credit"}
    for action, more in (("wallet.adjust", given), ("wallet.overdraft", {"amount": Decimal(1)})):
        ask = {"action": action, "target_id": UUID(ann), "reason": REASON, **more}
        if role == "finance":
            assert propose(maker=maker, **ask).state == "PENDING"
        else:
            with pytest.raises(Refused) as refused:
                propose(maker=maker, **ask)
            assert refused.value.code == "forbidden"


def command(approval_id, maker, sender, receiver, amount="1.00"):
    return Adjust(
        principal=staff(maker), key=f"approval:{approval_id}", fingerprint=b"f", request_id="raw", traceparent="",
        sender_id=sender, receiver_id=receiver, amount=Decimal(amount), reason=REASON, metadata={},
    )  # fmt: skip


def test_the_database_takes_none_that_nobody_has_approved(rare_asset, ann):
    pending = adjust(ann, "1.00", "credit")
    done = allow("account.adjust", account(rare_asset, "fees"), amount=Decimal(1), direction="credit")
    sides = (account(rare_asset, "suspense"), UUID(ann))
    attempts = [
        command(pending.pk, pending.maker_id, *sides), command(uuid4(), pending.maker_id, *sides),
        command(done.pk, done.maker_id, *sides, amount="2.00"),
    ]  # fmt: skip
    before = snapshot()
    for attempt in attempts[:2]:
        with pytest.raises(psycopg.IntegrityError) as refused:
            execute([attempt])
        assert refused.value.diag.constraint_name == "payments_adjustment"
    # The key of what is done answers, and does nothing.
    assert execute([attempts[2]])[0].code == "idempotency_key_reused"
    assert snapshot() == before


def test_what_was_approved_for_an_amount_and_two_accounts_lets_no_other_go(rare_asset, ann, shop):
    approval = adjust(ann, "1.00", "credit")
    Approval.objects.filter(pk=approval.pk).update(
        state="APPROVED", decided_by=uuid4(), decided_by_name="x", decided_at=approval.created_at
    )
    sides = (account(rare_asset, "suspense"), UUID(ann))
    with pytest.raises(psycopg.IntegrityError):
        execute([command(approval.pk, approval.maker_id, *sides, amount="1.01")])
    with pytest.raises(psycopg.IntegrityError):
        execute([command(approval.pk, uuid4(), *sides)])
    other = (account(rare_asset, "suspense"), UUID(shop.wallet(rare_asset)))
    for wrong in (sides[::-1], other, (account(rare_asset, "fees"), UUID(ann))):
        with pytest.raises(psycopg.IntegrityError) as refused:
            execute([command(approval.pk, approval.maker_id, *wrong)])
        assert refused.value.diag.constraint_name == "payments_adjustment"
    assert execute([command(approval.pk, approval.maker_id, *sides)])[0].code == "settled"
    assert value("SELECT balance FROM accounts WHERE id = %s", ann) == 1100
    execute_approved(approval.pk)  # the key is another request's: this one ends, and no sweep finds it
    assert value("SELECT balance FROM accounts WHERE id = %s", ann) == 1100
