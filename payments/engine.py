"""
The money path: lock and read, decide, write and commit. Two round trips, whatever the batch.

1. Lock and read: the accounts by id, or through the payments acted on; then, in statements of their own
   so that they see what was committed while the locks were awaited, the clock, the keys in use, the
   wallets and those payments. Every verb on a payment locks all its accounts, so nothing else need be.
2. ``decide``: pure.
3. Write and commit: one statement of an ``INSERT ... SELECT FROM unnest`` for each table, each account
   updated once, and COMMIT.

A batch that meets a rival for a key, or a deadlock made by somebody else, runs again. So does one
whose connection is lost at COMMIT: the first run's transaction holds the account locks until it has
ended, so the second run, once it has them, finds in the keys whether the first had its effect. One that
the server ended for its time or its size does not: the same again would end the same.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import psycopg
from psycopg import errors
from psycopg_pool import PoolTimeout

from ledger.accounts import AccountState
from ledger.arrays import array
from ledger.database import money_connection, money_pool
from ledger.idempotency import KEY_CONSTRAINT, StoredOutcome
from ledger.ids import id_maker
from ledger.watchdog import GivenUp
from payments import statements
from payments.bundles import Bundle
from payments.commands import Command
from payments.limits import limits_of
from payments.previewing import Preview, foresee
from payments.state import Outcome, PaymentState, Plan, State, WalletState
from payments.timing import decide_each, decide_together
from walletplatform.api.problems import Problem
from walletplatform.failpoints import fail_point
from walletplatform.observability import metrics

logger = logging.getLogger(__name__)

TRIES = 3
_NO_LIMITS = (None, None)

T = TypeVar("T")


class TooMuch(Problem):
    """The server ended a statement for its time or its size, so nothing was executed. One command may be why."""


def execute(
    commands: Sequence[Command], *, dry_run: bool = False, patience_ms: int = 0, write_ms: int = 0
) -> list[Outcome]:
    """
    Execute commands as one batch, in order; return the outcome of each.

    A dry run decides on what it reads, and neither locks nor writes anything. ``patience_ms`` is how long to wait
    for a lock, ``write_ms`` how long to write, where that is not what the session has.

    :raises Problem: ``lock_timeout``, ``idempotency_in_progress`` or ``unavailable`` where nothing was
        executed, ``outcome_unknown`` where that cannot be told; the whole batch is concerned
    """
    return _until_done(
        lambda: _Run(
            commands, commands, commands, lambda state: decide_each(state, commands), dry_run, patience_ms, write_ms
        )
    )


def preview(command: Command) -> Preview:
    """
    Say what a command would do now: it locks nothing and writes nothing.

    :raises Problem: ``unavailable``
    """
    return _until_done(
        lambda: _Run([command], [command], [command], lambda state: foresee(state, command), dry_run=True)
    )


def execute_bundle(bundle: Bundle, *, dry_run: bool = False) -> tuple[Outcome, list[Outcome]]:
    """
    Execute a bundle in one transaction; return its outcome and, unless refused or replayed, its commands'.

    :raises Problem: as ``execute``
    """
    keyed = [bundle, *bundle.commands]
    # Its own key only is claimed: thousands of claims would fill the server's table of locks.
    return _until_done(
        lambda: _Run(bundle.commands, keyed, [bundle], lambda state: decide_together(state, bundle), dry_run)
    )


def _until_done(attempt_at: Callable[[], _Run[T]]) -> T:
    committing = False
    for attempt in range(1, TRIES + 1):
        run = attempt_at()
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
            if not committing and _is_too_much(error):
                raise TooMuch("unavailable", "It took the database too much. Nothing was executed.") from error
            logger.warning("Attempt %s of %s lost the database: %s", attempt, TRIES, str(error).strip())
            committing = committing or (run.committing and _may_have_committed(error))
            # Not with a look at each of them: what does not answer would not answer that either.
            money_pool().drain()
            if isinstance(error, GivenUp):
                break
        if attempt < TRIES:
            time.sleep(random.uniform(0.005, 0.03) * 4**attempt)  # noqa: S311 (jitter)
    if committing:
        raise Problem("outcome_unknown", "The commit could not be confirmed. The key will tell.")
    raise Problem("unavailable", "The database could not take it now. Nothing was executed.")


def _busy(run: _Run[Any]) -> Problem:
    if run.waited_for_a_key:
        return Problem("idempotency_in_progress", "A request with this key is being executed.")
    return Problem("lock_timeout", "The wallet is busy. Nothing was executed.")


def _may_have_committed(error: psycopg.Error) -> bool:
    """An error of the statement rolled it back; the end of the connection may have come after COMMIT."""
    return _is_the_end(error) or error.sqlstate is None or error.sqlstate.startswith(("08", "57P"))


def _is_too_much(error: psycopg.Error) -> bool:
    """Whether the statement was ended for its time (57014), for want of something (53) or its size (54)."""
    return not _is_the_end(error) and (error.sqlstate or "").startswith(("57014", "53", "54"))


def _is_the_end(error: psycopg.Error) -> bool:
    """Whether the server ended the connection with it."""
    return error.diag.severity_nonlocalized in ("FATAL", "PANIC")


class _Run(Generic[T]):
    """
    One attempt at ``commands``, with the keys of ``keyed``, those of ``claimed`` claimed before the wallets.

    ``committing`` tells how far it came.
    """

    def __init__(
        self,
        commands: Sequence[Command],
        keyed: Sequence[Command],
        claimed: Sequence[Command],
        decide: Callable[[State], tuple[T, Plan]],
        dry_run: bool,
        patience_ms: int = 0,
        write_ms: int = 0,
    ) -> None:
        self.commands = commands
        self.keyed = keyed
        self.claimed = claimed
        self.decide = decide
        self.dry_run = dry_run
        self.patience_ms = patience_ms
        self.write_ms = write_ms
        self.committing = False
        self.claim: psycopg.Cursor[Any] | None = None

    @property
    def waited_for_a_key(self) -> bool:
        """Whether what it last waited for was a key: to claim it, or to insert it. Else it was a wallet."""
        return self.committing or self.claim is None or self.claim.rowcount != 1

    def execute(self) -> T:
        with money_connection() as connection:
            fail_point("money.begun")
            with metrics.money_phase("lock"):
                state = self._lock_and_read(connection)
            fail_point("money.locked")
            with metrics.money_phase("decide"):
                answer, plan = self.decide(state)
            fail_point("money.decided")
            if plan.is_empty or self.dry_run:
                connection.rollback()
                return answer
            self.committing = True
            with metrics.money_phase("write"):
                self._write_and_commit(connection, plan)
            fail_point("money.committed")
        metrics.BATCHES.observe(len(self.commands))
        metrics.observe_pool(money_pool().get_stats())
        fail_point("money.answered")
        return answer

    def _lock_and_read(self, connection: psycopg.Connection[Any]) -> State:
        named = array(list({account for command in self.commands for account in statements.account_ids(command)}))
        payments = statements.payment_ids(self.commands)
        with connection.pipeline():
            if self.dry_run:
                # One snapshot for all that is read, and nothing that anybody would wait for.
                connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            else:
                connection.execute("BEGIN")
                if self.patience_ms:
                    connection.execute(f"SET LOCAL lock_timeout = {self.patience_ms}")
                self.claim = connection.execute(statements.CLAIM, _names(self.claimed))
            locked = connection.execute(*statements.what_to_lock(self.commands, dry_run=self.dry_run))
            clock = connection.execute(statements.CLOCK)
            in_use = connection.execute(statements.READ_IN_USE, _names(self.keyed))
            reads = [connection.execute(statements.READ_WALLETS, (named,))]
            if payments:
                reads.append(connection.execute(statements.READ_PARTIES, (array(payments),)))
                acted_on = connection.execute(statements.READ_PAYMENTS, (array(payments),))
        accounts = {row[0]: AccountState(*row) for row in locked}
        (now,) = clock.fetchall()[0]
        wallets = [row for read in reads for row in read]
        return State(
            now=now,
            accounts=accounts,
            wallets={row[0]: WalletState(*row[1:3]) for row in wallets},
            limits={row[0]: limits_of(*row[3:]) for row in wallets if row[3:5] != _NO_LIMITS},
            keys={(row[0], row[1]): StoredOutcome(*row[2:]) for row in in_use},
            new_id=id_maker(at=now),
            # One that was made after the accounts were looked for is not there yet.
            payments={row[0]: PaymentState(*row) for row in acted_on if row[5] in accounts and row[6] in accounts}
            if payments
            else {},
        )

    def _write_and_commit(self, connection: psycopg.Connection[Any], plan: Plan) -> None:
        with connection.pipeline() as pipeline:
            if self.write_ms:
                # Whoever waits for a rival's key must learn that before it is ended for its time.
                connection.execute(f"SET LOCAL lock_timeout = {self.write_ms // 2}")
                connection.execute(f"SET LOCAL statement_timeout = {self.write_ms}")
            connection.execute(*statements.what_to_write(plan))
            fail_point("money.written", pipeline.sync)
            connection.execute("COMMIT")


def _names(commands: Sequence[Command]) -> tuple[str, str]:
    """The keys of commands as two arrays: key, principal."""
    keys = list({command.scoped_key for command in commands if command.keeps_key})
    return array([key for _, key in keys]), array([principal for principal, _ in keys])
