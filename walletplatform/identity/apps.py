from django.apps import AppConfig


class IdentityConfig(AppConfig):
    name = "walletplatform.identity"
    label = "identity"
    verbose_name = "People and clients"
