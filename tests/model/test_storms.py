"""The proofs against a running platform, in short. ``make prove`` runs them at full length."""

from __future__ import annotations

import pytest

from tests.model import (
    history_proof,
    over_http,
    storms_crowd,
    storms_duplicates,
    storms_expiry,
    storms_kills,
    storms_pairs,
)
from tests.model.failpoints_endpoints import ENDPOINTS, forgotten
from tests.model.failpoints_proof import pairs
from tests.model.failpoints_proof import run as die
from walletplatform.failpoints import MONEY

pytestmark = pytest.mark.faults


def quietly(done: int) -> None:
    """Nobody watches."""


def test_a_concurrent_history_has_an_order(started):
    verdict = history_proof.run(started, 1000, 1, quietly, disturbed=False)

    assert verdict.anomalies == []
    assert verdict.steps > 500


def test_every_pair_of_verbs_is_serial(started):
    assert storms_pairs.run(started, 2 * len(storms_pairs.PAIRS), 1, quietly) == []


def test_duplicates_have_one_effect_and_one_answer(started):
    assert storms_duplicates.run(started, 60, 1, quietly) == []


def test_a_hold_is_captured_or_expires(started):
    assert storms_expiry.run(started, 300, 1, quietly) == []


def test_a_crowd_on_one_wallet_is_paid_or_told_to_come_again(started):
    assert storms_crowd.run(started, 400, quietly, compare=False) == []


def test_every_money_endpoint_is_tried_at_the_fail_points():
    assert forgotten() == set()
    assert set(pairs()) == {(name, endpoint) for name in MONEY for endpoint in ENDPOINTS}


def test_a_death_on_the_money_path_leaves_one_effect(started):
    chosen = ["payments", "capture", "batch, atomic", "voids", "extend", "refund"]
    assert set(chosen) <= ENDPOINTS.keys()

    assert die(started, list(zip(MONEY, chosen, strict=True)), quietly) == []


def test_postgresql_killed_under_load_loses_nothing(started):
    assert storms_kills.run(started, 3, 1, quietly) == []


def test_random_requests_over_http_are_answered_as_the_model_says(started):
    assert over_http.run(started, 240, 1, quietly, disturbed=False) == []
