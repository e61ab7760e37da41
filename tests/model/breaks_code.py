"""Planted bugs in the code of the money path: what is taken away, and the tests that must notice."""

from __future__ import annotations

from tests.model.breaks import Break, Patch, take

PAYMENTS = "tests/payments"
ACTING, MOVING, EFFECTS = "payments/acting.py", "payments/moving.py", "payments/effects.py"
DECIDING, BUNDLES, GROUPING = "payments/deciding.py", "payments/bundles.py", "payments/grouping.py"
LANES, TIMING = "payments/lanes.py", "payments/timing.py"
ENGINE, KEYS, ACCOUNTS = "payments/engine.py", "ledger/idempotency.py", "ledger/accounts.py"
LOCKS, HOLDS, REFUNDS = "tests/model/test_locks.py", f"{PAYMENTS}/test_holds.py", f"{PAYMENTS}/test_refunds.py"
IDEMPOTENCY, BATCH = f"{PAYMENTS}/test_idempotency.py", f"{PAYMENTS}/test_batch.py"
CONCURRENCY, REFUSALS = f"{PAYMENTS}/test_concurrency.py", f"{PAYMENTS}/test_refusals.py"
ORDER = "test_wallets_are_locked_in_one_order_whoever_pays_whom"
AGAIN = "test_a_serialization_failure_runs_the_payment_again_three_times_in_all"
IN_PROGRESS = "test_a_copy_of_a_request_in_progress_is_told_so_and_not_that_nothing_was_executed"
STATES, GROUPS, DRY = f"{PAYMENTS}/test_states.py", f"{PAYMENTS}/test_grouping.py", f"{PAYMENTS}/test_dry_runs.py"
ONE_STEP, STORMS = f"{PAYMENTS}/test_one_step.py", "tests/model/test_storms.py"
PURE, REVIEWS = "tests/pure", f"{PAYMENTS}/test_review.py"
MATRIX, FAILPOINTS = "tests/api/test_authorization.py", "tests/model/test_failpoints.py"


IN_LOCKS = [
    take("row lock", "wallets are read without being locked", LOCKS, ACCOUNTS,
         "\n       FOR NO KEY UPDATE OF a\n", "\n"),
    take("lock order", "wallets are locked in any order", LOCKS + "::" + ORDER, ACCOUNTS,
         "ORDER BY a.id\n", "ORDER BY md5(a.id::text || clock_timestamp()::text)\n"),
    Break("check-then-act debit", "the balance is read before the lock is had", (LOCKS,), (
        Patch(ACCOUNTS, "a.balance, a.held, a.min", "before.balance, before.held, a.min"),
        Patch(ACCOUNTS, "FROM accounts AS a JOIN",
              "FROM accounts AS a JOIN accounts AS before ON before.id = a.id JOIN"),
    )),
    Break("payment read before the lock", "what is acted on is read before the lock is had", (LOCKS,), (
        Patch(ENGINE, "            locked = connection",
              "            acted_on = connection.execute(statements.READ_PAYMENTS, (array(payments),))\n"
              "            locked = connection"),
        Patch(ENGINE, "                acted_on = connection.execute(statements.READ_PAYMENTS, (array(payments),))\n"),
    )),
    take("clock of the accounts", "bookings follow the clock only, also backwards", LOCKS, TIMING,
         "return max([clock, *(account.booked_at for account in accounts if account.booked_at)])", "return clock"),
    take("retries", "a deadlock or serialization failure is not tried again", CONCURRENCY + "::" + AGAIN, ENGINE,
         "TRIES = 3", "TRIES = 1"),
    take("durable answers", "COMMIT is answered before it is on disk", (STORMS, "-k", "postgresql_killed"), ENGINE,
         '            connection.execute("COMMIT")\n',
         '            connection.execute("SET LOCAL synchronous_commit = off")\n'
         '            connection.execute("COMMIT")\n'),
    take("commit", "what was written is never committed", ONE_STEP, ENGINE,
         '            connection.execute("COMMIT")\n', '            connection.execute("ROLLBACK")\n'),
]  # fmt: skip

