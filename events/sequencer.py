"""
From the outbox into the log: each committed fact gets the next position.

One at a time by an advisory lock that is taken in the very transaction that writes, so that a second
sequencer, or one that was frozen and comes back, waits or finds nothing to do. Facts move in the order of
their outbox ids among those that are committed: of two facts about one wallet the earlier has the smaller
id and is committed first, for both were written under the wallet's lock.
"""

from __future__ import annotations

from django.db import connection
from django.db.transaction import atomic

from walletplatform.failpoints import fail_point

# Any number, but always the same.
_LOCK = 0x65_76_65_6E_74
AT_ONCE = 2_000
# Facts do not call the sequencer: docs/adr/0014 says why.
POLL_SECONDS = 0.025

_MOVE = f"""
WITH taken AS (
    DELETE FROM outbox_events WHERE id = ANY (ARRAY(SELECT id FROM outbox_events ORDER BY id LIMIT {AT_ONCE}))
    RETURNING *
), facts AS MATERIALIZED (
    SELECT taken.*, row_number() OVER (ORDER BY id) + (SELECT coalesce(max(position), 0) FROM events) AS position,
           coalesce(j ->> 'asset', j #>> '{{wallet,asset}}', '') AS asset,
           array_remove(ARRAY[
               j ->> 'sender_wallet_id', j ->> 'receiver_wallet_id', j #>> '{{wallet,id}}'
           ]::uuid[], NULL) AS wallet_ids
      FROM taken CROSS JOIN LATERAL (SELECT data::jsonb AS j) AS parsed
), of_wallets AS (
    INSERT INTO event_wallets (wallet_id, type, position)
    SELECT DISTINCT unnest(wallet_ids), type, position FROM facts
), logged AS (
    INSERT INTO events (position, outbox_id, event_id, type, subject, time, correlation_id, traceparent, data,
                        asset, wallet_ids, sequenced_at)
    SELECT position, id, event_id, type, subject, time, correlation_id, traceparent, data,
           asset, wallet_ids, clock_timestamp()
      FROM facts
)
SELECT count(*) FROM facts
"""


def sequence() -> int:
    """Move up to ``AT_ONCE`` facts from the outbox into the log; return how many there were."""
    with atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        # A statement of its own: it sees what another sequencer committed while this one waited.
        cursor.execute(_MOVE)
        (moved,) = cursor.fetchone()
        fail_point("sequencer.written")
    fail_point("sequencer.committed")
    return int(moved)
