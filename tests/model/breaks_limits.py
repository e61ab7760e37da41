"""Planted bugs: in limits, overdrafts and adjustments, and in what the database keeps of them."""

from __future__ import annotations

from tests.model.breaks import Break, Patch, take
from tests.model.breaks_code import ACCOUNTS, DECIDING, EFFECTS, ENGINE, PURE

LIMITS, LIMITING = "tests/payments/test_limits.py", "payments/limits.py"
ADJUSTMENTS, OVERDRAFTS = "tests/payments/test_adjustments.py", "tests/wallets/test_overdrafts.py"
RULES, APPROVED, SETTING = (
    "payments/migrations/0008_limits.sql", "ops/migrations/0010_limits.sql", "payments/limiting.py",
)  # fmt: skip

LIMITED = [
    take("limit of one payment", "a payment may be of any amount", (LIMITS, PURE), LIMITING,
         "if limits.per_payment is not None and draft.amount > limits.per_payment:", "if False:"),
    take("limit of a day", "a day has no end", (LIMITS, PURE), LIMITING,
         "        if more > left:\n", "        if False:\n"),
    take("spending counted", "what is paid is not counted", (LIMITS, PURE), EFFECTS,
         "    count(state, plan, draft, draft.amount)\n", ""),
    take("raises counted", "an authorization is raised past the limit of the day", (LIMITS, PURE), EFFECTS,
         "    count(state, plan, draft, draft.amount - parent.authorized_amount)\n", ""),
    take("counter within a batch", "the payments of a batch do not see what those before them spent", (LIMITS, PURE),
         LIMITING, "    limits.spent[day] = limits.spent.get(day, 0) + change\n", ""),
    take("counter rolled back", "what failed under review stays counted", (LIMITS, PURE), "payments/reviewing.py",
         "    give_back(state, plan, payment)\n", ""),
    take("decline not counted", "what is declined takes room", (LIMITS, PURE), DECIDING,
         "    return decline_move(state, draft) or over_limit(state, draft, draft.amount)\n",
         "    refusal = decline_move(state, draft) or over_limit(state, draft, draft.amount)\n"
         "    if draft.sender.id in state.limits:\n"
         "        state.limits[draft.sender.id].spent[state.now.date()] = 10**15\n"
         "    return refusal\n"),
    Break("limit read before the lock", "what a day has left is read before the lock is had", (LIMITS,), (
        Patch(ENGINE, "            locked = connection",
              "            reads = [connection.execute(statements.READ_WALLETS, (named,))]\n"
              "            locked = connection"),
        Patch(ENGINE, "            reads = [connection.execute(statements.READ_WALLETS, (named,))]\n"
              "            if payments:", "            if payments:"),
        Patch(RULES, "    IF EXISTS (SELECT FROM wallet_limits l WHERE",
              "    IF false AND EXISTS (SELECT FROM wallet_limits l WHERE"),
    )),
    take("day counted from its beginning", "a limit that comes at noon knows nothing of the morning", LIMITS,
         SETTING, '        _begin_to_count(wallet.pk, changes["counted_from"])\n', ""),
    take("one person lowers only", "one person raises a limit", LIMITS, SETTING,
         "    if wanted.allow_more_than(bounds_of(wallet)):\n", "    if False:\n"),
    take("limits by two, database", "whoever serves raises a limit", LIMITS, RULES,
         "AND NOT payments_limits_approved(NEW.wallet_id, NEW.per_payment, NEW.per_day) THEN", "AND false THEN"),
]  # fmt: skip

TWO_PEOPLE = [
    take("holds and overdrafts", "what is held draws on the overdraft", (OVERDRAFTS, PURE), ACCOUNTS,
         "return self.min_available is None or self.available >= amount",
         "return self.min_available is None or self.available - amount >= self.min_available"),
    take("floor by two, database", "whoever serves moves a floor", OVERDRAFTS, "ledger/migrations/0004_floors.sql",
         "OR NOT ledger_floor_approved(NEW.id, NEW.min_available) THEN", "THEN"),
    take("floor that was approved", "an approval lets any floor be set", OVERDRAFTS, APPROVED,
         "\n           AND -(replace(a.payload ->> 'overdraft', '.', '')::bigint) = floor)", ")"),
    take("floor checked again", "an overdraft is taken from whoever has used it", OVERDRAFTS, "wallets/overdrafts.py",
         "    if account.balance - account.held < -overdraft:\n", "    if False:\n"),
    take("floors of the past", "what was allowed then is held against a wallet now", OVERDRAFTS,
         "ledger/verification.py",
         "(SELECT f.min_available FROM account_floors f WHERE f.account_id = a.id AND f.since_seq < e.seq\n"
         "                    ORDER BY f.since_seq DESC, f.id DESC LIMIT 1)", "a.min_available"),
    take("adjustment balances", "an adjustment has one side", ADJUSTMENTS, "payments/recording.py",
         "legs=[Leg(draft.sender, -draft.amount), Leg(draft.receiver, draft.amount)],",
         'legs=[Leg(draft.sender, -draft.amount), Leg(draft.receiver, draft.amount)][payment.kind == "adjustment":],'),
    take("adjustment by two, database", "the money path makes adjustments of its own", ADJUSTMENTS,
         RULES,
         "OR NOT payments_adjustment_approved(\n"
         "           NEW.idempotency_key, NEW.principal_id, NEW.asset, NEW.amount, NEW.sender_id, NEW.receiver_id)"
         " THEN",
         "THEN"),
    take("adjustment that was approved", "an approved adjustment may be of any amount", ADJUSTMENTS,
         APPROVED, " AND a.amount_minor = amount\n", "\n"),
    take("adjustment's sides", "an approved adjustment may go the other way", ADJUSTMENTS, APPROVED,
         "WHEN 'credit' THEN (sender, receiver) = (c.id, a.target_id)", "WHEN 'credit' THEN true"),
    take("adjustment of the active", "a wallet that is not ACTIVE is adjusted", (ADJUSTMENTS, PURE), DECIDING,
         "refusal = draft if isinstance(draft, Refusal) else decline_move(state, draft)\n",
         "refusal = draft if isinstance(draft, Refusal) else None\n"),
    take("adjustment is final", "an adjustment is refunded", (ADJUSTMENTS, PURE), "payments/commands.py",
         'ONE_STEP = frozenset({"transfer", "topup", "bonus", "spend"})',
         'ONE_STEP = frozenset({"transfer", "topup", "bonus", "spend", "adjustment"})'),
]  # fmt: skip


def breaks() -> list[Break]:
    return [*LIMITED, *TWO_PEOPLE]
