"""Check that the ledger is right, from the entries up."""

from collections.abc import Sequence

from ledger.verification import Check
from ops.management.verifying import VerifyingCommand
from ops.verification import MONEY_CHECKS


class Command(VerifyingCommand):
    help = (
        "Check every promise about money that SQL can check, in one snapshot. Exits with 0 where all "
        "holds and 1 where something is found. Changes nothing; safe on a running platform."
    )
    title = "Ledger verification"
    right = "The ledger is right."
    wrong = "The ledger is NOT right. Stop what moves money, and look at the places above."

    def checks(self) -> Sequence[Check]:
        return MONEY_CHECKS
