"""Lists: exact pages under every filter, and cursors that cannot be bent."""

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.actors import actor


def pages(who, path, limit):
    """Every row of a list, page by page."""
    found, cursor = [], None
    while True:
        separator = "&" if "?" in path else "?"
        more = f"&cursor={cursor}" if cursor else ""
        answer = who.get(f"{path}{separator}limit={limit}{more}")
        assert answer.status_code == 200, answer.content
        page = answer.json()
        assert len(page["data"]) <= limit
        found += page["data"]
        if not page["has_more"]:
            assert page["next_cursor"] is None
            return found
        cursor = page["next_cursor"]


@pytest.fixture
def history(shop, rare_asset):
    """A client of one asset, and payments of several kinds and outcomes in it, oldest first."""
    client = actor("client", assets=frozenset({rare_asset}))
    ann, bob = client.wallet(rare_asset), client.wallet(rare_asset)
    made = []
    for number in range(12):
        made.append(client.post("/topups", {"wallet_id": ann, "amount": "2.00"}).json()["id"])
        made.append(client.pay(ann, bob, "1.00").json()["id"])
        if number % 4 == 0:
            made.append(client.pay(ann, bob, "900.00").json()["payment_id"])
    return client, ann, bob, made


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_the_pages_of_a_list_make_up_the_whole_once(history, limit):
    client, _, _, made = history

    assert [payment["id"] for payment in pages(client, "/payments", limit)] == made[::-1]


@pytest.mark.parametrize(
    "query",
    ["kind=topup", "kind=transfer", "status=FAILED", "status=SETTLED", "kind=transfer&status=FAILED",
     "kind=bonus", "status=EXPIRED"],
)  # fmt: skip
@pytest.mark.parametrize("by_wallet", [False, True])
def test_filters_narrow_a_list_to_what_they_say(history, query, by_wallet):
    client, ann, _, _ = history
    wanted = dict(part.split("=") for part in query.split("&"))
    everything = pages(client, "/payments", 100)
    expected = [p["id"] for p in everything if all(p[name] == value for name, value in wanted.items())]

    path = f"/payments?{query}" + (f"&wallet_id={ann}" if by_wallet else "")

    assert [payment["id"] for payment in pages(client, path, 3)] == expected


def test_a_list_is_narrowed_by_time(history):
    client, _, _, _ = history
    everything = pages(client, "/payments", 100)
    begin, end = everything[-3]["created_at"], everything[4]["created_at"]

    found = pages(client, f"/payments?created_from={begin}&created_to={end}", 5)

    assert [p["id"] for p in found] == [p["id"] for p in everything if begin <= p["created_at"] < end]


def test_a_wallets_list_has_what_it_sent_and_received(history):
    client, ann, bob, made = history

    assert [p["id"] for p in pages(client, f"/payments?wallet_id={ann}", 4)] == made[::-1]
    to_bob = pages(client, f"/payments?wallet_id={bob}", 4)
    assert {p["kind"] for p in to_bob} == {"transfer"}


def test_transactions_are_what_settled(history):
    client, ann, _, _ = history
    settled = [p["id"] for p in pages(client, "/payments?status=SETTLED", 100)]

    assert [t["id"] for t in pages(client, "/transactions", 5)] == settled
    assert [t["id"] for t in pages(client, f"/wallets/{ann}/transactions", 5)] == settled
    assert pages(client, "/transactions?status=FAILED", 5) == []


def test_a_page_is_exact_while_others_write(history):
    client, ann, _, made = history
    first = client.get("/payments?limit=5").json()
    for _ in range(3):
        client.post("/topups", {"wallet_id": ann, "amount": "1.00"})

    rest = client.get(f"/payments?limit=100&cursor={first['next_cursor']}").json()

    assert [p["id"] for p in first["data"] + rest["data"]] == made[::-1]


def test_an_end_user_lists_its_own_payments_only(shop, ann, mallory):
    own, others = shop.wallet(owner=ann.id, holding="5.00"), shop.wallet(owner=mallory.id, holding="5.00")
    ann.pay(own, others, "1.00")

    assert [p["kind"] for p in pages(ann, "/payments", 2)] == ["transfer", "topup"]
    assert ann.get(f"/payments?wallet_id={others}").status_code == 404
    theirs = shop.get(f"/payments?wallet_id={others}&kind=topup").json()["data"][0]["id"]
    assert ann.get(f"/payments/{theirs}").status_code == 404
    assert ann.get(f"/transactions/{theirs}").status_code == 404
    assert ann.get(f"/transactions/{theirs}/ledger").status_code == 404


def test_of_a_shared_transaction_a_user_sees_its_own_balance_only(shop, ann, mallory):
    own, others = shop.wallet(owner=ann.id, holding="5.00"), shop.wallet(owner=mallory.id, holding="7.00")
    payment = ann.pay(own, others, "1.00").json()["id"]

    entries = ann.get(f"/transactions/{payment}/ledger").json()["entries"]

    assert [(e["wallet_id"], e["balance_after"]) for e in entries] == [(own, "4.00"), (others, None)]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=-1", "limit=x", "limit=1.5", "limit=%D9%A1", "limit=", "cursor=", "cursor=x",
     "wallet_id=x", "kind=gift", "status=settled", "created_from=yesterday", "created_from=2026-01-01",
     "created_to=2026-13-01T00:00:00Z", "surprise=1", "limit=1&limit=2", "sender__user_id=1", "kind=%00"],
)  # fmt: skip
def test_a_bad_parameter_is_named(shop, query):
    answer = shop.get(f"/payments?{query}")

    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert answer.json()["errors"][0]["pointer"] == "/" + query.split("=")[0]


