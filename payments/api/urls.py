from django.urls import path

from payments.api import acting, batching, limits, moving, views

urlpatterns = [
    path("payments", views.PaymentsView.as_view()),
    path("payments/batch", batching.BatchView.as_view()),
    path("payments/captures", acting.CapturesView.as_view()),
    path("payments/voids", acting.VoidsView.as_view()),
    path("payments/<uuid:payment_id>", views.PaymentView.as_view()),
    path("payments/<uuid:payment_id>/capture", acting.CaptureView.as_view()),
    path("payments/<uuid:payment_id>/void", acting.VoidView.as_view()),
    path("payments/<uuid:payment_id>/extend", acting.ExtendView.as_view()),
    path("payments/<uuid:payment_id>/reauthorize", acting.ReauthorizeView.as_view()),
    path("payments/<uuid:payment_id>/review", acting.ReviewView.as_view()),
    path("wallets/<uuid:wallet_id>/limits", limits.WalletLimitsView.as_view()),
    path("topups", moving.TopupsView.as_view()),
    path("bonuses", moving.BonusesView.as_view()),
    path("spends", moving.SpendsView.as_view()),
    path("transactions", views.TransactionsView.as_view()),
    path("transactions/<uuid:transaction_id>", views.TransactionView.as_view()),
    path("transactions/<uuid:transaction_id>/ledger", views.TransactionLedgerView.as_view()),
]
