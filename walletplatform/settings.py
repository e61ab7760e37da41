"""
Settings, read from the environment.

Differences between environments are values, not code. What the embedded set-up writes to
``DATA_DIR/env`` is read first; real environment variables win.
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import environ
from celery.schedules import crontab
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from django.urls import reverse_lazy

from walletplatform.observability.logs import logging_settings

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
DATA_DIR = Path(env("DATA_DIR", default=str(BASE_DIR / "var"))).absolute()
environ.Env.read_env(DATA_DIR / "env")

ENVIRONMENT = env("ENVIRONMENT", default="development")
PRODUCTION = ENVIRONMENT == "production"
if ENVIRONMENT not in ("development", "production"):
    raise ImproperlyConfigured("ENVIRONMENT is 'development' or 'production'.")

DEBUG = False
_development_key = "development-only-" + "0" * 40
SECRET_KEY = env("SECRET_KEY", default="" if PRODUCTION else _development_key)
JWT_KEY = env("JWT_KEY", default="" if PRODUCTION else _development_key)
if len(SECRET_KEY) < 32 or len(JWT_KEY) < 32:
    raise ImproperlyConfigured("Set SECRET_KEY and JWT_KEY to random texts of 32 characters or more.")
# Former ones, while what they signed or encrypted is still about.
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
JWT_ISSUER = "walletplatform"
JWT_AUDIENCE = "walletplatform-api"
JWT_ACCESS_LIFETIME = timedelta(minutes=60)
JWT_USER_TOKEN_LIFETIME = timedelta(minutes=15)
JWT_REFRESH_LIFETIME = timedelta(days=7)

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# Whose word is taken for the address of a caller: of the proxy in front. Addresses, networks, or * for anybody's.
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "walletplatform",
    "walletplatform.identity",
    "walletplatform.audit",
    "ledger",
    "wallets",
    "payments",
    "events",
    "ops",
]

MIDDLEWARE = [
    "walletplatform.observability.request_id.RequestIdMiddleware",
    "walletplatform.observability.logs.RequestLogMiddleware",
    "walletplatform.audit.origin.OriginMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "walletplatform.urls"
WSGI_APPLICATION = "walletplatform.wsgi.application"
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]


# A server that vanished without a word is given up after some ten seconds, not after the system's hours.
TCP_TIMEOUTS = {
    "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000,
}  # fmt: skip


def database(url: str, options: str) -> dict[str, Any]:
    """Return Django's settings for the PostgreSQL database at ``url`` (percent-encoding allowed)."""
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql"):
        raise ImproperlyConfigured("DATABASE_URL is postgresql://role:password@host:port/database.")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.removeprefix("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "OPTIONS": {"options": options, "connect_timeout": 5, **TCP_TIMEOUTS},
    }


# A statement that waits or runs longer than this is ended, so that nobody holds a wallet for long.
SERVING_OPTIONS = (
    "-c lock_timeout=1s -c statement_timeout=5s -c idle_in_transaction_session_timeout=10s"
    " -c client_connection_check_interval=500ms"
)
DATABASES = {
    "default": database(env("DATABASE_URL", default="postgresql://app@127.0.0.1:5432/wallet"), SERVING_OPTIONS)
}
# Of a process's many threads only few ask the database at a time, besides the money path.
DATABASES["default"]["OPTIONS"]["pool"] = {"min_size": 1, "max_size": 8, "timeout": 2}
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
if env("DATABASE_OWNER_URL", default=""):
    # A migration that does not get its lock soon gives up, so that payments do not queue behind it.
    DATABASES["owner"] = database(env("DATABASE_OWNER_URL"), "-c lock_timeout=5s")
# Connections of the money path in each web process: the flusher's, its side lanes', and bundles'.
MONEY_POOL_SIZE = env.int("MONEY_POOL_SIZE", default=8)
# Payments of different requests share batches. How many may wait in a process, and how long (seconds).
GROUP_COMMIT = env.bool("GROUP_COMMIT", default=True)
GROUP_QUEUE_SIZE = env.int("GROUP_QUEUE_SIZE", default=500)
GROUP_DEADLINE = env.float("GROUP_DEADLINE", default=10.0)

# The dotted name of a function that allows payments, denies them or sends them to review; empty: all are allowed.
PAYMENT_POLICY = env("PAYMENT_POLICY", default="")

# Requests a second: of each principal, and for tokens from each address.
RATE_LIMIT = env.int("RATE_LIMIT", default=5000)
TOKEN_RATE_LIMIT = env.int("TOKEN_RATE_LIMIT", default=50)

REDIS_URL = env("REDIS_URL", default="redis://127.0.0.1:6379/0")
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {
            "SOCKET_CONNECT_TIMEOUT": 0.1,
            "SOCKET_TIMEOUT": 0.1,
            "IGNORE_EXCEPTIONS": True,
        },
    }
}

