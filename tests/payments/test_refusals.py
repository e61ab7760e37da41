"""Bad payments: each gets its one documented problem, and the ledger stays as it was."""

import json
from uuid import uuid4

import pytest

from tests.actors import actor
from tests.money import snapshot

DECEPTIVE_AMOUNTS = [
    12.5, 12, 0, -1, True, None, [], {}, "", " ", "0", "0.00", "-1", "+1", "1e3", "1E3", "0x10", "1.", ".5",
    "01", "00.5", " 1", "1 ", "1\n", "1,00", "1_000", "1 000", "\u0661\u0662", "\uff11", "NaN", "Infinity",
    "-Infinity", "inf", "1.2.3", "1.123456789", "9" * 19, "1" + "0" * 400, "\u00bd", "1\u00a0", "\u200b1", "null",
]  # fmt: skip


@pytest.mark.parametrize("amount", DECEPTIVE_AMOUNTS, ids=lambda amount: repr(amount)[:24])
@pytest.mark.parametrize("path", ["/payments", "/topups"])
def test_an_amount_is_a_plain_decimal_text(shop, path, amount):
    ann, bob = shop.wallet(holding="50.00"), shop.wallet()
    before = snapshot()
    wallets = {"sender_wallet_id": ann, "receiver_wallet_id": bob} if path == "/payments" else {"wallet_id": ann}

    answer = shop.post(path, wallets | {"amount": amount})

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (400, "validation_error")
    assert [error["pointer"] for error in problem["errors"]] == ["/amount"]
    assert snapshot() == before


@pytest.mark.parametrize(
    ("asset", "amount", "status", "code"),
    [
        ("EUR", "0.001", 422, "amount_scale"),
        ("GEM", "1.5", 422, "amount_scale"),
        ("EUR", "1.000", 422, "amount_scale"),
        ("GEM", "1.0", 422, "amount_scale"),
        ("EUR", "1.5", 201, None),
        ("GEM", "1", 201, None),
        ("BTC", "0.00000001", 201, None),
        ("EUR", "99999999999999999.99", 400, "validation_error"),
    ],
)
def test_an_amount_has_no_more_decimals_than_its_asset(shop, asset, amount, status, code):
    wallet = shop.wallet(asset)

    answer = shop.post("/topups", {"wallet_id": wallet, "amount": amount})

    assert (answer.status_code, answer.json().get("code")) == (status, code)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"surprise": 1}, "/surprise"),
        ({"status": "SETTLED"}, "/status"),
        ({"id": "01939f3e-5f1c-7d3a-8b52-5a2f3c1d9e77"}, "/id"),
        ({"kind": "bonus"}, "/kind"),
        ({"sender_wallet_id": None}, "/sender_wallet_id"),
        ({"sender_wallet_id": 7}, "/sender_wallet_id"),
        ({"sender_wallet_id": "nobody"}, "/sender_wallet_id"),
        ({"sender_wallet_id": "{01939f3e-5f1c-7d3a-8b52-5a2f3c1d9e77}"}, "/sender_wallet_id"),
        ({"sender_wallet_id": "01939F3E-5F1C-7D3A-8B52-5A2F3C1D9E77"}, "/sender_wallet_id"),
        ({"sender_wallet_id": "01939f3e5f1c7d3a8b525a2f3c1d9e77"}, "/sender_wallet_id"),
        ({"sender_wallet_id": "urn:uuid:01939f3e-5f1c-7d3a-8b52-5a2f3c1d9e77"}, "/sender_wallet_id"),
        ({"description": 7}, "/description"),
        ({"description": "x" * 201}, "/description"),
        ({"capture": "true"}, "/capture"),
        ({"expires_in": 60}, "/expires_in"),
        ({"capture": True, "expires_in": 60}, "/expires_in"),
        ({"capture": False, "expires_in": 0}, "/expires_in"),
        ({"capture": False, "expires_in": 2592001}, "/expires_in"),
        ({"capture": False, "expires_in": "60"}, "/expires_in"),
        ({"capture": False, "expires_in": True}, "/expires_in"),
        ({"capture": False, "effective_at": "2026-01-31T12:00:00Z"}, "/effective_at"),
        ({"effective_at": "yesterday"}, "/effective_at"),
        ({"metadata": []}, "/metadata"),
        ({"metadata": {"a": 1}}, "/metadata"),
        ({"metadata": {"a": {"b": "c"}}}, "/metadata"),
        ({"metadata": {"": "x"}}, "/metadata"),
        ({"metadata": {"x" * 41: "x"}}, "/metadata"),
        ({"metadata": {"x": "x" * 501}}, "/metadata"),
        ({"metadata": {str(n): "x" for n in range(51)}}, "/metadata"),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_a_field_that_is_wrong_is_named(shop, change, pointer):
    ann, bob = shop.wallet(holding="50.00"), shop.wallet()
    before = snapshot()

    body = {"sender_wallet_id": ann, "receiver_wallet_id": bob, "amount": "1.00"} | change
    answer = shop.post("/payments", body)

    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert snapshot() == before


@pytest.mark.parametrize(
    "body",
    [
        " ", "{", "[]", '"x"', "7", "null", '{"amount": "1.00", "amount": "2.00"}', '{"amount": NaN}',
        '{"amount": Infinity}', "{'amount': '1'}", '{"amount": "1.00",}', '{"description": "a\\u0000b"}',
        '{"description": "\\ud800"}', b'{"description": "\xff"}', b"\xef\xbb\xbf{}", "[" * 33 + "]" * 33,
        '{"a": ' * 33 + "1" + "}" * 33, "[" * 20_000, '{"metadata": {"a": "1", "a": "2"}}', "{}{}",
        '{"amount": ' + "9" * 5000 + "}",
    ],
    ids=lambda body: repr(body)[:40],
)  # fmt: skip
def test_a_body_that_is_not_strict_json_is_refused(shop, body):
    before = snapshot()

    answer = shop.post("/payments", body)

    assert answer.status_code == 400
    assert answer.json()["code"] in ("malformed_json", "validation_error")
    assert answer["Content-Type"] == "application/problem+json"
    assert len(answer.content) < 1500
    assert snapshot() == before


