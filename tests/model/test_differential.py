"""The model and ``decide`` agree; and where a rule is taken away, the comparison says so."""

import pytest

from ledger.accounts import AccountState
from payments import acting, deciding, effects, moving
from payments.state import PaymentState, Refusal
from tests.model import differential


def test_thousands_of_requests_are_decided_as_the_model_says():
    assert differential.prove(40_000, 1, lambda done: None) == []


def nothing(*_):
    return None


BUGS = {
    "spends what is not there": (moving, "short_of_funds", nothing),
    "moves money of wallets that are not active": (moving, "not_active", nothing),
    "captures what has expired": (PaymentState, "status_at", lambda payment, now: payment.status),
    "captures more than is held": (acting, "_decline_capture", lambda state, draft, parent: None),
    "refunds more than was captured": (acting, "_decline_refund", lambda state, draft, parent: None),
    "reverses twice": (acting, "_decline_reversal", lambda state, draft, parent: None),
    "holds nothing when it raises": (acting, "_decline_reauthorization", lambda state, draft, parent: None),
    "says another state": (
        acting, "_invalid", lambda state, parent, detail, **members: Refusal("invalid_state", detail, members),
    ),
    "leaves the rest held": (effects, "_end", lambda state, plan, command, payment, status: None),
    "pays whatever is asked for": (deciding, "over_limit", nothing),
    "counts nothing": (effects, "count", nothing),
    "holds what an overdraft would cover": (AccountState, "can_hold", AccountState.covers),
    "asks no side of an adjustment whether it is active": (
        deciding, "draft_adjustment", lambda state, command: Refusal("not_found", "There is no such account."),
    ),
    "shows others' wallets": (moving, "_visible", lambda state, command, id, debited: state.accounts.get(id)),
}  # fmt: skip


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(monkeypatch, bug):
    place, name, wrong = BUGS[bug]
    monkeypatch.setattr(place, name, wrong)
    for module in (acting, moving, effects):
        if module is not place and hasattr(module, name):
            monkeypatch.setattr(module, name, wrong)

    found = []
    for seed in range(40):
        try:
            found += differential.play(seed)
        except (ValueError, KeyError, AssertionError, LookupError) as error:  # the journal's own guards
            found.append(str(error))

    assert found
