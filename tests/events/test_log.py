"""The log: every committed fact once, in the order of each wallet, at a position without gaps."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from uuid import UUID, uuid4

import orjson
import pytest
from django.db import connection
from django.db.transaction import atomic

from events import log, sequencer
from events.api import views
from events.envelope import envelope
from events.sequencer import sequence
from tests.actors import actor
from tests.conftest import drop_database, make_database, use_database
from tests.events.test_consuming import until
from tests.ledger.test_database_rules import connect
from tests.money import rows, value


def sequence_all():
    while sequence():
        pass


@pytest.fixture
def start():
    """The log's end when the test begins."""
    sequence_all()
    return log.head()


@pytest.fixture
def ann(start, shop):
    return shop.wallet(holding="100.00")


@pytest.fixture
def bob(start, shop):
    return shop.wallet()


def told_of(wallet):
    return [
        (event.type, str(event.subject)) for event in log.read_of_wallet(UUID(wallet), after=0, limit=1000, types=[])
    ]


def test_what_is_committed_comes_into_the_log_in_its_order(shop, start, ann, bob):
    paid = shop.pay(ann, bob, "1.00").json()["id"]
    failed = shop.pay(ann, bob, "1000.00").json()["payment_id"]
    held = shop.pay(ann, bob, "2.00", capture=False).json()["id"]
    captured = shop.post(f"/payments/{held}/capture", {}).json()["id"]

    sequence_all()

    assert told_of(bob) == [
        ("wallet.created", bob), ("wallet.activated", bob), ("payment.settled", paid), ("payment.failed", failed),
        ("payment.authorized", held), ("payment.settled", captured), ("payment.captured", held),
    ]  # fmt: skip
    assert value("SELECT count(*) FROM outbox_events") == 0
    positions = [event.position for event in log.read(after=start, limit=1000)]
    assert positions == list(range(start + 1, log.head() + 1))


def test_what_is_not_committed_does_not(shop, start, ann, bob):
    sequence_all()
    end = log.head()

    shop.pay(ann, bob, "1.00", metadata=3)
    shop.pay(ann, str(uuid4()), "1.00")

    assert (sequence(), log.head()) == (0, end)


def test_a_fact_that_commits_late_is_not_passed_over(start, shop):
    """Its id is smaller than those of facts that were committed before it."""
    late, early = uuid4(), uuid4()
    insert = (
        "INSERT INTO outbox_events (event_id, type, subject, time, correlation_id, traceparent, data)"
        " VALUES (%s, 'wallet.created', %s, now(), '', '', '{\"asset\": \"EUR\"}')"
    )
    with connect("default") as slow, connect("default") as fast:
        slow.execute(insert, (late, late))
        fast.execute(insert, (early, early))
        fast.commit()
        sequence_all()
        assert [event.event_id for event in log.read(after=start, limit=9)] == [early]
        slow.commit()
    sequence_all()

    assert [event.event_id for event in log.read(after=start, limit=9)] == [early, late]


def test_sequencers_at_once_give_each_fact_one_position(shop, start, ann, bob):
    for _ in range(60):
        shop.pay(ann, bob, "0.01")

    def take_turns(_):
        try:
            sequence_all()
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(take_turns, range(4)))

    found = log.read(after=start, limit=1000)
    assert [event.position for event in found] == list(range(start + 1, start + 1 + len(found)))
    assert len({event.event_id for event in found}) == len(found)
    entries = [
        entry["seq"]
        for event in found
        for entry in orjson.loads(event.data).get("entries", [])
        if entry["account_id"] == bob
    ]
    assert entries == list(range(1, 61))


def test_a_sequencer_waits_for_one_that_has_written_and_not_committed(shop, start, ann, bob, monkeypatch):
    sequence_all()
    shop.pay(ann, bob, "1.00")
    written, go_on = Event(), Event()

    def stop_there(name):
        if name == "sequencer.written" and not written.is_set():
            written.set()
            assert go_on.wait(10)

    def run():
        try:
            return sequence()
        finally:
            connection.close()

    monkeypatch.setattr(sequencer, "fail_point", stop_there)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(run)
        assert written.wait(10)
        shop.pay(ann, bob, "1.00")
        second = pool.submit(run)
        # Without the lock it goes on now, from the same position.
        time.sleep(0.3)
        go_on.set()
        assert (first.result(), second.result()) == (1, 1)

    positions = [event.position for event in log.read(after=start, limit=1000)]
    assert positions == list(range(start + 1, start + 1 + len(positions)))