IN_KEYS = [
    take("key claim", "copies of a request do not wait for the first", CONCURRENCY + "::" + IN_PROGRESS, KEYS,
         "pg_advisory_xact_lock(claim)", "claim"),
    take("key lookup", "keys in use are not found (dedup off)", IDEMPOTENCY, KEYS,
         "AND k.principal_id = wanted.principal_id\n", "AND k.principal_id = wanted.principal_id AND false\n"),
    take("replay", "a stored answer is not given again", IDEMPOTENCY, DECIDING,
         "stored = state.keys.get(command.scoped_key) if command.keeps_key else None", "stored = None"),
    take("fingerprint check", "a key answers other requests too", IDEMPOTENCY, DECIDING,
         "if stored.fingerprint != command.fingerprint:", "if False:"),
    take("key of its principal", "an equal key of another caller is the same key", IDEMPOTENCY, "payments/commands.py",
         "return self.principal.id, self.key", "return UUID(int=0), self.key"),
    take("keys within a batch", "a key that comes twice in a batch pays twice", (GROUPS, BATCH, PURE), DECIDING,
         "    if command.keeps_key:\n", "    if False:\n"),
    take("stored keys", "answers are not kept under their keys", IDEMPOTENCY, "payments/recording.py",
         "    if command.keeps_key:\n", "    if False:\n"),
    take("canonical fingerprint", "the order of members makes another request", IDEMPOTENCY,
         "walletplatform/api/idempotency.py", ", option=orjson.OPT_SORT_KEYS", ""),
]  # fmt: skip

IN_RULES = [
    take("funds", "nobody asks whether the money is there", REFUSALS, MOVING,
         "    if account.covers(amount):\n        return None\n", "    if account:\n        return None\n"),
    take("floor", "an account covers any amount", REFUSALS, ACCOUNTS,
         "return self.min_available is None or self.available - amount >= self.min_available", "return True"),
    take("held is not available", "what is held can be spent", HOLDS, ACCOUNTS,
         "return self.balance - self.held", "return self.balance"),
    take("overflow", "a balance may outgrow its type", (ONE_STEP, PURE), MOVING,
         "if draft.receiver.balance + draft.amount > MAX_BALANCE or", "if False and"),
    take("status of a wallet", "wallets that are not ACTIVE pay and are paid", REFUSALS, MOVING,
         "        if not account.open:\n", "        if False:\n"),
    take("own wallets only", "an end user pays from anybody's wallet", REFUSALS, MOVING,
         "if principal.is_user and wallet.user_id != principal.id and (debited or not account.open):", "if False:"),
    take("assets of a client", "a client moves assets that are not its own", REFUSALS, MOVING,
         " or not principal.sees_asset(account.asset)", ""),
    take("assets of a client, acting", "a client acts on payments of other assets", HOLDS, ACTING,
         " or not command.principal.sees_asset(parent.asset)", ""),
    take("visibility", "an end user sees everybody's wallets", "tests/wallets", "wallets/visibility.py",
         "    if principal.is_user:\n", "    if False:\n"),
    take("same wallet", "a wallet pays itself", REFUSALS, MOVING, "if sender.id == receiver.id:", "if False:"),
    take("scopes", "a token may do anything", MATRIX, "walletplatform/api/views.py",
         "if scope is not None and scope not in self.principal.scopes:", "if False:"),
    take("verbs are for clients", "an end user captures and refunds", MATRIX, "payments/api/money.py",
         "        if self.principal.is_user:\n", "        if False:\n"),
    take("backdating scope", "anybody books into the past", DRY, "payments/api/moving.py",
         'if "effective_at" in fields and', "if False and"),
    take("no future", "a payment may happen tomorrow", DRY, MOVING,
         "if command.effective_at is not None and command.effective_at > state.now:", "if False:"),
    take("dry run", "a dry run is carried out", DRY, ENGINE, "if plan.is_empty or self.dry_run:", "if plan.is_empty:"),
]  # fmt: skip

