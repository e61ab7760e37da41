from django.urls import path

from payments.api import moving, views

urlpatterns = [
    path("payments", views.PaymentsView.as_view()),
    path("payments/<uuid:payment_id>", views.PaymentView.as_view()),
    path("topups", moving.TopupsView.as_view()),
    path("bonuses", moving.BonusesView.as_view()),
    path("spends", moving.SpendsView.as_view()),
    path("transactions", views.TransactionsView.as_view()),
    path("transactions/<uuid:transaction_id>", views.TransactionView.as_view()),
    path("transactions/<uuid:transaction_id>/ledger", views.TransactionLedgerView.as_view()),
]