def test_an_event_is_a_cloud_event_and_always_the_same_bytes(shop, start, ann, bob):
    shop.pay(ann, bob, "1.00")
    sequence_all()
    event = log.read(after=start, limit=1000)[-1]
    shown = orjson.loads(envelope(event))

    assert envelope(log.read(after=event.position - 1, limit=1)[0]) == envelope(event)
    assert (shown["specversion"], shown["type"], shown["sequence"]) == ("1.0", "payment.settled", str(event.position))
    assert shown["subject"] == shown["data"]["id"]
    assert shown["data"]["entries"][1]["balance_after"] == "1.00"


RULES = {
    "change an event": "UPDATE events SET type = 'payment.failed'",
    "delete an event": "DELETE FROM events",
    "truncate the log": "TRUNCATE events",
    "forget whom it concerns": "DELETE FROM event_wallets",
    "change a fact": "UPDATE outbox_events SET data = '{}'",
    "truncate the outbox": "TRUNCATE outbox_events",
    "drop a fact": "DELETE FROM outbox_events",
    "leave a gap": "INSERT INTO events SELECT event_id, type, subject, time, correlation_id, traceparent, data,"
    " position + 2, -1, asset, wallet_ids, sequenced_at FROM events ORDER BY position DESC LIMIT 1",
    "put a fact in twice": "INSERT INTO events SELECT event_id, type, subject, time, correlation_id, traceparent, data,"
    " position + 1, outbox_id, asset, wallet_ids, sequenced_at FROM events ORDER BY position DESC LIMIT 1",
}


@pytest.mark.parametrize("role", ["default", "owner"])
@pytest.mark.parametrize("rule", RULES)
def test_the_database_keeps_the_log(shop, start, ann, bob, rule, role):
    sequence_all()
    shop.pay(ann, bob, "1.00")
    before = rows("SELECT * FROM events ORDER BY position"), rows("SELECT * FROM outbox_events")

    with connect(role) as session, pytest.raises(Exception, match=r"append-only|without being|gap|denied|duplicate"):
        session.execute(RULES[rule])

    assert (rows("SELECT * FROM events ORDER BY position"), rows("SELECT * FROM outbox_events")) == before


def follow(who, **query):
    return who.get("/events?" + "&".join(f"{name}={one}" for name, one in query.items()))


def test_the_log_is_followed_over_http_page_by_page(shop, start, ann, bob):
    paid = [shop.pay(ann, bob, "1.00").json()["id"] for _ in range(5)]
    sequence_all()

    seen, after = [], start
    while True:
        page = follow(shop, after=after, limit=2, types="payment.settled", wallet_id=bob).json()
        seen += [event["subject"] for event in page["data"]]
        after = page["next_after"]
        if not page["has_more"]:
            break

    assert (seen, after) == (paid, log.head())
    assert follow(shop, after=after).json() == {"data": [], "has_more": False, "next_after": after}
    everything = follow(shop, after=start, limit=100).json()
    assert [int(event["sequence"]) for event in everything["data"]] == list(range(start + 1, after + 1))
    by_type = follow(shop, after=start, types="payment.settled,payment.failed", limit=100).json()
    assert [event["subject"] for event in by_type["data"]][-5:] == paid


def test_who_waits_gets_what_comes(shop, start, ann, bob):
    sequence_all()
    end = log.head()

    def wait():
        try:
            return follow(shop, after=end, wait=9, types="payment.settled").json()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait)
        shop.pay(ann, bob, "1000.00")
        sequence_all()
        paid = shop.pay(ann, bob, "1.00").json()["id"]
        sequence_all()
        assert [event["subject"] for event in waiting.result()["data"]] == [paid]


def test_who_waits_for_a_type_gets_the_first_event_of_a_new_asset(shop, rare_asset):
    shop.wallet()
    sequence_all()
    end = log.head()

    def wait():
        try:
            return follow(shop, after=end, wait=9, types="wallet.created").json()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait)
        time.sleep(0.5)
        first = shop.wallet(rare_asset)
        sequence_all()
        assert [event["subject"] for event in waiting.result()["data"]] == [first]


def test_a_client_sees_the_events_of_its_assets_alone(shop, start, ann, bob):
    gems = shop.wallet("GEM")
    shop.pay(ann, bob, "1.00")
    sequence_all()
    only_gems = actor("client", assets=frozenset({"GEM"}))

    shown = follow(only_gems, after=start, limit=100).json()

    assert {event["subject"] for event in shown["data"]} == {gems}
    assert shown["next_after"] == log.head()
    assert follow(only_gems, after=0, wallet_id=ann).json()["data"] == []
    assert follow(actor("client", assets=frozenset()), after=0).json()["data"] == []


