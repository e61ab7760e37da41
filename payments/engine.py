"""
The money path: lock and read, decide, write and commit. Two round trips, whatever the batch.

1. Lock and read: the accounts by id, then, in statements of their own so that they see what was
   committed while the locks were awaited, the clock, the keys in use and the wallets.
2. ``decide``: pure.
3. Write and commit: one statement of an ``INSERT ... SELECT FROM unnest`` for each table, each account
   updated once, and COMMIT.

A batch that meets a rival for a key, or a deadlock made by somebody else, runs again. So does one
whose connection is lost at COMMIT: the first run's transaction holds the account locks until it has
ended, so the second run, once it has them, finds in the keys whether the first had its effect.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import errors
from psycopg_pool import PoolTimeout

from events.outbox import INSERT_EVENTS
from ledger.accounts import LOCK_ACCOUNTS, UPDATE_ACCOUNTS, AccountState
from ledger.arrays import array, columns
from ledger.database import money_pool, numbered
from ledger.idempotency import CLAIM_KEYS, INSERT_KEYS, KEY_CONSTRAINT, READ_KEYS, StoredOutcome
from ledger.ids import id_maker
from ledger.posting import INSERT_ENTRIES, INSERT_TRANSACTIONS
from payments.commands import FLOWS, WALLET, Move
from payments.deciding import decide
from payments.state import Outcome, Plan, State, WalletState
from walletplatform.api.problems import Problem
from walletplatform.observability import metrics

logger = logging.getLogger(__name__)

TRIES = 3

READ_WALLETS = "SELECT id, user_id, status FROM wallets WHERE id = ANY($1::uuid[])"

INSERT_PAYMENTS = """
    INSERT INTO payments (id, kind, status, asset, amount, sender_id, receiver_id, principal_id,
                          idempotency_key, request_id, description, metadata, created_at, effective_at)
    SELECT * FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::uuid[],
                         %s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::jsonb[],
                         %s::timestamptz[], %s::timestamptz[])
"""

INSERT_FAILURES = """
    INSERT INTO transaction_failures (payment_id, code, category, detail, created_at)
    SELECT * FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
