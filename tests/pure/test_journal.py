"""The journal: postings that balance and are covered, holds that fit."""

from uuid import UUID

import orjson
import pytest

from ledger.posting import Journal, Leg
from tests.pure.world import ANN, BOB, CLEO, GEM, NOW, SYSTEM, move, only


def journal(world):
    return Journal(new_id=world.state.new_id)


def post(world, *changes):
    legs = [Leg(world.state.accounts[wallet], change) for wallet, change in changes]
    return journal(world).post(transaction_id=UUID(int=1), kind="x", legs=legs, booked_at=NOW, effective_at=NOW)


@pytest.mark.parametrize(
    "changes",
    [
        [(ANN, -1), (BOB, 2)], [(ANN, -1), (GEM, 1)], [(ANN, 0)], [], [(ANN, 5), (BOB, 5)],
        [(ANN, -1), (BOB, -1), (CLEO, 3)],
    ],
)  # fmt: skip
def test_the_journal_posts_nothing_that_does_not_balance(world, changes):
    with pytest.raises(ValueError, match="unbalanced posting: "):
        post(world, *changes)


@pytest.mark.parametrize("changes", [[(ANN, -10_001), (BOB, 10_001)], [(ANN, 0), (BOB, 0)]])
def test_the_journal_posts_nothing_that_is_not_covered_or_nothing(world, changes):
    with pytest.raises(ValueError, match=f"does not cover {-changes[0][1]}$"):
        post(world, *changes)


def test_the_journal_posts_several_legs_and_credits_what_is_overdrawn(world):
    world.state.accounts[BOB].held = 50  # as after a correction: less is available than nothing

    post(world, (ANN, -3), (BOB, 1), (CLEO, 2))

    assert [world.money(wallet)[0] for wallet in (ANN, BOB, CLEO)] == [9997, 1, 2]


@pytest.mark.parametrize(("held", "change"), [(0, 10_001), (5, -6), (10_000, 1)])
def test_the_journal_holds_no_more_than_there_is_and_releases_no_more_than_is_held(world, held, change):
    account = world.state.accounts[ANN]
    account.held = held
    with pytest.raises(ValueError, match=f"cannot hold {change} more than {held}"):
        journal(world).hold(account, change)
    account.held, account.balance = 5, 0
    journal(world).hold(account, -5)
    journal(world).hold(account, 0)
    assert account.held == 0


def test_an_asset_without_a_system_account_is_a_bug_that_says_so(world):
    del world.state.accounts[SYSTEM["treasury"]]
    with pytest.raises(LookupError, match="asset EUR has no treasury account"):
        world.do(move("1.00", None, BOB, kind="topup"))


def test_stored_bytes_are_json_without_surprises(world):
    outcome = only(world.do(move("1.00", description='"quoted" \u2028 text')))

    assert orjson.loads(outcome.body)["description"] == '"quoted" \u2028 text'
