"""Which alerts there are: what each measures, in which unit, and what to do when it fires."""

from __future__ import annotations

from decimal import Decimal

from ops.alerts.measures import events, figures, holds, jobs, ledger, troubles
from ops.alerts.reading import AlertType

HUNDRED = Decimal(100)

TYPES = {
    known.name: known
    for known in [
        AlertType(
            "failure_rate", "Failure rate", "%",
            "Failed payments among those that came to an end (settled or failed) in the window.",
            "Open Failures for the window: which code, which client, since when? One client's mistake is theirs"
            " to mend; many codes at once are ours. Look for a release or a limit that changed at the beginning.",
            figures.failure_rate, figures.failure_rate_history,
            has_window=True, has_volume=True, has_asset=True, most=HUNDRED,
        ),
        AlertType(
            "ledger_inconsistency", "Ledger inconsistency", "findings",
            "Findings of reconciliation that are open: nobody has explained or resolved them.",
            "Money may be wrong. Open the findings, take one as yours, compare both sides. Run manage.py verify_ledger."
            " Correct by a new transaction, never by editing. Do not resolve this before the findings are.",
            ledger.ledger_inconsistency,
        ),
        AlertType(
            "reconciliation_late", "Reconciliation late or failed", "intervals",
            "For how many of its intervals (an hour; for full runs a day) no reconciliation came to a result.",
            "Open the latest run: one that FAILED says why. Otherwise see whether the worker and the scheduler run"
            " (Jobs), then run one by hand.",
            ledger.reconciliation_late,
        ),
        AlertType(
            "repeated_duplicates", "Repeated duplicates", "requests",
            "Settled payments of the same kind, wallets and amount as one of the ten minutes before; and requests whose"
            " Idempotency-Key stands for another request.",
            "Somebody may be paying twice. Open the latest payment and the one that it repeats: the same client, other"
            " keys? Then its retries make new keys: tell its owner, and refund what was paid twice.",
            troubles.repeated_duplicates, troubles.repeated_duplicates_history,
            has_window=True, has_asset=True,
        ),
        AlertType(
            "system_errors", "System errors", "requests",
            "Requests that were answered with a status of 500 or more in the window.",
            "The log of the web processes has each with its request id. unavailable: is the database up, is its pool"
            " used up? internal_error: a bug, find its traceback. What was not executed may be repeated with its key.",
            troubles.system_errors, troubles.system_errors_history, has_window=True,
        ),
        AlertType(
            "outbox_lag", "Outbox lag", "s",
            "For how many seconds the oldest fact waits to get into the log, and the oldest event for each reader.",
            "No fact is lost, but others learn of it late. Does the sequencer run, does the reader (Readers)? Events"
            " that a reader set aside do not hold it up. A reader that is no longer wanted: mute its alert.",
            events.outbox_lag,
        ),
        AlertType(
            "webhook_lag", "Webhook lag", "s",
            "For how many seconds the delivery that is due longest was not attempted.",
            "Does the sender run (manage.py webhooks)? Slow receivers keep only their own deliveries waiting.",
            events.webhook_lag,
        ),
        AlertType(
            "webhook_dead", "Webhooks given up", "deliveries",
            "Deliveries that were given up in the window, after three days of tries.",
            "Tell the client whose endpoint it is. When it is mended, redeliver from the page of the endpoint.",
            events.webhook_dead, has_window=True,
        ),
        AlertType(
            "hold_backlog", "Hold backlog", "holds",
            "Authorizations that still hold something.",
            "Open Holds, the oldest first. Are captures arriving? Does the job that expires holds run?",
            holds.hold_backlog, has_asset=True, most=Decimal(holds.MOST_COUNTED),
        ),
        AlertType(
            "hold_overdue", "Holds overdue", "s",
            "For how many seconds the hold that is overdue longest should have ended.",
            "The job that expires holds does not keep up, or fails: see Jobs. Money stays held meanwhile; a late"
            " capture is refused all the same.",
            holds.hold_overdue, has_asset=True,
        ),
        AlertType(
            "low_treasury", "Low treasury", "amount",
            "What an asset's treasury has available, in the asset's unit: alerts below the threshold. A treasury is"
            " where top-ups come from, so its balance is negative by what was issued.",
            "More was issued than planned, or funding is late. Compare the day's top-ups with the funding that stands"
            " behind them, and stop top-ups of the asset if they do not match.",
            ledger.low_treasury, has_asset=True, below=True,
        ),
        AlertType(
            "limit_pressure", "Limit pressure", "%",
            "Payments declined because of a limit, among those that came to an end in the window.",
            "Open Failures for limit exceeded: one wallet again and again may be fraud, many wallets mean that the"
            " limit is too low. A limit is raised by two people, on the wallet's page.",
            figures.limit_pressure, figures.limit_pressure_history,
            has_window=True, has_volume=True, has_asset=True, most=HUNDRED,
        ),
        AlertType(
            "unusual_volume", "Unusual volume", "times",
            "How many times more or fewer payments came to an end in the window than in the same window of the seven"
            " days before (median; what is within their scatter counts as 1).",
            "Fewer: are clients reaching us, are wallets suspended, did somebody release? More: a campaign, a retry"
            " loop, or fraud: look at kinds, clients and wallets on the overview.",
            figures.unusual_volume, figures.unusual_volume_history,
            has_window=True, has_volume=True, has_asset=True,
        ),
        AlertType(
            "job_failures", "Job failures", "jobs",
            "Jobs that were given up in the window and that nobody has retried or discarded.",
            "Open the job: its errors say what went wrong at each try. When that is mended, retry it; discard what is"
            " no longer wanted.",
            jobs.job_failures, jobs.job_failures_history, has_window=True,
        ),
        AlertType(
            "job_lag", "Jobs wait", "s",
            "For how many seconds the job that is due longest waits for a worker, in each queue.",
            "Do workers run for the queue, does the broker answer? A sweep wakes them every few seconds. When many jobs"
            " wait, one that takes long may keep the only worker.",
            jobs.job_lag,
        ),
    ]
}  # fmt: skip
