"""Which commands of a batch need an account, or have a key, that somebody else holds right now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ledger.arrays import columns
from ledger.database import money_connection, numbered
from ledger.idempotency import CLAIM
from payments.commands import Act, Command
from payments.statements import account_ids, system_accounts

ACCOUNTS_LOCKED = numbered("""
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
    SELECT place, min(account_id::text) FROM wanted
      JOIN accounts ON accounts.id = wanted.account_id
     WHERE account_id NOT IN (SELECT id FROM free)
     GROUP BY place
""")
KEYS_CLAIMED = numbered(f"""
    SELECT place, principal_id || key
      FROM unnest(%s::int[], %s::text[], %s::uuid[]) AS keyed (place, key, principal_id)
     WHERE NOT pg_try_advisory_xact_lock({CLAIM})
""")


def what_is_locked(commands: Sequence[Command]) -> dict[int, str]:
    """
    Return, by the places of the commands concerned, the account or key that somebody else holds.

    Looks without waiting, and lets go at once.
    """
    keys = columns([(place, command.key, command.principal.id) for place, command in enumerate(commands)], width=3)
    with money_connection() as connection:
        locked: dict[int, str] = dict(connection.execute(ACCOUNTS_LOCKED, _accounts(commands)).fetchall())
        # A copy of a request in progress meets the wallets that the first holds, too: what it waits for is the key.
        return locked | dict(connection.execute(KEYS_CLAIMED, keys).fetchall())


def _accounts(commands: Sequence[Command]) -> list[str]:
    wallets: list[tuple[Any, ...]] = [
        (place, wallet) for place, command in enumerate(commands) for wallet in account_ids(command)
    ]
    systems: list[tuple[Any, ...]] = [
        (place, *pair) for place, command in enumerate(commands) for pair in system_accounts(command)
    ]
    acts: list[tuple[Any, ...]] = [
        (place, command.payment_id) for place, command in enumerate(commands) if isinstance(command, Act)
    ]
    asked: list[tuple[list[tuple[Any, ...]], int]] = [(wallets, 2), (systems, 3), (acts, 2)]
    return [literal for rows, width in asked for literal in columns(rows, width=width)]