def test_a_client_learns_nothing_of_a_wallet_that_it_may_not_see(shop, start, ann, bob):
    for _ in range(3):
        shop.pay(ann, bob, "1.00")
    # A GEM wallet that pays ann fails; that is told of her wallet, too.
    shop.pay(shop.wallet("GEM", holding="5"), ann, "1")
    sequence_all()
    only_gems, only_euros = (actor("client", assets=frozenset({asset})) for asset in ("GEM", "EUR"))

    for types in ({}, {"types": "payment.settled"}, {"types": "payment.failed"}):
        unknown = follow(only_gems, after=start, limit=1, wallet_id=uuid4(), **types).json()
        assert follow(only_gems, after=start, limit=1, wallet_id=ann, **types).json() == unknown
    failed = follow(only_euros, after=start, wallet_id=ann, limit=1, types="payment.failed").json()
    assert failed == {"data": [], "has_more": False, "next_after": log.head()}
    assert follow(only_euros, after=start, wallet_id=ann, limit=1).json()["has_more"]


def test_one_follower_leaves_the_others_room_to_wait(shop, start):
    other = actor("client")
    end = log.head()

    def wait(who):
        try:
            return follow(who, after=end, wait=9).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(5) as pool:
        waiting = [pool.submit(wait, shop) for _ in range(4)]
        until(lambda: views._waiting.total() == 4)
        assert wait(shop) == 503
        waiting.append(pool.submit(wait, other))
        until(lambda: views._waiting.total() == 5)
        shop.wallet()
        sequence_all()
        assert [one.result() for one in waiting] == [200] * 5

    assert views._waiting.total() == 0


def test_a_question_may_be_asked_by_head(shop, start):
    answer = shop.http.head("/api/v1/events?after=0&limit=1", headers={"Authorization": shop.bearer})
    assert (answer.status_code, answer.content) == (200, b"")

    answer = shop.http.head("/api/v1/events?before=0", headers={"Authorization": shop.bearer})
    assert answer.status_code == 400


@pytest.fixture
def grown(database):
    """A database whose log has grown by one asset's events, and was not vacuumed since."""
    name = f"grown_{os.getpid()}"
    make_database(name)
    use_database(name)
    try:
        with connect("owner") as owner:
            owner.execute("ALTER TABLE events SET (autovacuum_enabled = false)")
            owner.execute("""
                INSERT INTO events (position, outbox_id, event_id, type, subject, time, correlation_id, traceparent,
                                    data, asset, wallet_ids, sequenced_at)
                SELECT n, n, gen_random_uuid(), (ARRAY['payment.settled', 'payment.failed'])[1 + n % 2],
                       gen_random_uuid(), now(), '', '', repeat('x', 600), 'EUR', '{}', now()
                  FROM generate_series(1, 20000) AS n""")
            owner.execute("ANALYZE events")
        yield
    finally:
        use_database(database)
        drop_database(name)


@pytest.mark.parametrize(
    ("assets", "types"), [(["EUR"], ["payment.expired"]), (["GEM"], []), (["EUR", "GEM"], ["wallet.closed"])]
)
def test_a_page_costs_what_it_shows_however_long_the_log_is(grown, assets, types):
    with atomic():
        before = value("SELECT pg_stat_get_xact_blocks_fetched('events'::regclass)")
        assert log.read_of_assets(assets, after=100, limit=21, types=types) == []
        assert value("SELECT pg_stat_get_xact_blocks_fetched('events'::regclass)") - before < 100


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("after=-1", "/after"), ("after=x", "/after"), ("after=", "/after"), ("after=01", "/after"),
        ("after=99999999999999999999", "/after"), ("after=999999999999999999", "/after"), ("after=１", "/after"),
        ("limit=0", "/limit"), ("limit=101", "/limit"), ("wait=10", "/wait"), ("wait=1.5", "/wait"),
        ("types=", "/types"), ("types=payment.settled,", "/types"), ("types=payment.exploded", "/types"),
        ("types=PAYMENT.SETTLED", "/types"), ("wallet_id=7", "/wallet_id"), ("asset=EUR", "/asset"),
    ],
)  # fmt: skip
def test_a_question_that_makes_no_sense_is_refused(shop, query, pointer):
    answer = shop.get(f"/events?{query}")

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)
