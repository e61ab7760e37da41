"""
Make a suspended wallet active again beside a running platform: over its API that takes two people.

``python -m tests.model.unfreezing ID``, with the environment of the platform.
"""

from __future__ import annotations

import os
import sys
import time
from uuid import UUID, uuid4


def main(wallet_id: UUID) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "walletplatform.settings")
    import django

    django.setup()
    from django.db import Error, connection

    from walletplatform.api.problems import Problem
    from walletplatform.identity.principal import staff
    from wallets.lifecycle import change_status
    from wallets.models import Wallet

    while True:
        try:
            if Wallet.objects.get(pk=wallet_id).status == Wallet.Status.ACTIVE:
                return
            change_status(
                principal=staff(uuid4()), wallet_id=wallet_id, status="ACTIVE", reason="a step", expected_etag="*"
            )
        except (Error, Problem):  # PostgreSQL is killed now and then
            connection.close()
            time.sleep(0.05)


if __name__ == "__main__":
    main(UUID(sys.argv[1]))
