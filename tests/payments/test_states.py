"""Every state crossed with every verb: what may be done is done, the rest is refused and changes nothing else."""

import pytest

from payments.expiry import expire_holds
from tests.money import rows, value
from tests.payments.holds import act, authorize, wait_until_due

VERBS = {
    "capture": {"amount": "1.00", "final": False},
    "void": {},
    "extend": {"expires_in": 2592000},
    "reauthorize": {"amount": "12.00"},
    "refund": {"amount": "1.00"},
    "reverse": {},
}
HOLD = {"capture": 201, "void": 200, "extend": 200, "reauthorize": 201}
# Of each state, what may be done. All else is invalid_state, with the state named.
ALLOWED = {
    "authorized": (HOLD, "AUTHORIZED"),
    "captured in part": (HOLD | {"refund": 201}, "AUTHORIZED"),
    "captured": ({"refund": 201}, "SETTLED"),
    "voided": ({}, "VOIDED"),
    "overdue": ({}, "EXPIRED"),
    "expired": ({}, "EXPIRED"),
    "failed hold": ({}, "FAILED"),
    "settled": ({"refund": 201, "reverse": 201}, "SETTLED"),
    "refunded in part": ({"refund": 201}, "SETTLED"),
    "reversed": ({}, "SETTLED"),
    "failed": ({}, "FAILED"),
    "capture": ({}, "SETTLED"),
    "refund": ({}, "SETTLED"),
    "raise": ({}, "SETTLED"),
    "failed void": ({}, "FAILED"),
}


@pytest.fixture
def payment_in(shop):
    """Make a payment in a state; the money is there for every verb."""
    ann, bob = shop.wallet(holding="100.00"), shop.wallet(holding="100.00")

    def hold(**more):
        return authorize(shop, ann, bob, "10.00", **more)

    def after(payment, verb, body=None, *, child=False):
        answer = act(shop, payment, verb, body).json()
        return answer.get("payment_id", answer.get("id")) if child else payment

    def due(payment):
        wait_until_due(payment)
        return payment

    def swept(payment):
        list(expire_holds())
        return payment

    def paid():
        return shop.pay(ann, bob, "10.00").json()["id"]

    return {
        "authorized": hold,
        "captured in part": lambda: after(hold(), "capture", {"amount": "2.00", "final": False}),
        "captured": lambda: after(hold(), "capture"),
        "voided": lambda: after(hold(), "void"),
        "overdue": lambda: due(hold(expires_in=1)),
        "expired": lambda: swept(due(hold(expires_in=1))),
        "failed hold": lambda: shop.pay(ann, bob, "1000.00", capture=False).json()["payment_id"],
        "settled": paid,
        "refunded in part": lambda: after(paid(), "refund", {"amount": "1.00"}),
        "reversed": lambda: after(paid(), "reverse"),
        "failed": lambda: shop.pay(ann, bob, "1000.00").json()["payment_id"],
        "capture": lambda: after(hold(), "capture", child=True),
        "refund": lambda: after(paid(), "refund", {"amount": "1.00"}, child=True),
        "raise": lambda: after(hold(), "reauthorize", {"amount": "11.00"}, child=True),
        "failed void": lambda: after(paid(), "void", child=True),
    }


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("state", ALLOWED)
def test_a_verb_is_done_where_the_state_allows_it_and_refused_everywhere_else(shop, payment_in, state, verb):
    payment = payment_in[state]()
    allowed, current = ALLOWED[state]
    money, payments = rows("SELECT id, balance, held FROM accounts"), value("SELECT count(*) FROM payments")

    answer = act(shop, payment, verb, VERBS[verb])

    if verb in allowed:
        assert answer.status_code == allowed[verb], answer.content
        return
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["current_state"]) == (409, "invalid_state", current)
    assert (problem["outcome"], problem["retryable"]) == ("declined", False)
    failed = shop.get(f"/payments/{problem['payment_id']}").json()
    assert (failed["status"], failed["parent_id"], failed["failure"]["code"]) == ("FAILED", payment, "invalid_state")
    assert sorted(rows("SELECT id, balance, held FROM accounts")) == sorted(money)
    assert value("SELECT count(*) FROM payments") == payments + 1
