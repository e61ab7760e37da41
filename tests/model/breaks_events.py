"""Planted bugs in what tells the events: the log, relays, consumers, webhooks."""

from __future__ import annotations

from tests.model.breaks import Break, take

RABBIT, HOOKS = (
    "tests/events/test_rabbitmq.py",
    ("tests/events/test_webhooks.py", "tests/events/test_webhook_endpoints.py"),
)
ADDRESSES = "tests/events/test_webhook_addresses.py"
LOG, CONSUMING, KAFKA = "tests/events/test_log.py", "tests/events/test_consuming.py", "tests/events/test_kafka.py"

IN_EVENTS = [
    take("sequencer lock", "sequencers do not take turns", LOG, "events/sequencer.py",
         'cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])', "cursor.execute(\"SELECT %s\", [_LOCK])"),
    take("order of the log", "facts get their positions in any order", LOG, "events/sequencer.py",
         "row_number() OVER (ORDER BY id)", "row_number() OVER (ORDER BY event_id::text DESC)"),
    take("processed marks", "what a consumer did is not looked up (dedup off)", CONSUMING, "events/consuming.py",
         "if event.position not in had]", "if True]"),
    take("cursor lock", "two of the same consumer do not take turns", CONSUMING, "events/consuming.py",
         "Cursor.objects.select_for_update().filter", "Cursor.objects.filter"),
    take("one transaction", "the mark commits before the effect", CONSUMING, "events/consuming.py",
         "        mark(consumer, free)\n        consumer.apply(free)\n",
         "        mark(consumer, free)\n        connection.commit()\n        consumer.apply(free)\n"),
    take("parked keys", "later events of a poisonous one's payment overtake it", CONSUMING, "events/consuming.py",
         "if held.isdisjoint(keys):", "if True:"),
    take("mark after publish", "the relay's cursor moves before Kafka has the events", KAFKA, "events/kafka.py",
         "        if failed or left:\n", "        if False:\n"),
    take("confirms", "the relay's cursor moves before RabbitMQ has confirmed the events", RABBIT, "events/rabbitmq.py",
         "            while self.unconfirmed:\n", "            while False:\n"),
]  # fmt: skip

IN_WEBHOOKS = [
    take("pinned address", "the address that is connected to is not looked at", HOOKS, "events/webhooks/addresses.py",
         "    if not may_reach(address[0]):\n", "    if False:\n"),
    take("address on saving", "an endpoint may be saved with an inner address", ADDRESSES,
         "events/webhooks/addresses.py", "    if not all(may_reach(address) for address in addresses):\n",
         "    if False:\n"),
    take("mapped addresses", "an inner IPv4 address may be written as IPv6", ADDRESSES,
         "events/webhooks/addresses.py", "return address.ipv4_mapped or address", "return address"),
    take("redirects", "a receiver may send us elsewhere", HOOKS, "events/webhooks/sending.py",
         "allow_redirects=False", "allow_redirects=True"),
    take("delivery claim", "two senders send the same", HOOKS, "events/webhooks/attempts.py",
         "(d.claimed_until IS NULL OR d.claimed_until <= clock_timestamp())", "true"),
    take("late results", "who was too late rewrites what became of a delivery", HOOKS, "events/webhooks/attempts.py",
         "WHERE d.id = n.id AND d.attempts = n.before", "WHERE d.id = n.id"),
    take("one delivery", "a replay of the log sends everything again", HOOKS, "events/migrations/0004_webhooks.py",
         "constraint=models.UniqueConstraint(fields=('endpoint', 'position'), name='webhook_deliveries_once')",
         "constraint=models.UniqueConstraint(fields=('id', 'position'), name='webhook_deliveries_once')"),
    take("assets of an endpoint", "an endpoint gets events of assets that its client may not see", HOOKS,
         "events/webhooks/fanout.py", " AND (e.assets IS NULL OR v.asset = ANY(e.assets))", ""),
    take("stopped client", "a client that was stopped is still told", HOOKS, "events/webhooks/fanout.py",
         "c.active AND (c.assets IS NULL OR v.asset = ANY(c.assets))", "true"),
    take("sealed secrets", "secrets are kept as they are", HOOKS, "events/webhooks/signing.py",
         "    return _box().encrypt(secret.encode()).decode()\n", "    return secret\n"),
    take("secret shown once", "a repeated request is told the secret again", HOOKS, "events/webhooks/endpoints.py",
         ", kept=(409, again))", ")"),
    take("own endpoints", "anybody may change anybody's endpoints", HOOKS, "events/webhooks/endpoints.py",
         "client_id=principal.id, deleted_at=None", "deleted_at=None"),
    take("a few places", "an endpoint that fails is tried as often as one that answers", HOOKS,
         "events/webhooks/attempts.py", "PLACES if proven and under_way < MOST / 2 else 1", "PLACES"),
]  # fmt: skip


def breaks() -> list[Break]:
    return [*IN_EVENTS, *IN_WEBHOOKS]