# Where the log is relayed to; empty: nowhere.
KAFKA_BOOTSTRAP_SERVERS = env("KAFKA_BOOTSTRAP_SERVERS", default="")

RABBITMQ_URL = env("RABBITMQ_URL", default="")
# Webhooks go to public addresses over TLS; a developer's own receiver is neither.
WEBHOOKS_MAY_REACH_LOOPBACK = not PRODUCTION and env.bool("WEBHOOKS_MAY_REACH_LOOPBACK", default=False)

CELERY_BROKER_URL = env("BROKER_URL", default=REDIS_URL)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
CELERY_TIMEZONE = "UTC"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_SCHEDULE = {
    "carry out and expire approvals": {"task": "ops.tasks.sweep_approvals", "schedule": timedelta(minutes=5)},
    "clear expired sessions": {
        "task": "ops.tasks.clear_expired_sessions",
        "schedule": timedelta(days=1),
    },
    "compare events with the ledger": {
        "task": "ops.tasks.verify_events",
        "schedule": timedelta(hours=1),
    },
    "expire holds": {
        "task": "payments.tasks.sweep_expired_holds",
        "schedule": timedelta(minutes=1),
    },
    "reconcile what is new": {"task": "ops.tasks.reconcile_hourly", "schedule": crontab(minute=7)},
    "reconcile everything": {"task": "ops.tasks.reconcile_nightly", "schedule": crontab(hour=2, minute=37)},
}

AUTH_USER_MODEL = "identity.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_REDIRECT_URL = "/admin/"

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = False
FORMAT_MODULE_PATH = ["walletplatform.formats"]
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"


def _console(model: str) -> object:
    return reverse_lazy(f"admin:{model}_changelist")


def _any_of(*permissions: str) -> Callable[[Any], bool]:
    return lambda request: any(request.user.has_perm(permission) for permission in permissions)


LOGGING = logging_settings()
# A body of the API has 64 KiB at most; Django refuses to read beyond this anywhere.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

REST_FRAMEWORK: dict[str, object] = {
    "DEFAULT_SCHEMA_CLASS": "walletplatform.api.schema.Schema",
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Wallet platform",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    # A PATCH has required fields too.
    "COMPONENT_SPLIT_PATCH": False,
    "ENFORCE_NON_BLANK_FIELDS": True,
    "SERVERS": [{"url": "/"}],
    "POSTPROCESSING_HOOKS": ["walletplatform.api.schema.complete"],
}

UNFOLD = {
    "SITE_TITLE": "Wallet platform",
    "SITE_HEADER": "Wallet platform",
    "SITE_SYMBOL": "account_balance_wallet",
    "SHOW_HISTORY": False,
    "DASHBOARD_CALLBACK": "ops.dashboard.dashboard",
    "STYLES": [lambda request: static("ops/console.css")],
    "SIDEBAR": {
        "navigation": [
            {
                "title": "Money",
                "items": [
                    {"title": "Wallets", "icon": "wallet", "link": _console("wallets_wallet")},
                    {"title": "Payments", "icon": "payments", "link": _console("payments_payment")},
                    {"title": "Transactions", "icon": "receipt_long", "link": _console("ledger_transaction")},
                    {"title": "Entries", "icon": "format_list_numbered", "link": _console("ledger_entry")},
                    {"title": "Accounts", "icon": "account_balance", "link": _console("ledger_account")},
                    {"title": "Assets", "icon": "paid", "link": _console("ledger_asset")},
                ],
            },
            {
                "title": "Events",
                "items": [
                    {"title": "Log", "icon": "list_alt", "link": _console("events_event")},
                    {"title": "Readers", "icon": "speed", "link": _console("events_cursor")},
                    {"title": "Set aside", "icon": "error", "link": _console("events_parkedevent")},
                    {"title": "Webhooks", "icon": "webhook", "link": _console("events_webhookendpoint")},
                    {"title": "Deliveries", "icon": "outgoing_mail", "link": _console("events_webhookdelivery")},
                ],
            },
            {
                "title": "Operations",
                "items": [
                    {"title": "Reconciliation", "icon": "balance", "link": _console("ops_reconciliationrun")},
                    {"title": "Findings", "icon": "report", "link": _console("ops_finding")},
                ],
            },
            {
                "title": "Control",
                "items": [
                    {
                        "title": "Approvals",
                        "icon": "approval",
                        "link": _console("ops_approval"),
                        "permission": _any_of("ops.view_approval", "ops.propose_approval"),
                    },
                    {
                        "title": "Audit trail",
                        "icon": "policy",
                        "link": _console("audit_auditentry"),
                        "permission": _any_of("audit.view_auditentry"),
                    },
                ],
            },
            {
                "title": "People",
                "items": [
                    {"title": "Users", "icon": "person", "link": _console("identity_user")},
                    {"title": "Groups", "icon": "group", "link": _console("auth_group")},
                    {"title": "API clients", "icon": "key", "link": _console("identity_client")},
                ],
            },
        ]
    },
}