IN_HOLDS = [
    take("holding", "an authorization holds nothing", HOLDS, EFFECTS,
         "    plan.journal.hold(draft.sender, draft.amount)\n", ""),
    take("expiry at capture", "an authorization lasts until the sweep comes", HOLDS, "payments/state.py",
         'return "EXPIRED" if overdue else self.status', "return self.status"),
    take("expiry by the clock", "the sweep ends holds that are not due", PURE, EFFECTS,
         ' and payment.status_at(state.now) == "EXPIRED":', ":"),
    take("captured amount", "more is captured than is held", HOLDS, ACTING,
         "if draft.amount > parent.held:", "if False:"),
    take("captures counted", "captures are not counted", HOLDS, EFFECTS,
         "    parent.captured_amount += draft.amount\n", ""),
    take("rest released", "a final capture keeps the rest held", HOLDS, EFFECTS,
         "        plan.journal.hold(draft.sender, -parent.held)\n", ""),
    take("void releases", "a void or an expiry keeps the amount held", HOLDS, EFFECTS,
         "    plan.journal.hold(state.accounts[payment.sender_id], -payment.held)\n", ""),
    take("state before a verb", "what has ended is captured, voided, extended again", STATES, ACTING,
         'if status != "AUTHORIZED":', "if False:"),
    take("funds for a raise", "a raise holds what is not there", HOLDS, ACTING,
         "short_to_hold(draft.sender, more)", "None"),
    take("never shorter", "an extension shortens", HOLDS, ACTING,
         "if state.now + timedelta(seconds=command.expires_in) < parent.expires_at:", "if False:"),
    take("refund limit", "more is refunded than was captured", REFUNDS, ACTING,
         "if refundable == 0 or draft.amount > refundable:", "if False:"),
    take("refunds counted", "refunds are not counted", REFUNDS, EFFECTS,
         "    parent.refunded_amount += draft.amount\n", ""),
    take("reversal once", "what was refunded is reversed too", REFUNDS, ACTING,
         "if parent.refunded_amount:", "if False:"),
]  # fmt: skip

IN_REVIEW = [
    take("policy that fails", "without a verdict a payment goes through", REVIEWS, "payments/policy.py",
         'raise Problem("unavailable", "The payment could not be judged now. Nothing was executed.") from error',
         "return move"),
    take("one decision", "what was decided about may be decided about again", (REVIEWS, PURE), ACTING,
         '    if parent.status != "CREATED":\n', "    if False:\n"),
    take("rules at approval", "what is approved is not asked for its money again", (REVIEWS, PURE),
         "payments/reviewing.py", "decline_move(state, asked) if command.approve else DENIED",
         "None if command.approve else DENIED"),
    take("hold of what was approved", "the database lets a hold begin that no account knows of", REVIEWS,
         "payments/migrations/0006_review.sql", "o.status IN ('CREATED', 'AUTHORIZED')) AS holding",
         "o.status = 'AUTHORIZED') AS holding"),
]  # fmt: skip

IN_BATCHES = [
    take("atomic batch", "a batch that is all or none is carried out in part", BATCH, BUNDLES,
         "if bundle.atomic and not outcome.has_happened:", "if False:"),
    take("links", "an item is executed although its predecessor failed", BATCH, BUNDLES,
         "if after is not None and not outcomes[after].has_happened:", "if False:"),
    take("key of a batch", "a batch's own key does not replay it", BATCH, BUNDLES,
         "    if replayed is not None:\n        return (replayed, []), plan\n", ""),
    take("fingerprint of an item", "an item of a batch is another request than alone", BATCH,
         "payments/api/batching.py",
         'fingerprint("POST", SINGLE[kind][0], alone)', 'fingerprint("POST", "/batch", alone)'),
    take("queue bound", "the queue grows without end", GROUPS, GROUPING,
         "if len(self.waiting) >= self.capacity:", "if False:"),
    take("deadline", "what nobody waits for any more is executed", GROUPS, "payments/waiting.py",
         "if self.gone or monotonic() >= self.until:", "if False:"),
    take("isolation of a failing payment", "an error of one payment is an error of its whole batch", GROUPS, LANES,
         "        _part(batch, alone, error, type(error).__name__)\n",
         "        for waiter in batch:\n            waiter.fail(error)\n"),
    take("isolation of a locked wallet", "who shares a batch with a locked wallet is refused", GROUPS, GROUPING,
         "            batch = self._without_locked(batch, busy.code)\n",
         "            for waiter in batch:\n                waiter.fail(busy)\n            return\n"),
]  # fmt: skip

