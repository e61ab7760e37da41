"""Overdrafts: how far a wallet may go below 0, by two people; nothing held draws on it, and history remembers it."""

from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

import psycopg
import pytest

from ledger.verification import LEDGER_CHECKS
from ops.approvals.actions import ACTIONS
from ops.approvals.executing import execute_approved
from ops.approvals.models import Approval
from ops.approvals.refusing import Refused
from tests.ledger.test_database_rules import connect
from tests.money import rows, snapshot, value
from tests.ops.two_people import REASON, allow, approved, ask, overdraft
from tests.payments.holds import act, authorize
from tests.payments.test_concurrency import at_once
from walletplatform.audit.models import AuditEntry


@pytest.fixture
def ann(shop):
    return shop.wallet(holding="10.00")


@pytest.fixture
def bob(shop):
    return shop.wallet()


def overspent(wallet):
    """What the ledger's own checks say about a wallet's past and present."""
    found = [row for check in LEDGER_CHECKS if check.promise == "M4" for row in rows(check.sql)]
    return [detail for subject, detail in found if subject == wallet]


def test_a_wallet_pays_down_to_its_floor_and_no_further(shop, ann, bob):
    approval = ask("wallet.overdraft", ann, amount=Decimal(5))
    assert shop.pay(ann, bob, "10.01").status_code == 422
    action = ACTIONS["wallet.overdraft"]
    assert action.effect(approval).startswith("The wallet may be overdrawn by up to 5.00 EUR (by now 0.00 EUR).")
    said = action.preview(approval)["said"].replace("\N{NO-BREAK SPACE}", " ")
    assert said == "The wallet can pay 10.00 EUR by now, and then 15.00 EUR."

    done = approved(approval)

    assert (done.state, done.result["min_available"]) == ("EXECUTED", -500)
    assert shop.pay(ann, bob, "15.01").json()["code"] == "insufficient_funds"
    assert shop.pay(ann, bob, "15.00").status_code == 201
    shown = shop.get(f"/wallets/{ann}").json()
    assert (shown["balance"], shown["available"], shown["version"]) == ("-5.00", "-5.00", 2)
    assert shop.pay(ann, bob, "0.01").json()["code"] == "insufficient_funds"
    told = AuditEntry.objects.get(object_id=ann, action="wallet.overdraft")
    assert (told.actor_name, told.reason, told.before["min_available"], told.after["min_available"]) == (
        done.maker_name, REASON, 0, -500,
    )  # fmt: skip
    assert overspent(ann) == []


def test_what_is_held_never_draws_on_it(shop, ann, bob, settings):
    settings.PAYMENT_POLICY = "tests.payments.policies.by_metadata"
    overdraft(ann, "100.00")
    later = shop.pay(ann, bob, "10.00", capture=False, metadata={"policy": "review"}).json()["id"]
    assert shop.pay(ann, bob, "10.01", capture=False).json()["code"] == "insufficient_funds"
    hold = authorize(shop, ann, bob, "8.00")
    assert act(shop, hold, "reauthorize", {"amount": "10.01"}).json()["code"] == "insufficient_funds"
    assert act(shop, hold, "reauthorize", {"amount": "10.00"}).status_code == 201
    assert act(shop, later, "review", {"approve": True}).json()["failure"]["code"] == "insufficient_funds"
    # What pays at once does, beside what is held; and what is held is there still.
    assert shop.pay(ann, bob, "50.00").status_code == 201
    assert shop.get(f"/wallets/{ann}").json()["available"] == "-50.00"
    assert shop.pay(ann, bob, "0.01", capture=False).json()["code"] == "insufficient_funds"
    assert act(shop, hold, "capture").status_code == 201
    assert shop.balance(ann) == "-50.00"


def test_a_refund_may_draw_on_it(shop, ann, bob):
    paid = shop.pay(ann, bob, "10.00").json()["id"]
    shop.pay(bob, ann, "9.00")
    assert act(shop, paid, "refund", {}).json()["code"] == "insufficient_funds"
    overdraft(bob, "9.00")
    assert act(shop, paid, "refund", {}).status_code == 201
    assert shop.balance(bob) == "-9.00"


def test_it_is_taken_back_once_the_wallet_has_paid_and_what_happened_under_it_stays_right(shop, ann, bob):
    overdraft(ann, "5.00")
    shop.pay(ann, bob, "12.00")
    approval = ask("wallet.overdraft", ann, amount=Decimal(0))
    assert ACTIONS["wallet.overdraft"].preview(approval) == {"declined": "The wallet is overdrawn by more than that."}
    done = approved(approval)
    assert (done.state, done.result["detail"]) == ("FAILED", "The wallet is overdrawn by more than that.")
    assert value("SELECT min_available FROM accounts WHERE id = %s", ann) == -500

    shop.pay(bob, ann, "2.00")
    allow("wallet.overdraft", ann, amount=Decimal(0))

    assert shop.pay(ann, bob, "0.01").status_code == 422
    assert overspent(ann) == []
    floors = rows("SELECT since_seq, min_available FROM account_floors WHERE account_id = %s ORDER BY id", ann)
    assert floors == [(1, -500), (3, 0)]


