from django.urls import path

from walletplatform.identity import views

urlpatterns = [
    path("auth/token", views.TokenView.as_view()),
    path("auth/token/refresh", views.RefreshView.as_view()),
    path("auth/user-tokens", views.UserTokenView.as_view()),
]
