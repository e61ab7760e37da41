"""Which wallets a principal may see."""

from django.db.models import QuerySet

from walletplatform.identity.principal import Principal
from wallets.models import Wallet


def visible_wallets(principal: Principal) -> QuerySet[Wallet]:
    """An end user sees its own wallets, a client system those of its assets."""
    wallets = Wallet.objects.select_related("account", "asset")
    if principal.is_user:
        wallets = wallets.filter(user_id=principal.id)
    if principal.assets is not None:
        wallets = wallets.filter(asset__in=principal.assets)
    return wallets
