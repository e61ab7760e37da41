"""Which commands of a batch need an account that somebody else holds right now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ledger.arrays import columns
from ledger.database import money_pool, numbered
from payments.commands import Act, Command
from payments.statements import system_accounts, wallet_ids

PLACES_LOCKED = numbered("""
    WITH wanted (place, account_id) AS (
        SELECT * FROM unnest(%s::int[], %s::uuid[])
        UNION
        SELECT asked.place, system.id
          FROM unnest(%s::int[], %s::uuid[], %s::text[]) AS asked (place, wallet_id, kind)
          JOIN accounts AS wallet ON wallet.id = asked.wallet_id
          JOIN accounts AS system
            ON system.asset = wallet.asset AND system.kind = asked.kind AND system.kind <> 'wallet'
        UNION
        SELECT acted.place, side.party
          FROM unnest(%s::int[], %s::uuid[]) AS acted (place, payment_id)
          JOIN payments AS p ON p.id = acted.payment_id
         CROSS JOIN LATERAL (VALUES (p.sender_id), (p.receiver_id)) AS side (party)
    ), free AS MATERIALIZED (
        SELECT id FROM accounts WHERE id IN (SELECT account_id FROM wanted) FOR NO KEY UPDATE SKIP LOCKED
    )
    SELECT DISTINCT place FROM wanted
      JOIN accounts ON accounts.id = wanted.account_id
     WHERE account_id NOT IN (SELECT id FROM free)
""")


def places_locked(commands: Sequence[Command]) -> set[int]:
    """Return the places of those commands; looks without waiting, and lets go at once."""
    wallets: list[tuple[Any, ...]] = [
        (place, wallet) for place, command in enumerate(commands) for wallet in wallet_ids(command)
    ]
    systems: list[tuple[Any, ...]] = [
        (place, *pair) for place, command in enumerate(commands) for pair in system_accounts(command)
    ]
    acts: list[tuple[Any, ...]] = [
        (place, command.payment_id) for place, command in enumerate(commands) if isinstance(command, Act)
    ]
    asked: list[tuple[list[tuple[Any, ...]], int]] = [(wallets, 2), (systems, 3), (acts, 2)]
    arrays = [literal for rows, width in asked for literal in columns(rows, width=width)]
    with money_pool().connection() as connection:
        return {place for (place,) in connection.execute(PLACES_LOCKED, arrays)}
