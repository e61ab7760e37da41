"""
Settings, read from the environment.

Differences between environments are values, not code. What the embedded set-up writes to
``DATA_DIR/env`` is read first; real environment variables win.
"""

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import environ
from celery.schedules import crontab
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static

from walletplatform.observability.logs import logging_settings
from walletplatform.queues import EXCHANGE, celery_queue, exchange_type, queues, transport_options

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
    # The theme without its own site: the console is ours.
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "ops.console.apps.ConsoleConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "django_otp",
    "django_otp.plugins.otp_static",
    "django_otp.plugins.otp_totp",
    "axes",
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
    "ops.alerts.trouble.TroubleMiddleware",
    "walletplatform.audit.origin.OriginMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "walletplatform.identity.sessions.SessionAgeMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "walletplatform.content_policy.ContentPolicyMiddleware",
    "ops.console.signed_out.SignedOutMiddleware",
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
# Given up after a second, an attempt to connect is made anew by the next request. Else attempts would be ever further
# apart, and a database that was away for half a minute be refused for as long again.
POOL_RECONNECT_SECONDS = 1
DATABASES["default"]["OPTIONS"]["pool"] = {
    "min_size": 1, "max_size": 8, "timeout": 2, "reconnect_timeout": POOL_RECONNECT_SECONDS,
}  # fmt: skip
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

# The part of payments that should settle; the overview says when it is missed.
SUCCESS_TARGET = env.float("SUCCESS_TARGET", default=0.95)

# Whether the wallets are suspended whose amounts reconciliation finds to be wrong.
RECONCILIATION_FREEZES = env.bool("RECONCILIATION_FREEZES", default=True)

# Requests a second: of each principal, and for tokens from each address.
RATE_LIMIT = env.int("RATE_LIMIT", default=5000)
TOKEN_RATE_LIMIT = env.int("TOKEN_RATE_LIMIT", default=50)

# The most that one person gives back of a payment, by asset (EUR=50.00,GEM=500): more needs a second one, also where a
# client system asks. Of an asset that is not named, staff give nothing back alone, and clients what they ask for.
LARGE_REFUNDS = {}
for named in env.list("LARGE_REFUNDS", default=[]):
    if not (found := re.fullmatch(r"([A-Z][A-Z0-9_]{1,15})=([0-9]{1,18}(?:\.[0-9]{1,8})?)", named.strip())):
        raise ImproperlyConfigured(f"LARGE_REFUNDS: {named!r} is no asset with an amount; write EUR=50.00,GEM=500.")
    LARGE_REFUNDS[found[1]] = found[2]
# In production somebody must have decided that, be it for none.
LARGE_REFUNDS_DECIDED = "LARGE_REFUNDS" in env.ENVIRON or not PRODUCTION

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

# Who tells summaries: any endpoint that speaks OpenAI's chat completions. Without a key, a template tells them.
AI_API_KEY = env("AI_API_KEY", default="")
AI_BASE_URL = env("AI_BASE_URL", default="https://api.openai.com/v1")
AI_MODEL = env("AI_MODEL", default="gpt-4.1-mini")
# Seconds for an answer, a second try included.
AI_TIMEOUT = env.float("AI_TIMEOUT", default=30.0)
# Prices are of a million tokens, and the budget is of a day in UTC, in one currency.
AI_PRICE_IN = Decimal(env("AI_PRICE_IN", default="2.50"))
AI_PRICE_OUT = Decimal(env("AI_PRICE_OUT", default="10.00"))
AI_DAILY_BUDGET = Decimal(env("AI_DAILY_BUDGET", default="1.00"))
# Who gets the weekly summary by mail.
DIGEST_RECIPIENTS = env.list("DIGEST_RECIPIENTS", default=[])

# How mail goes out: smtp://, smtp+tls:// or smtp+ssl://user:password@host:port; else it is kept in a folder.
vars().update(env.email_url("EMAIL_URL", default=f"filemail:///{DATA_DIR}/mail"))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env("EMAIL_FROM", default="Wallet platform <alerts@localhost>")
# Where people reach the console, for links in mail.
PUBLIC_URL = env("PUBLIC_URL", default=f"http://127.0.0.1:{env('PORT', default='') or 8000}").rstrip("/")

