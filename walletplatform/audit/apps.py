from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "walletplatform.audit"
    label = "audit"
    verbose_name = "Audit trail"
