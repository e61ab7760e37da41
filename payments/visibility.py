"""Which payments a principal may see."""

from uuid import UUID

from payments.models import Payment
from walletplatform.api.problems import Problem
from walletplatform.identity.principal import Principal
from wallets.visibility import visible_wallets


def get_payment(principal: Principal, payment_id: UUID) -> Payment:
    """
    Return a payment that the principal may see: an end user those from or to its wallets.

    :raises Problem: ``not_found``
    """
    payment = Payment.objects.select_related("asset", "sender", "receiver", "failure").filter(id=payment_id).first()
    if payment is None or not _visible(principal, payment):
        raise Problem("not_found", "There is no such payment.")
    return payment


def _visible(principal: Principal, payment: Payment) -> bool:
    if not principal.sees_asset(payment.asset_id):
        return False
    # Whom a payment did not reach, it does not concern.
    failed = payment.status == Payment.Status.FAILED
    sides = [payment.sender_id] if failed else [payment.sender_id, payment.receiver_id]
    return not principal.is_user or visible_wallets(principal).filter(pk__in=sides).exists()