"""

# One statement, because each costs 60 us here and wakes the server once more. What the parts write is
# checked by the triggers at its end, when all of it is there.
PARTS = [
    INSERT_KEYS,
    INSERT_PAYMENTS,
    INSERT_FAILURES,
    INSERT_TRANSACTIONS,
    UPDATE_ACCOUNTS,
    INSERT_ENTRIES,
    INSERT_EVENTS,
]
WRITE = numbered("WITH " + ", ".join(f"part_{n} AS ({part})" for n, part in enumerate(PARTS)) + " SELECT")
LOCK = numbered(LOCK_ACCOUNTS)
KEYS = numbered(READ_KEYS)
CLAIM = numbered(CLAIM_KEYS)


def execute(commands: Sequence[Move]) -> list[Outcome]:
    """
    Execute commands as one batch, in order; return the outcome of each.

    :raises Problem: ``lock_timeout``, ``idempotency_in_progress`` or ``unavailable`` where nothing was
        executed, ``outcome_unknown`` where that cannot be told; the whole batch is concerned
    """
    committing = False
    for attempt in range(1, TRIES + 1):
        run = _Run(commands)
        try:
            return run.execute()
        except PoolTimeout as error:
            if not committing:
                raise Problem("unavailable", "The database cannot be reached now.") from error
        except errors.LockNotAvailable as error:
            if not committing:
                raise _busy(run) from error
        except (errors.UniqueViolation, errors.SerializationFailure, errors.DeadlockDetected) as error:
            if isinstance(error, errors.UniqueViolation) and error.diag.constraint_name != KEY_CONSTRAINT:
                raise
            logger.info("Attempt %s of %s met a rival: %s", attempt, TRIES, type(error).__name__)
        except (psycopg.OperationalError, errors.IdleInTransactionSessionTimeout) as error:
            logger.warning("Attempt %s of %s lost the database: %s", attempt, TRIES, str(error).strip())
            committing = committing or (run.committing and _may_have_committed(error))
            money_pool().check()
        if attempt < TRIES:
            time.sleep(random.uniform(0.005, 0.03) * 4**attempt)  # noqa: S311 (jitter)
    if committing:
        raise Problem("outcome_unknown", "The commit could not be confirmed. The key will tell.")
    raise Problem("unavailable", "The database could not take it now. Nothing was executed.")


def _busy(run: _Run) -> Problem:
    if run.waited_for_a_key:
        return Problem("idempotency_in_progress", "A request with this key is being executed.")
    return Problem("lock_timeout", "The wallet is busy. Nothing was executed.")


def _may_have_committed(error: psycopg.Error) -> bool:
    """An error of the statement rolled it back; the end of the connection may have come after COMMIT."""
    ended = error.diag.severity_nonlocalized in ("FATAL", "PANIC")
    return ended or error.sqlstate is None or error.sqlstate.startswith(("08", "57P"))


class _Run:
    """One attempt at a batch. ``committing`` tells how far it came."""

    def __init__(self, commands: Sequence[Move]) -> None:
        self.commands = commands
        self.committing = False
        self.claim: psycopg.Cursor[Any] | None = None

    @property
    def waited_for_a_key(self) -> bool:
        """Whether what it last waited for was a key: to claim it, or to insert it. Else it was a wallet."""
        return self.committing or self.claim is None or self.claim.rowcount != 1

    def execute(self) -> list[Outcome]:
        with money_pool().connection() as connection:
            with metrics.money_phase("lock"):
                state = self._lock_and_read(connection)
            with metrics.money_phase("decide"):
                outcomes, plan = decide(state, self.commands)
            if plan.is_empty:
                connection.rollback()
                return outcomes
            self.committing = True
            with metrics.money_phase("write"):
                self._write_and_commit(connection, plan)
        metrics.BATCHES.observe(len(self.commands))
        metrics.observe_pool(money_pool().get_stats())
        return outcomes

    def _lock_and_read(self, connection: psycopg.Connection[Any]) -> State:
        wallets = list({wallet for command in self.commands for wallet in command.wallet_ids})
        needed = {pair for command in self.commands for pair in _system_accounts(command)}
        keys = list({command.scoped_key for command in self.commands})
        names = (array([key for _, key in keys]), array([principal for principal, _ in keys]))
        with connection.pipeline():
            connection.execute("BEGIN")
            self.claim = connection.execute(CLAIM, names)
            locked = connection.execute(
                LOCK,
                (
                    array(wallets),
                    array([wallet for wallet, _ in needed]),
                    array([kind for _, kind in needed]),
                ),
            )
            clock = connection.execute("SELECT ledger_now()")
            in_use = connection.execute(KEYS, names)
            owned = connection.execute(READ_WALLETS, (array(wallets),))
        accounts = {row[0]: AccountState(*row) for row in locked}
        (now,) = clock.fetchall()[0]
        now = max([now, *(account.booked_at for account in accounts.values() if account.booked_at)])
        return State(
            now=now,
            accounts=accounts,
            wallets={row[0]: WalletState(*row[1:]) for row in owned},
            keys={(row[0], row[1]): StoredOutcome(*row[2:]) for row in in_use},
            new_id=id_maker(at=now),
        )

    def _write_and_commit(self, connection: psycopg.Connection[Any], plan: Plan) -> None:
        rows = [
            plan.keys,
            plan.payments,
            plan.failures,
            plan.journal.transactions,
            plan.journal.account_rows(),
            plan.journal.entries,
            [fact.row() for fact in plan.facts],
        ]
        parameters = [
            array
            for part, part_rows in zip(PARTS, rows, strict=True)
            for array in columns(part_rows, width=part.count("%s"))
        ]
        with connection.pipeline():
            connection.execute(WRITE, parameters)
            connection.execute("COMMIT")


def _system_accounts(command: Move) -> list[tuple[Any, str]]:
    """The system accounts that a command may touch, each as (wallet of the same asset, kind)."""
    flow = FLOWS[command.kind]
    return [(wallet, kind) for kind in (flow.sender, flow.receiver) if kind != WALLET for wallet in command.wallet_ids]