CELERY_BROKER_URL = env("BROKER_URL", default=REDIS_URL)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = transport_options(CELERY_BROKER_URL)
CELERY_TASK_QUEUES = queues(CELERY_BROKER_URL)
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_TASK_DEFAULT_QUEUE = CELERY_TASK_DEFAULT_ROUTING_KEY = celery_queue("default")
CELERY_TASK_DEFAULT_EXCHANGE, CELERY_TASK_DEFAULT_EXCHANGE_TYPE = EXCHANGE, exchange_type(CELERY_BROKER_URL)
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
# Seconds in which a task ends itself, and in which it is ended.
CELERY_TASK_SOFT_TIME_LIMIT, CELERY_TASK_TIME_LIMIT = 300, 330
CELERY_TIMEZONE = "UTC"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# What ran last is told at once.
CELERY_BEAT_SYNC_EVERY = 1
CELERY_BEAT_SCHEDULER = "walletplatform.beat:Scheduler"
CELERY_BEAT_SCHEDULE = {
    "carry out and expire approvals": {"task": "ops.tasks.sweep_approvals", "schedule": timedelta(minutes=5)},
    "clear expired sessions": {
        "task": "ops.tasks.ask_for",
        "args": ("sessions.clear", 24 * 60),
        "schedule": timedelta(days=1),
    },
    "compare events with the ledger": {
        "task": "ops.tasks.ask_for",
        "args": ("events.verify", 60),
        "schedule": timedelta(hours=1),
    },
    "clear old jobs": {"task": "ops.tasks.ask_for", "args": ("jobs.clear", 60), "schedule": timedelta(hours=1)},
    "find what waits": {
        "task": "ops.tasks.sweep_jobs",
        "schedule": timedelta(seconds=15),
        "options": {"expire_seconds": 15},
    },
    "evaluate alerts": {
        "task": "ops.tasks.ask_for",
        "args": ("alerts.evaluate", 5),
        "schedule": timedelta(minutes=5),
    },
    "expire holds": {
        "task": "payments.tasks.sweep_expired_holds",
        "schedule": timedelta(minutes=1),
    },
    "reconcile what is new": {"task": "ops.tasks.reconcile_hourly", "schedule": crontab(minute=7)},
    # At 00:00 for the day before, and on Mondays for the week; the hours after find what was missed.
    "summarise what is over": {
        "task": "ops.tasks.ask_for",
        "args": ("summaries.schedule", 60),
        "schedule": crontab(minute=0),
    },
    "match statements": {
        "task": "ops.tasks.ask_for",
        "args": ("statements.match", 24 * 60),
        "schedule": crontab(hour=5, minute=17),
    },
    "reconcile everything": {"task": "ops.tasks.reconcile_nightly", "schedule": crontab(hour=2, minute=37)},
}

AUTH_USER_MODEL = "identity.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_REDIRECT_URL = "/admin/"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
# Five wrong passwords for a name from an address: neither is heard for a quarter of an hour.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_IPWARE_META_PRECEDENCE_ORDER = ["REMOTE_ADDR"]
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
# The form says it in its own words, and the API in a problem document.
SILENCED_SYSTEM_CHECKS = ["axes.W002"]
OTP_TOTP_ISSUER = "Wallet platform"

# A console session ends when nobody is there for so long, and after its password in any case; what is dangerous
# asks for the second factor again when it was shown longer ago than this.
SESSION_IDLE = timedelta(minutes=env.int("SESSION_IDLE_MINUTES", default=30))
SESSION_LASTS = timedelta(hours=12)
STEP_UP_AFTER = timedelta(minutes=10)
SESSION_COOKIE_AGE = int(SESSION_LASTS.total_seconds())
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
CSRF_COOKIE_SAMESITE = "Lax"

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
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
# Maps of sources are for whoever debugs a library, and are the larger part of what there is to compress.
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = ["jpg", "jpeg", "png", "gif", "webp", "gz", "br", "woff", "woff2", "map"]

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"


LOGGING = logging_settings()
# A body of the API has 64 KiB at most; Django refuses to read beyond this anywhere.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
# Files are statements of banks: beyond 2.5 MB they go to disk, and beyond the handler's bound nothing is read.
FILE_UPLOAD_HANDLERS = [
    "ops.statements.upload_limit.UploadLimit",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]

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
    "SITE_SUBHEADER": "Operations console",
    "SITE_SYMBOL": "account_balance_wallet",
    "SITE_URL": None,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("ops/icon.svg")}],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "ENVIRONMENT": "ops.console.site.environment",
    "DASHBOARD_CALLBACK": "ops.overview.pages.dashboard",
    "STYLES": [
        lambda request: static("ops/console.css"),
        lambda request: static("ops/summaries.css"),
        lambda request: static("ops/dashboard.css"),
        lambda request: static("ops/alerts.css"),
        lambda request: static("ops/control.css"),
        lambda request: static("ops/jobs.css"),
        lambda request: static("ops/statement.css"),
        lambda request: static("ops/reconciliation.css"),
    ],
    "SCRIPTS": [
        lambda request: static("ops/console.js"),
        lambda request: static("ops/dashboard.js"),
    ],
    "SIDEBAR": {"navigation": "ops.navigation.navigation", "show_search": True, "command_search": True},
    "COLORS": {
        "primary": {
            "50": "oklch(97% .014 254.604)",
            "100": "oklch(93.2% .032 255.585)",
            "200": "oklch(88.2% .059 254.128)",
            "300": "oklch(80.9% .105 251.813)",
            "400": "oklch(70.7% .165 254.624)",
            "500": "oklch(62.3% .214 259.815)",
            "600": "oklch(54.6% .245 262.881)",
            "700": "oklch(48.8% .243 264.376)",
            "800": "oklch(42.4% .199 265.638)",
            "900": "oklch(37.9% .146 265.522)",
            "950": "oklch(28.2% .091 267.935)",
        },
    },
}
