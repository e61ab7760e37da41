"""What staff do about a wallet at once: activate a new one, suspend, close."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from unfold.decorators import action

from ops.act_pages import ActingAdmin, VersionForm
from ops.approvals.refusing import Refused
from walletplatform.identity.principal import staff
from wallets.lifecycle import change_status
from wallets.models import Wallet


class WalletActs(ActingAdmin):
    """Mixed into the page of wallets."""

    actions_detail: tuple[str, ...] = ("activate", "suspend", "close")
    offered = {
        "activate": lambda wallet: wallet.status == Wallet.Status.CREATED,
        "suspend": lambda wallet: wallet.status == Wallet.Status.ACTIVE,
        "close": lambda wallet: wallet.status == Wallet.Status.SUSPENDED and _is_empty(wallet),
    }

    @action(description="Activate", url_path="activate", icon="play_circle", permissions=["operate_wallet"])
    def activate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._to(
            request, object_id, Wallet.Status.ACTIVE, title="Activate wallet", done="The wallet is active.",
            effect="The new wallet becomes active: money moves into it and out of it.",
        )  # fmt: skip

    @action(description="Suspend wallet", url_path="suspend", icon="block", permissions=["suspend"])
    def suspend(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._to(
            request, object_id, Wallet.Status.SUSPENDED, title="Suspend wallet", done="The wallet is suspended.",
            effect="At once no money moves into the wallet or out of it, until two people unfreeze it.",
        )  # fmt: skip

    @action(description="Close", url_path="close", icon="do_not_disturb_on", permissions=["operate_wallet"])
    def close(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._to(
            request, object_id, Wallet.Status.CLOSED, title="Close wallet", done="The wallet is closed.",
            effect="The wallet is closed for good: no money moves into it or out of it ever again. "
            "It has to be empty, with nothing held.",
            dangerous=True,
        )  # fmt: skip

    def _to(
        self, request: HttpRequest, object_id: str, status: str, *, title: str, done: str, effect: str,
        dangerous: bool = False,
    ) -> HttpResponse:  # fmt: skip
        def act(wallet: Wallet, given: dict[str, Any]) -> str:
            if status == Wallet.Status.ACTIVE and wallet.status != Wallet.Status.CREATED:
                # With the version that was read it is CREATED under the lock too: nobody unfreezes alone.
                raise Refused("invalid", f"Only a new wallet is activated by one person; this one is {wallet.status}.")
            if given["version"] != wallet.version:
                now = f"it is {wallet.status}, at version {wallet.version}, by now"
                raise Refused("target_changed", f"It has changed since you opened the page: {now}.")
            change_status(
                principal=staff(UUID(str(request.user.pk))), wallet_id=wallet.pk, status=status,
                reason=given["reason"], expected_etag=f'"{wallet.version}"',
            )  # fmt: skip
            return done

        return self.act_page(
            request, object_id, VersionForm, act, title=title, effect=effect, dangerous=dangerous,
            initial=lambda wallet: {"version": wallet.version},
        )  # fmt: skip


def _is_empty(wallet: Wallet) -> bool:
    return not (wallet.account.balance or wallet.account.held)
