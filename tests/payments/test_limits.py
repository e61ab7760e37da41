"""What a wallet may pay at most: in one payment and in a day, whatever comes at once, and who may change it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest

from ops.approvals.refusing import Refused
from ops.demo import set_shift
from payments.models import WalletLimits, WalletSpending
from payments.verification import PAYMENT_CHECKS
from tests.ledger.test_database_rules import connect
from tests.money import rows, snapshot, value
from tests.ops.two_people import REASON, allow, approved, ask, limit
from tests.payments.holds import act, authorize
from tests.payments.test_concurrency import at_once
from walletplatform.api.problems import Problem
from walletplatform.audit.models import AuditEntry


@pytest.fixture
def ann(shop):
    return shop.wallet(holding="1000.00")


@pytest.fixture
def bob(shop):
    return shop.wallet()


def counted(wallet):
    """What is counted today, and what a recount of the payments says."""
    [check] = [check for check in PAYMENT_CHECKS if check.promise == "L1"]
    differing = {subject for subject, _ in rows(check.sql)}
    assert not any(subject.startswith(wallet) for subject in differing), rows(check.sql)
    return WalletSpending.objects.get(wallet_id=wallet).spent


def exceeded(answer):
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["outcome"]) == (422, "limit_exceeded", "declined"), problem
    return problem["limit"], problem["allowed"], problem["left"]


def test_a_payment_above_the_limit_for_one_is_declined_and_names_it(shop, ann, bob):
    limit(ann, per_payment=5000)

    assert shop.pay(ann, bob, "50.00").status_code == 201
    declined = shop.pay(ann, bob, "50.01")
    assert exceeded(declined) == ("per_payment", "50.00", "50.00")
    assert exceeded(shop.post("/spends", {"wallet_id": ann, "amount": "50.01"})) == ("per_payment", "50.00", "50.00")
    assert exceeded(shop.pay(ann, bob, "50.01", capture=False)) == ("per_payment", "50.00", "50.00")
    failed = shop.get(f"/payments/{declined.json()['payment_id']}").json()
    assert (failed["status"], failed["failure"]["code"], failed["failure"]["category"]) == (
        "FAILED", "limit_exceeded", "limit",
    )  # fmt: skip


def test_a_day_has_room_for_so_much_and_a_decline_takes_none(shop, ann, bob):
    limit(ann, per_day=10000)
    assert shop.pay(ann, bob, "60.00").status_code == 201
    assert exceeded(shop.pay(ann, bob, "40.01")) == ("per_day", "100.00", "40.00")
    assert shop.post("/spends", {"wallet_id": ann, "amount": "30.00"}).status_code == 201
    assert shop.pay(ann, bob, "10.00", capture=False).status_code == 201
    assert exceeded(shop.pay(ann, bob, "0.01")) == ("per_day", "100.00", "0.00")
    assert counted(ann) == 10000
    assert shop.post("/topups", {"wallet_id": ann, "amount": "500.00"}).status_code == 201
    assert counted(ann) == 10000


def test_what_is_received_given_back_or_captured_is_not_limited(shop, ann, bob):
    hold, paid = authorize(shop, ann, bob, "50.00"), shop.pay(ann, bob, "20.00").json()["id"]
    shop.pay(ann, bob, "100.00")
    limit(ann, per_payment=100, per_day=100)
    limit(bob, per_payment=100, per_day=100)

    assert act(shop, hold, "capture").status_code == 201
    assert act(shop, paid, "refund", {"amount": "15.00"}).status_code == 201
    assert exceeded(shop.pay(ann, bob, "0.01"))[0] == "per_day"
    assert (counted(ann), counted(bob)) == (17000, 0)


def test_what_was_voided_or_given_back_makes_no_room_on_its_day(shop, ann, bob):
    limit(ann, per_day=10000)
    act(shop, authorize(shop, ann, bob, "60.00"), "void")
    act(shop, shop.pay(ann, bob, "40.00").json()["id"], "reverse", {"reason": "twice"})

    assert exceeded(shop.pay(ann, bob, "0.01")) == ("per_day", "100.00", "0.00")
    assert counted(ann) == 10000


def test_an_authorization_that_is_raised_counts_by_how_much_and_lowered_not_at_all(shop, ann, bob):
    limit(ann, per_payment=9000, per_day=10000)
    hold = authorize(shop, ann, bob, "20.00")
    assert act(shop, hold, "reauthorize", {"amount": "50.00"}).status_code == 201
    assert act(shop, hold, "reauthorize", {"amount": "30.00"}).status_code == 201
    assert counted(ann) == 5000
    assert exceeded(act(shop, hold, "reauthorize", {"amount": "90.01"})) == ("per_payment", "90.00", "90.00")
    assert exceeded(act(shop, hold, "reauthorize", {"amount": "80.01"})) == ("per_day", "100.00", "50.00")
    assert act(shop, hold, "reauthorize", {"amount": "80.00"}).status_code == 201
    assert counted(ann) == 10000


def test_what_was_paid_before_on_the_day_counts_when_the_limit_comes(shop, ann, bob):
    hold = authorize(shop, ann, bob, "5.00")
    act(shop, hold, "reauthorize", {"amount": "9.00"})
    act(shop, hold, "reauthorize", {"amount": "6.00"})
    act(shop, hold, "reauthorize", {"amount": "8.00"})
    act(shop, shop.pay(ann, bob, "40.00").json()["id"], "refund", {})
    shop.pay(ann, bob, "2000.00")

    limit(ann, per_day=6000)

    assert counted(ann) == 5100
    assert exceeded(shop.pay(ann, bob, "9.01")) == ("per_day", "60.00", "9.00")


def test_a_payment_under_review_takes_its_room_at_once_and_gives_it_back_where_it_fails(shop, ann, bob, settings):
    settings.PAYMENT_POLICY = "tests.payments.policies.by_metadata"
    limit(ann, per_day=10000)
    review = {"metadata": {"policy": "review"}}
    denied, approved_, late = (shop.pay(ann, bob, "30.00", **review).json()["id"] for _ in range(3))
    held = shop.pay(ann, bob, "10.00", capture=False, **review).json()["id"]
    assert exceeded(shop.pay(ann, bob, "0.01", **review)) == ("per_day", "100.00", "0.00")
    act(shop, approved_, "review", {"approve": True})
    act(shop, denied, "review", {"approve": False})
    assert counted(ann) == 7000
    act(shop, held, "review", {"approve": False})
    shop.set_status(ann, "SUSPENDED")
    assert act(shop, late, "review", {"approve": True}).json()["failure"]["code"] == "wallet_not_active"
    assert counted(ann) == 3000


def test_the_next_day_has_room_again(shop, rare_asset):
    ann, bob = shop.wallet(rare_asset, holding="1000.00"), shop.wallet(rare_asset)
    limit(ann, per_day=1000)
    assert shop.pay(ann, bob, "10.00").status_code == 201
    assert shop.pay(ann, bob, "0.01").status_code == 422
    set_shift(timedelta(days=1))
    try:
        assert shop.pay(ann, bob, "10.00").status_code == 201
        assert exceeded(shop.pay(ann, bob, "0.01")) == ("per_day", "10.00", "0.00")
    finally:
        set_shift(timedelta(0))
    # The clock is back, and her day is that of her last booking.
    assert exceeded(shop.pay(ann, bob, "0.01")) == ("per_day", "10.00", "0.00")
    assert [spent for (spent,) in rows("SELECT spent FROM wallet_spending WHERE wallet_id = %s", ann)] == [1000, 1000]


def test_sixty_four_at_once_spend_exactly_what_the_day_allows(shop, rare_asset):
    ann, bob = shop.wallet(rare_asset, holding="1000.00"), shop.wallet(rare_asset)
    limit(ann, per_day=2000)

    def pay(number):
        if number % 3:
            return shop.pay(ann, bob, "1.00", capture=bool(number % 2)).status_code
        return shop.post("/spends", {"wallet_id": ann, "amount": "1.00"}).status_code

    statuses = at_once(pay, range(64), threads=64)

    assert sorted(statuses) == [201] * 20 + [422] * 44
    assert counted(ann) == 2000


@pytest.mark.parametrize("atomic", [True, False])
def test_a_batch_counts_item_by_item_and_one_that_is_refused_whole_counts_nothing(shop, ann, bob, atomic):
    limit(ann, per_day=1000)
    items = [
        {"sender_wallet_id": ann, "receiver_wallet_id": bob, "amount": "6.00",
         "idempotency_key": f"{ann}-{atomic}-{number}"} for number in range(3)
    ]  # fmt: skip
    answer = shop.post("/payments/batch", {"mode": "atomic" if atomic else "independent", "payments": items})
    if atomic:
        assert exceeded(answer) == ("per_day", "10.00", "4.00")
        assert not WalletSpending.objects.filter(wallet_id=ann, spent__gt=0).exists()
        assert shop.pay(ann, bob, "10.00").status_code == 201
    else:
        assert [one["status"] for one in answer.json()["results"]] == [201, 422, 422]
        assert counted(ann) == 600


def test_the_same_key_counts_once(shop, ann, bob):
    limit(ann, per_day=1000)
    first, again = (shop.pay(ann, bob, "6.00", key=f"once-{ann}") for _ in range(2))
    assert (first.content, counted(ann)) == (again.content, 600)


def test_one_person_lowers_and_two_raise(shop, ann, bob):
    limit(ann, per_payment=5000, per_day=5000)
    limit(ann, per_payment=2000, per_day=5000)
    before = snapshot()
    for wanted in ({"per_payment": 2001, "per_day": 5000}, {"per_payment": 2000}, {"per_day": 5000}, {}):
        with pytest.raises(Problem) as refused:
            limit(ann, **wanted)
        assert refused.value.detail == "A limit is raised or taken away by two people."
    assert snapshot() == before

    done = allow("wallet.limits", ann, per_payment=Decimal("30"), per_day=None)

    assert done.payload == {
        "per_payment": "30.00", "per_day": None, "before": {"per_payment": "20.00", "per_day": "50.00"},
    }  # fmt: skip
    limits = WalletLimits.objects.get(pk=ann)
    assert (limits.per_payment, limits.per_day, limits.counted_from) == (3000, None, None)
    told = AuditEntry.objects.filter(object_id=ann, action="wallet.limits").latest("id")
    assert (told.actor_name, told.reason, told.before["per_day"], told.after["per_day"]) == (
        done.maker_name, REASON, 5000, None,
    )  # fmt: skip
    for _ in range(3):
        assert shop.pay(ann, bob, "30.00").status_code == 201
    assert shop.pay(ann, bob, "30.01").status_code == 422


def test_what_was_approved_for_limits_that_have_changed_is_not_done(shop, ann):
    limit(ann, per_day=5000)
    approval = ask("wallet.limits", ann, per_payment=None, per_day=Decimal("100"))
    limit(ann, per_day=1000)
    with pytest.raises(Refused) as refused:
        approved(approval)
    assert refused.value.code == "target_changed"
    assert WalletLimits.objects.get(pk=ann).per_day == 1000


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"per_payment": None, "per_day": Decimal("50.00")}, "no second person"),
        ({"per_payment": None, "per_day": Decimal("49.00")}, "no second person"),
        ({"per_payment": None, "per_day": Decimal("0")}, "0.01 EUR or more"),
        ({"per_payment": None, "per_day": Decimal("50.001")}, "2 decimals"),
        ({"per_payment": None, "per_day": Decimal(10) ** 18}, "2 decimals"),
    ],
)
def test_what_raises_nothing_or_is_no_amount_is_not_asked_for(ann, given, says):
    limit(ann, per_day=5000)
    before = snapshot()
    with pytest.raises(Refused) as refused:
        ask("wallet.limits", ann, **given)
    assert (refused.value.code, snapshot()) == ("invalid", before)
    assert says in refused.value.detail


def test_a_limit_is_taken_away_and_comes_back_with_the_whole_day_counted(shop, ann, bob):
    limit(ann, per_day=5000)
    shop.pay(ann, bob, "10.00")
    allow("wallet.limits", ann, per_payment=None, per_day=None)
    shop.pay(ann, bob, "100.00")
    limit(ann, per_day=20000)
    assert counted(ann) == 11000


RAISES = {
    "more in one payment": "UPDATE wallet_limits SET per_payment = 5001 WHERE wallet_id = '{ann}'",
    "any payment": "UPDATE wallet_limits SET per_payment = NULL WHERE wallet_id = '{ann}'",
    "more a day": "UPDATE wallet_limits SET per_day = 5001 WHERE wallet_id = '{ann}'",
    "any day": "UPDATE wallet_limits SET per_day = NULL, counted_from = NULL WHERE wallet_id = '{ann}'",
    "counted later": "UPDATE wallet_limits SET counted_from = counted_from + 1 WHERE wallet_id = '{ann}'",
    "spent more than it may": "UPDATE wallet_spending SET spent = 5001 WHERE wallet_id = '{ann}'",
    "a day of more than it may": "INSERT INTO wallet_spending VALUES ('2000-01-01', 5001, '{ann}')",
    "spent less than nothing": "UPDATE wallet_spending SET spent = -1 WHERE wallet_id = '{ann}'",
}


@pytest.mark.parametrize("alias", ["default", "owner"])
@pytest.mark.parametrize("name", RAISES)
def test_the_database_lets_nobody_raise_a_limit_alone(ann, alias, name):
    limit(ann, per_payment=5000, per_day=5000)
    ask("wallet.limits", ann, per_payment=Decimal("50.01"), per_day=Decimal("50.01"))
    before = snapshot()
    with connect(alias) as session:
        with pytest.raises(psycopg.IntegrityError):
            session.execute(RAISES[name].format(ann=ann))
        session.rollback()
    assert snapshot() == before


@pytest.mark.parametrize(
    "attempt",
    ["DELETE FROM wallet_limits", "TRUNCATE wallet_limits", "DELETE FROM wallet_spending",
     "UPDATE wallet_spending SET day = '2000-01-01'", "UPDATE wallet_limits SET wallet_id = gen_random_uuid()"],
)  # fmt: skip
def test_the_serving_role_takes_no_limit_away(ann, attempt):
    limit(ann, per_day=5000)
    with connect("default") as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute(attempt)


def test_a_limit_that_comes_amid_payments_counts_all_of_them(shop, rare_asset):
    ann, bob = shop.wallet(rare_asset, holding="1000.00"), shop.wallet(rare_asset)

    def step(number):
        if number == 16:
            limit(ann, per_day=3000)
            return None
        return shop.pay(ann, bob, "1.00").status_code

    statuses = at_once(step, range(64), threads=16)

    assert set(statuses) <= {None, 201, 422}
    assert counted(ann) == 100 * statuses.count(201)
    assert value("SELECT balance FROM accounts WHERE id = %s", bob) == 100 * statuses.count(201)


def test_what_a_wallet_may_pay_is_told_to_whom_may_see_it(shop, ann, bob, mallory):
    nothing = {"per_payment": None, "per_day": None, "left_today": None}
    about = {"wallet_id": ann, "asset": "EUR", "overdraft": "0.00"}
    assert shop.get(f"/wallets/{ann}/limits").json() == about | nothing
    limit(ann, per_payment=5000, per_day=8000)
    shop.pay(ann, bob, "30.00")
    told = {"per_payment": "50.00", "per_day": "80.00", "left_today": "50.00"}
    assert shop.get(f"/wallets/{ann}/limits").json() == about | told
    assert mallory.get(f"/wallets/{ann}/limits").status_code == 404


def test_a_dry_run_says_what_the_limit_says_and_counts_nothing(shop, ann, bob):
    limit(ann, per_day=1000)
    body = {"sender_wallet_id": ann, "receiver_wallet_id": bob, "amount": "10.01"}
    assert exceeded(shop.post("/payments?dry_run=true", body)) == ("per_day", "10.00", "10.00")
    assert shop.post("/payments?dry_run=true", body | {"amount": "10.00"}).status_code == 201
    assert counted(ann) == 0
