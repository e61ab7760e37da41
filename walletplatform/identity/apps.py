from django.apps import AppConfig


class IdentityConfig(AppConfig):
    name = "walletplatform.identity"
    label = "identity"
    verbose_name = "People and clients"

    def ready(self) -> None:
        import walletplatform.identity.lockout  # noqa: F401 (hears of locks; needs the models)
