from django.urls import path

from wallets.api import history, views

urlpatterns = [
    path("wallets", views.WalletsView.as_view()),
    path("wallets/<uuid:wallet_id>", views.WalletView.as_view()),
    path("wallets/<uuid:wallet_id>/balance", history.WalletBalanceView.as_view()),
    path("wallets/<uuid:wallet_id>/entries", history.WalletEntriesView.as_view()),
    path("wallets/<uuid:wallet_id>/transactions", history.WalletTransactionsView.as_view()),
    path("wallets/<uuid:wallet_id>/statement", history.WalletStatementView.as_view()),
    path("users/<uuid:user_id>/balances", history.UserBalancesView.as_view()),
]
