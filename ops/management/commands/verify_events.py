"""Check that everything that happened is told, once and in order, and was taken in."""

from collections.abc import Sequence

from ledger.verification import Check
from ops.management.verifying import VerifyingCommand
from ops.verification import event_checks


class Command(VerifyingCommand):
    help = (
        "Check in one snapshot that the ledger and its events are the same: outbox, log, what consumers have read "
        "and what they made of it. Exits with 0 where all holds and 1 where something is found. Changes nothing; "
        "safe on a running platform, whose consumers may be behind."
    )
    title = "Events against the ledger"
    right = "Nothing is lost, and nothing told that did not happen."
    wrong = "Events and ledger are NOT the same. The log stays; `replay NAME --rebuild` makes a read model anew."

    def checks(self) -> Sequence[Check]:
        return event_checks()