IN_READING = [
    take("events", "payments are not told", ONE_STEP, "payments/recording.py",
         "    plan.facts.append(\n", "    [].append(\n"),
    Break("stale reads", "balances are read from a cache of 300 ms", (STORMS, "-k", "concurrent_history"), (
        Patch("wallets/api/history.py", 'AHEAD = "That', 'CACHE: dict[Any, Any] = {}\nAHEAD = "That'),
        Patch("wallets/api/history.py", "        scale, account = wallet.asset.scale, wallet.account\n",
              "        from time import monotonic\n"
              "        kept = CACHE.setdefault(wallet_id, [0.0, wallet])\n"
              "        if kept[0] < monotonic() - 0.3:\n"
              "            kept[:] = monotonic(), wallet\n"
              "        wallet = kept[1]\n"
              "        scale, account = wallet.asset.scale, wallet.account\n"),
    )),
    take("fail points in production", "a process with a fail point serves production", FAILPOINTS,
         "walletplatform/safety.py", "return found + failpoints.refusal()", "return found"),
    take("fail points off in production", "a fail point is armed in production", FAILPOINTS,
         "walletplatform/failpoints.py", "if _asked and not settings.PRODUCTION else", "if _asked else"),
]  # fmt: skip


def _live(name: str, taken: str, test: str, *patches: Patch, drop: str = "") -> Break:
    """A bug that a proof against a running platform must see, also where the database would have refused it."""
    if drop:
        patches = (*patches, Patch(LAST_RULES, "DO $$\nBEGIN\n", f"{drop}\nDO $$\nBEGIN\n"))
    return Break(name, taken, (STORMS, "-k", test), patches)


LAST_RULES = "payments/migrations/0005_two_phase_rules.sql"
NO_UNIQUE_KEY = "ALTER TABLE idempotency_keys DROP CONSTRAINT idempotency_keys_pkey CASCADE;"
NO_CHAIN = (
    "DROP TRIGGER ledger_entries_chain ON ledger_entries; DROP TRIGGER accounts_derived ON accounts;"
    " DROP TRIGGER accounts_fixed ON accounts;"
    " ALTER TABLE ledger_entries DROP CONSTRAINT ledger_entries_account_seq;"
)
IN_PROOFS = [
    _live("dedup off, no unique key: storm", "keys are not looked up and not unique", "duplicates",
         Patch(KEYS, "AND k.principal_id = wanted.principal_id\n",
                "AND k.principal_id = wanted.principal_id AND false\n"), drop=NO_UNIQUE_KEY),
    _live("dedup off, no unique key: deaths", "keys are not looked up and not unique", "death_on_the_money_path",
         Patch(KEYS, "AND k.principal_id = wanted.principal_id\n",
                "AND k.principal_id = wanted.principal_id AND false\n"), drop=NO_UNIQUE_KEY),
    _live("check-then-act, no triggers: history", "the balance is read before the lock, and nothing checks entries",
         "concurrent_history",
         Patch(ACCOUNTS, "a.balance, a.held, a.min", "before.balance, before.held, a.min"),
         Patch(ACCOUNTS, "FROM accounts AS a JOIN",
                "FROM accounts AS a JOIN accounts AS before ON before.id = a.id JOIN"), drop=NO_CHAIN),
    _live("payment read before the lock: pairs", "what is acted on is read before the lock is had", "pair_of_verbs",
         *IN_LOCKS[3].patches),
    _live("expiry at capture: races", "an authorization lasts until the sweep comes", "captured_or_expires",
         Patch("payments/state.py", 'return "EXPIRED" if overdue else self.status', "return self.status")),
    _live("Retry-After: crowd", "who is told to come again is not told when", "crowd",
         Patch("walletplatform/settings.py", 'env.int("GROUP_QUEUE_SIZE", default=500)', "3"),
         Patch("walletplatform/api/responses.py", "if kind.retry_after is not None:", "if False:")),
]  # fmt: skip


def breaks() -> list[Break]:
    return [*IN_LOCKS, *IN_KEYS, *IN_RULES, *IN_HOLDS, *IN_REVIEW, *IN_BATCHES, *IN_READING, *IN_PROOFS]
