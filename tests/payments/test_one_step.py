"""Transfer, top-up, bonus, spend: money moves whole, at once, and is told truly."""

import json

from tests.money import rows, snapshot, value


def test_a_transfer_moves_the_amount_and_answers_what_it_did(shop):
    ann, bob = shop.wallet(holding="100.00"), shop.wallet()

    answer = shop.pay(ann, bob, "12.50", description="Order 7", metadata={"order": "7"})

    payment = answer.json()
    assert answer.status_code == 201
    assert answer["Content-Type"] == "application/json"
    assert {name: payment[name] for name in payment if name not in ("id", "created_at", "effective_at")} == {
        "kind": "transfer",
        "status": "SETTLED",
        "asset": "EUR",
        "amount": "12.50",
        "sender_wallet_id": ann,
        "receiver_wallet_id": bob,
        "description": "Order 7",
        "metadata": {"order": "7"},
        "transaction_id": payment["id"],
        "parent_id": None,
        "authorized_amount": None,
        "captured_amount": "12.50",
        "refunded_amount": "0.00",
        "expires_at": None,
        "failure": None,
        "request_id": answer["X-Request-ID"],
    }
    assert (shop.balance(ann), shop.balance(bob)) == ("87.50", "12.50")
    assert shop.get(f"/payments/{payment['id']}").json() == payment


def test_a_transfer_posts_one_debit_and_one_credit(shop):
    ann, bob = shop.wallet(holding="100.00"), shop.wallet()

    payment = shop.pay(ann, bob, "0.01").json()

    entries = rows(
        "SELECT account_id::text, direction, amount, seq, balance_after, leg FROM ledger_entries"
        " WHERE transaction_id = %s ORDER BY leg",
        payment["id"],
    )
    assert entries == [(ann, "DEBIT", 1, 2, 9999, 1), (bob, "CREDIT", 1, 1, 1, 2)]


def test_topup_bonus_and_spend_move_between_a_wallet_and_the_system_accounts(shop, rare_asset):
    ann = shop.wallet(rare_asset)

    kinds = {
        path: shop.post(path, {"wallet_id": ann, "amount": amount}).json()
        for path, amount in (("/topups", "10.00"), ("/bonuses", "5.00"), ("/spends", "3.00"))
    }

    assert {path: (p["sender_wallet_id"], p["receiver_wallet_id"]) for path, p in kinds.items()} == {
        "/topups": (None, ann),
        "/bonuses": (None, ann),
        "/spends": (ann, None),
    }
    balances = dict(rows("SELECT kind, balance FROM accounts WHERE asset = %s AND balance <> 0", rare_asset))
    assert balances == {"wallet": 1200, "treasury": -1000, "bonus": -500, "revenue": 300}


def test_each_payment_leaves_one_event_with_the_entries_and_their_seq(shop):
    ann, bob = shop.wallet(holding="5.00"), shop.wallet()

    payment = shop.pay(ann, bob, "2.00").json()

    [(kind, correlation, data)] = rows(
        "SELECT type, correlation_id, data FROM outbox_events WHERE subject = %s", payment["id"]
    )
    event = json.loads(data)
    assert (kind, correlation) == ("payment.settled", payment["request_id"])
    assert [(e["account_id"], e["direction"], e["amount"], e["seq"], e["balance_after"]) for e in event["entries"]] == [
        (ann, "DEBIT", "2.00", 2, "3.00"),
        (bob, "CREDIT", "2.00", 1, "2.00"),
    ]


def test_the_request_id_and_traceparent_reach_the_event(shop):
    ann = shop.wallet()
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    answer = shop.post("/topups", {"wallet_id": ann, "amount": "1.00"}, X_Request_ID="order-77", traceparent=trace)

    assert answer["X-Request-ID"] == answer.json()["request_id"] == "order-77"
    assert rows("SELECT correlation_id, traceparent FROM outbox_events WHERE subject = %s", answer.json()["id"]) == [
        ("order-77", trace)
    ]


def test_a_decline_is_a_failed_payment_that_moves_nothing(shop):
    ann, bob = shop.wallet(holding="1.00"), shop.wallet()

    answer = shop.pay(ann, bob, "1.01")

    problem = answer.json()
    assert answer.status_code == 422
    assert answer["Content-Type"] == "application/problem+json"
    assert (problem["code"], problem["retryable"], problem["outcome"]) == (
        "insufficient_funds",
        False,
        "declined",
    )
    payment = shop.get(f"/payments/{problem['payment_id']}").json()
    assert payment["status"] == "FAILED"
    assert payment["transaction_id"] is None
    assert payment["failure"]["code"] == "insufficient_funds"
    assert payment["failure"]["category"] == "customer"
    assert (shop.balance(ann), shop.balance(bob)) == ("1.00", "0.00")
    assert value("SELECT count(*) FROM ledger_entries WHERE transaction_id = %s", payment["id"]) == 0
    assert rows("SELECT type FROM outbox_events WHERE subject = %s", payment["id"]) == [("payment.failed",)]


def test_a_wallet_can_be_emptied_to_the_last_cent(shop):
    ann, bob = shop.wallet(holding="1.00"), shop.wallet()

    assert shop.pay(ann, bob, "1.00").status_code == 201
    assert shop.balance(ann) == "0.00"


def test_amounts_have_as_many_decimals_as_their_asset(shop):
    gem, btc = shop.wallet("GEM", holding="7"), shop.wallet("BTC", holding="0.00000001")

    assert (shop.balance(gem), shop.balance(btc)) == ("7", "0.00000001")


def test_a_balance_that_would_not_fit_is_declined(shop, rare_asset):
    ann = shop.wallet(rare_asset)
    most = {"wallet_id": ann, "amount": "9999999999999999.99"}
    answers = [shop.post("/topups", most) for _ in range(10)]

    codes = [answer.json().get("code", "settled") for answer in answers]

    assert codes == ["settled"] * 9 + ["balance_overflow"]
    assert answers[-1].json()["outcome"] == "declined"


def test_what_was_answered_is_read_back_by_everybody_at_once(shop, ann):
    wallet = shop.wallet(owner=ann.id)

    for paid in range(1, 6):
        shop.post("/topups", {"wallet_id": wallet, "amount": "1.00"})
        assert ann.balance(wallet) == shop.balance(wallet) == f"{paid}.00"


def test_asking_for_a_payment_changes_nothing(shop):
    ann = shop.wallet(holding="1.00")
    payment = shop.post("/spends", {"wallet_id": ann, "amount": "0.50"}).json()["id"]
    before = snapshot()

    for path in (
        f"/payments/{payment}", "/payments", f"/transactions/{payment}", "/transactions",
        f"/transactions/{payment}/ledger", f"/wallets/{ann}", f"/wallets/{ann}/entries",
        f"/wallets/{ann}/statement", f"/wallets/{ann}/balance", f"/wallets/{ann}/transactions", "/assets",
    ):  # fmt: skip
        assert shop.get(path).status_code == 200, path

    assert snapshot() == before
