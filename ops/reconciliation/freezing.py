"""Stop the wallets whose amounts may be wrong, until people know better (``RECONCILIATION_FREEZES``)."""

from __future__ import annotations

import logging
from uuid import UUID

from django.conf import settings
from django.db import OperationalError

from ledger import clock
from ops.reconciliation.kinds import FREEZING, kind_of
from ops.reconciliation.models import Finding
from payments.expiry import PLATFORM
from walletplatform.api.problems import Problem
from wallets.lifecycle import change_status
from wallets.models import Wallet

logger = logging.getLogger(__name__)


def freeze_what_is_wrong() -> int:
    """
    Suspend the active wallets that open findings of ``FREEZING`` are about, once for each evidence; return how many.

    One that was unfrozen while its finding is open is suspended again once the amounts have changed. What does not
    succeed now, because payments keep the wallet busy, is for the next run.
    """
    if not settings.RECONCILIATION_FREEZES:
        return 0
    waiting = Finding.objects.filter(
        state=Finding.State.OPEN, kind__in=FREEZING, subject_type="account", frozen_at__isnull=True
    )
    return sum(_freeze(finding) for finding in waiting.order_by("id"))


def _freeze(finding: Finding) -> bool:
    # A system account is no wallet: it cannot be suspended without stopping an asset.
    wallet_id = UUID(finding.subject_id)
    suspended = False
    if Wallet.objects.filter(pk=wallet_id, status=Wallet.Status.ACTIVE).exists():
        reason = f"Reconciliation: {kind_of(finding.kind).title.lower()} (finding {finding.pk})"
        try:
            change_status(
                principal=PLATFORM, wallet_id=wallet_id, status=Wallet.Status.SUSPENDED, reason=reason,
                expected_etag="*",
            )  # fmt: skip
            suspended = True
        except Problem as problem:  # somebody was faster
            logger.warning("Wallet %s is not suspended for finding %s: %s", wallet_id, finding.pk, problem)
        except OperationalError as error:
            logger.warning("Wallet %s is not suspended now: %s", wallet_id, str(error).strip())
            return False
    Finding.objects.filter(pk=finding.pk).update(frozen_at=clock.now())
    return suspended