def test_a_body_above_64_kib_is_too_large(shop):
    answer = shop.post("/payments", json.dumps({"description": "x" * 65_536}))

    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/json; charset=latin-1"]
)
def test_only_json_is_read(shop, kind):
    answer = shop.http.generic(
        "POST", "/api/v1/payments", "{}", content_type=kind, headers={"Authorization": shop.bearer}
    )

    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def test_an_unknown_wallet_and_anothers_wallet_are_the_same_bytes(ann, mallory, shop):
    own, others = shop.wallet(owner=mallory.id, holding="1.00"), shop.wallet(owner=ann.id, holding="5.00")
    before = snapshot()

    def body_of(sender: str) -> dict[str, object]:
        answer = mallory.pay(sender, own, "1.00")
        assert answer.status_code == 404
        return {name: member for name, member in answer.json().items() if name != "request_id"}

    assert body_of(others) == body_of(str(uuid4()))
    assert snapshot() == before


def test_a_user_pays_from_its_own_wallet_to_anybodys(ann, mallory, shop):
    from_ann, to = shop.wallet(owner=ann.id, holding="5.00"), shop.wallet(owner=mallory.id)

    assert ann.pay(from_ann, to, "2.00").status_code == 201
    assert mallory.balance(to) == "2.00"


def test_a_user_spends_only_from_its_own_wallet(ann, mallory, shop):
    wallet = shop.wallet(owner=ann.id, holding="5.00")

    assert mallory.post("/spends", {"wallet_id": wallet, "amount": "1.00"}).status_code == 404
    assert ann.post("/spends", {"wallet_id": wallet, "amount": "1.00"}).status_code == 201


@pytest.mark.parametrize("path", ["/topups", "/bonuses"])
def test_a_user_makes_no_money(ann, shop, path):
    wallet = shop.wallet(owner=ann.id)

    answer = ann.post(path, {"wallet_id": wallet, "amount": "1.00"})

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert shop.balance(wallet) == "0.00"


def test_a_client_is_bound_to_its_assets(shop):
    game = actor("client", assets=frozenset({"GEM"}))
    euros, others, gems = shop.wallet(holding="5.00"), shop.wallet(), game.wallet("GEM")

    assert game.get(f"/wallets/{euros}").status_code == 404
    assert game.pay(euros, others, "1.00").status_code == 404
    assert game.post("/topups", {"wallet_id": euros, "amount": "1.00"}).status_code == 404
    assert game.post("/topups", {"wallet_id": gems, "amount": "5"}).status_code == 201
    assert game.pay(gems, euros, "1").status_code == 404
    assert {asset["code"] for asset in game.get("/assets").json()["data"]} == {"GEM"}
    opened = game.post("/wallets", {"user_id": str(uuid4()), "asset": "EUR"})
    assert (opened.status_code, opened.json()["errors"][0]["pointer"]) == (400, "/asset")


@pytest.mark.parametrize(
    ("holding", "sender_status", "receiver_status", "receiver_asset", "status", "code", "state"),
    [
        ("0.99", None, None, "EUR", 422, "insufficient_funds", None),
        ("5.00", "SUSPENDED", None, "EUR", 409, "wallet_not_active", "SUSPENDED"),
        ("5.00", None, "SUSPENDED", "EUR", 409, "wallet_not_active", "SUSPENDED"),
        ("5.00", None, None, "GEM", 422, "asset_mismatch", None),
    ],
)
def test_a_decline_is_stored_and_moves_nothing(
    shop, holding, sender_status, receiver_status, receiver_asset, status, code, state
):
    ann, bob = shop.wallet(holding=holding), shop.wallet(receiver_asset)
    for wallet, wanted in ((ann, sender_status), (bob, receiver_status)):
        if wanted:
            assert shop.set_status(wallet, wanted).status_code == 200
    before = snapshot()

    answer = shop.pay(ann, bob, "1.00")

    problem, after = answer.json(), snapshot()
    assert (answer.status_code, problem["code"], problem["outcome"]) == (status, code, "declined")
    assert problem.get("current_state") == state
    assert {table for table in after if after[table] != before[table]} == {
        "payments", "transaction_failures", "idempotency_keys", "outbox_events",
    }  # fmt: skip
    assert shop.get(f"/payments/{problem['payment_id']}").json()["failure"]["code"] == code


def test_a_wallet_pays_not_itself(shop):
    ann = shop.wallet(holding="5.00")

    answer = shop.pay(ann, ann, "1.00")

    assert (answer.status_code, answer.json()["code"]) == (422, "same_wallet")
    assert answer.json()["outcome"] == "not_executed"


def test_a_wallet_that_was_never_activated_takes_no_money(shop):
    opened = shop.post("/wallets", {"user_id": str(uuid4()), "asset": "EUR"}).json()

    answer = shop.post("/topups", {"wallet_id": opened["id"], "amount": "1.00"})

    assert (answer.status_code, answer.json()["current_state"]) == (409, "CREATED")


def test_a_user_learns_nothing_of_anothers_wallet_that_is_not_active(shop, ann, mallory):
    own, others = shop.wallet(owner=ann.id, holding="5.00"), shop.wallet(owner=mallory.id)
    shop.set_status(others, "SUSPENDED")

    assert ann.pay(own, others, "1.00").status_code == 404