def test_a_cursor_is_bound_to_its_list_filters_and_owner(history, shop):
    client, ann, _, _ = history
    cursor = client.get("/payments?limit=1&kind=topup").json()["next_cursor"]

    for who, path in (
        (client, f"/payments?limit=1&cursor={cursor}"),
        (client, f"/payments?limit=1&kind=transfer&cursor={cursor}"),
        (client, f"/transactions?limit=1&kind=topup&cursor={cursor}"),
        (client, f"/wallets/{ann}/entries?cursor={cursor}"),
        (shop, f"/payments?limit=1&kind=topup&cursor={cursor}"),
        (client, f"/payments?limit=1&kind=topup&cursor={cursor[:-2]}xx"),
    ):
        answer = who.get(path)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/cursor"), path


@pytest.mark.parametrize("path", ["/payments", "/transactions", "/wallets", "/payments?status=FAILED"])
def test_a_list_costs_the_same_number_of_queries_however_long(shop, path):
    for _ in range(3):
        shop.wallet(holding="1.00")

    def queries(limit: int) -> int:
        separator = "&" if "?" in path else "?"
        with CaptureQueriesContext(connection) as captured:
            shop.get(f"{path}{separator}limit={limit}")
        assert not any("COUNT(" in query["sql"].upper() for query in captured)
        return len(captured)

    assert queries(1) == queries(100) <= 3


def test_an_unknown_wallet_as_a_filter_is_not_found(shop):
    assert shop.get(f"/payments?wallet_id={uuid4()}").status_code == 404


def test_a_failed_attempt_is_shown_to_its_sender_only(shop, ann, mallory):
    own, others = shop.wallet(owner=ann.id), shop.wallet(owner=mallory.id)
    failed = ann.pay(own, others, "1.00", description="for you").json()["payment_id"]

    assert [p["id"] for p in pages(ann, "/payments", 5)] == [failed]
    assert pages(mallory, "/payments", 5) == pages(mallory, f"/payments?wallet_id={others}", 5) == []
    assert mallory.get(f"/payments/{failed}").status_code == 404


def test_a_client_sees_no_payment_of_another_asset_in_its_wallets_list(shop):
    euros, gems = shop.wallet("EUR"), shop.wallet("GEM", holding="5")
    shop.pay(gems, euros, "1")
    bound = actor("client", assets=frozenset({"EUR"}))

    assert pages(bound, f"/payments?wallet_id={euros}", 5) == []


def test_what_came_of_a_payment_is_listed_by_its_parent(shop, mallory):
    ann, bob = shop.wallet(holding="10.00"), shop.wallet()
    hold = shop.pay(ann, bob, "5.00", capture=False).json()["id"]
    for _ in range(3):
        assert shop.post(f"/payments/{hold}/capture", {"amount": "1.00", "final": False}).status_code == 201
    declined = shop.post(f"/payments/{hold}/capture", {"amount": "9.00"}).json()["payment_id"]

    children = shop.get(f"/payments?parent_id={hold}").json()["data"]

    assert [(child["kind"], child["parent_id"]) for child in children] == [("capture", hold)] * 4
    assert children[0]["id"] == declined
    assert [child["id"] for child in shop.get(f"/payments?parent_id={hold}&status=FAILED").json()["data"]] == [declined]
    posted = shop.get(f"/transactions?parent_id={hold}").json()["data"]
    assert [one["id"] for one in posted] == [child["id"] for child in children[1:]]
    assert shop.get(f"/payments?parent_id={hold}&wallet_id={ann}").status_code == 400
    assert mallory.get(f"/payments?parent_id={hold}").status_code == 404


def test_a_hold_that_has_settled_is_no_transaction_but_its_captures_are(shop):
    ann, bob = shop.wallet(holding="10.00"), shop.wallet()
    hold = shop.pay(ann, bob, "5.00", capture=False).json()["id"]
    capture = shop.post(f"/payments/{hold}/capture", {}).json()["id"]

    listed = [one["id"] for one in shop.get(f"/transactions?wallet_id={ann}").json()["data"]]

    assert (capture in listed, hold in listed) == (True, False)
    assert shop.get(f"/transactions?wallet_id={ann}&kind=authorization").json()["data"] == []
    assert shop.get(f"/transactions/{hold}").status_code == 404


def test_an_end_user_sees_no_failed_attempts_of_others_among_a_payments_children(shop, ann, mallory):
    payer, payee = shop.wallet(owner=ann.id, holding="5.00"), shop.wallet(owner=mallory.id)
    paid = shop.pay(payer, payee, "5.00").json()["id"]
    shop.pay(payee, shop.wallet(), "5.00")
    declined = shop.post(f"/payments/{paid}/refund", {}).json()["payment_id"]

    def listed(who):
        return [child["id"] for child in who.get(f"/payments?parent_id={paid}").json()["data"]]

    assert (listed(ann), listed(mallory), listed(shop)) == ([], [declined], [declined])
    assert ann.get(f"/payments/{declined}").status_code == 404
