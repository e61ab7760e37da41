"""
Real PostgreSQL, real commits: each test process has a clone of one migrated template database.

Tests run as the role ``app``, as the platform does. Nothing is rolled back or truncated: a test makes
wallets of its own. Money arrives by posting it, so no test world is one production could not reach.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connections

from ledger.assets import create_asset
from ledger.database import close_money_pool
from tests.actors import Actor, actor
from walletplatform.cache import redis
from walletplatform.embedded.roles import prepare_database

ROOT = Path(__file__).parent.parent


# People are made by the hundred; how slow a hash is to try is Django's to test.
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Each test client makes the middleware anew: it would look at every static file there is, and that was half the time.
settings.WHITENOISE_AUTOREFRESH = True
# A busy machine is no reason to go on without Redis, whose keys are looked at; tests/cache has its real patience.
REAL_REDIS_SECONDS, redis.SECONDS = redis.SECONDS, 2.0


def process_number() -> int:
    """Which of the test processes this is, from 0."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 4


def admin_url() -> str:
    return os.environ.get("TEST_ADMIN_DATABASE_URL") or os.environ["DATABASE_OWNER_URL"]


def make_database(name: str) -> None:
    """Make ``name`` anew as a clone of the migrated template."""
    template = _template()
    with psycopg.connect(admin_url(), autocommit=True) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" OWNER owner')
        # Rights on a database do not come with its template.
        admin.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
        admin.execute(f'GRANT CONNECT ON DATABASE "{name}" TO app')


def drop_database(name: str) -> None:
    with psycopg.connect(admin_url(), autocommit=True) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def use_database(name: str) -> None:
    """Point Django, and with it the money path, at ``name``."""
    for alias in ("default", "owner"):
        connections[alias].close()
        connections[alias].close_pool()  # type: ignore[attr-defined]
        connections[alias].settings_dict["NAME"] = name
        settings.DATABASES[alias]["NAME"] = name


def _template() -> str:
    """The template's name, after making it where the migrations have changed."""
    sources = sorted(path for path in ROOT.glob("**/migrations/*.*") if ".venv" not in path.parts)
    sources.append(ROOT / "walletplatform" / "grants.py")
    version = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
    name = f"template_{version}"
    Path(settings.DATA_DIR).mkdir(parents=True, exist_ok=True)
    with (Path(settings.DATA_DIR) / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with psycopg.connect(admin_url(), autocommit=True) as admin:
            if admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
                return name
        building = f"{name}_building"
        drop_database(building)
        prepare_database(admin_url(), name=building)
        use_database(building)
        call_command("migrate", verbosity=0)
        for alias in ("default", "owner"):
            connections[alias].close()
        with psycopg.connect(admin_url(), autocommit=True) as admin:
            admin.execute(f'ALTER DATABASE "{building}" RENAME TO "{name}"')
    return name


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share what is dear to make (a story, a broker, a platform) run in one process, one after another."""
    for item in items:
        scopes = {found[-1].scope for found in item._fixtureinfo.name2fixturedefs.values()}  # type: ignore[attr-defined]
        if "package" in scopes:
            item.add_marker(pytest.mark.xdist_group(item.path.parent.name))
        elif "module" in scopes:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="session", autouse=True)
def database(django_db_blocker: pytest.FixtureRequest, worker_id: str) -> Iterator[str]:
    name = f"test_{worker_id}_{os.getpid()}"
    # Whoever looks at a key of Valkey's finds what this process has put there.
    settings.REDIS_URL = settings.REDIS_URL.rsplit("/", 1)[0] + f"/{10 + process_number()}"
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        make_database(name)
        use_database(name)
        for code, title, kind, scale in (
            ("EUR", "Euro", "fiat", 2),
            ("GEM", "Gems", "credit", 0),
            ("BTC", "Bitcoin", "credit", 8),
        ):
            create_asset(code=code, name=title, kind=kind, scale=scale)
        # Nothing is proposed where nobody could decide about it.
        for role in ("approver", "administrator"):
            call_command("create_staff", f"standing-{role}", f"--role={role}", stdout=StringIO())
        yield name
        for alias in ("default", "owner"):
            connections[alias].close()
    close_money_pool()
    drop_database(name)


@pytest.fixture(scope="session")
def django_db_setup() -> None:
    """pytest-django makes no database of its own: ``database`` has."""


@pytest.fixture
def shop() -> Actor:
    """A client system with every scope, for all assets."""
    return actor("client")


@pytest.fixture
def ann() -> Actor:
    """An end user, who owns what ``ann.id`` owns."""
    return actor("user")


@pytest.fixture
def mallory() -> Actor:
    """Another end user, who must not."""
    return actor("user")


@pytest.fixture
def rare_asset() -> str:
    """An asset that only this test uses, so that its sums are this test's alone."""
    return create_asset(code="T" + uuid4().hex[:12].upper(), name="Test", kind="credit", scale=2).code