def test_a_balance_below_the_floor_of_its_time_is_found(shop, ann, bob):
    overdraft(ann, "5.00")
    shop.pay(ann, bob, "12.00")
    shop.pay(bob, ann, "12.00")
    with connect("owner") as owner:
        owner.execute("ALTER TABLE account_floors DISABLE TRIGGER account_floors_append_only")
        owner.execute("UPDATE account_floors SET min_available = -199 WHERE account_id = %s", [ann])
        check = next(check for check in LEDGER_CHECKS if "ever" in check.name)
        found = owner.execute(check.sql).fetchall()
        owner.rollback()
    assert [subject for subject, _ in found] == [ann]


def test_a_balance_needs_two_people_for_its_floor_and_a_wallet_with_news_is_looked_at_again(shop, ann):
    first = ask("wallet.overdraft", ann, amount=Decimal(5))
    with pytest.raises(Refused) as refused:
        ask("wallet.overdraft", ann, amount=Decimal(500))
    assert refused.value.code == "already_open"
    adjustment = ask("wallet.adjust", ann, amount=Decimal(1), direction="debit")
    assert approved(first).state == "EXECUTED"
    with pytest.raises(Refused) as refused:
        approved(adjustment)
    assert refused.value.detail.endswith("version: 1 -> 2.")
    for amount in (Decimal(5), Decimal("-1"), Decimal("0.001"), None, Decimal(10) ** 18):
        with pytest.raises(Refused) as refused:
            ask("wallet.overdraft", ann, amount=amount)
        assert refused.value.code == "invalid"


def test_a_closed_wallet_gets_none(shop):
    closed = shop.wallet()
    shop.set_status(closed, "SUSPENDED")
    shop.set_status(closed, "CLOSED")
    with pytest.raises(Refused):
        ask("wallet.overdraft", closed, amount=Decimal(5))


def test_many_at_once_end_at_the_floor(shop, rare_asset):
    ann, bob = shop.wallet(rare_asset, holding="10.00"), shop.wallet(rare_asset)
    overdraft(ann, "10.00")
    statuses = at_once(lambda _: shop.pay(ann, bob, "1.00").status_code, range(40))
    assert sorted(statuses) == [201] * 20 + [422] * 20
    assert shop.balance(ann) == "-10.00"


FLOORS = {
    "one that is only asked for": "UPDATE accounts SET min_available = -500 WHERE id = '{ann}'",
    "another": "UPDATE accounts SET min_available = -501 WHERE id = '{ann}'",
    "none at all": "UPDATE accounts SET min_available = NULL WHERE id = '{ann}'",
    "one above 0": "UPDATE accounts SET min_available = 1 WHERE id = '{ann}'",
    "a system account's": "UPDATE accounts SET min_available = -500 WHERE asset = 'EUR' AND kind = 'fees'",
}


@pytest.mark.parametrize("alias", ["default", "owner"])
@pytest.mark.parametrize("name", FLOORS)
def test_the_database_lets_nobody_move_a_floor_alone(ann, alias, name):
    ask("wallet.overdraft", ann, amount=Decimal(5))
    before = snapshot()
    with connect(alias) as session:
        with pytest.raises(psycopg.IntegrityError):
            session.execute(FLOORS[name].format(ann=ann))
            session.commit()
        session.rollback()
    assert snapshot() == before


def test_what_two_people_approved_once_moves_the_floor_of_no_other_wallet_and_not_twice(shop, ann, bob):
    overdraft(ann, "5.00")
    with connect("default") as session:
        for wallet, floor in ((bob, -500), (ann, 0)):
            with pytest.raises(psycopg.IntegrityError) as refused:
                session.execute("UPDATE accounts SET min_available = %s WHERE id = %s", (floor, wallet))
            assert refused.value.diag.constraint_name == "accounts_floor"
            session.rollback()


def test_what_two_people_approved_lets_no_other_floor_be_set_while_it_is_carried_out(shop, ann):
    asked = ask("wallet.overdraft", ann, amount=Decimal(5))
    Approval.objects.filter(pk=asked.pk).update(
        state="APPROVED", decided_by=uuid4(), decided_by_name="x", decided_at=asked.created_at
    )
    with connect("default") as session:
        for floor in (-501, -499, -50_000):
            with pytest.raises(psycopg.IntegrityError) as refused:
                session.execute("UPDATE accounts SET min_available = %s WHERE id = %s", (floor, ann))
            assert refused.value.diag.constraint_name == "accounts_floor"
            session.rollback()
    execute_approved(asked.pk)
    assert value("SELECT min_available FROM accounts WHERE id = %s", ann) == -500


@pytest.mark.parametrize(
    "attempt", ["INSERT INTO account_floors SELECT * FROM account_floors", "DELETE FROM account_floors",
                "UPDATE account_floors SET since_seq = 0", "TRUNCATE account_floors"],
)  # fmt: skip
def test_the_serving_role_does_not_rewrite_what_was_allowed_when(attempt):
    with connect("default") as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute(attempt)


def test_a_wallet_is_not_opened_with_one():
    with connect("default") as session, pytest.raises(psycopg.IntegrityError) as refused:
        session.execute(
            "INSERT INTO accounts (id, asset, kind, balance, held, min_available, seq, open, created_at)"
            " VALUES (gen_random_uuid(), 'EUR', 'wallet', 0, 0, -1, 0, false, now())"
        )
    assert refused.value.diag.constraint_name == "accounts_floor_at_first"
