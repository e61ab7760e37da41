"""Start what is not given by URL, and tell everybody where it is."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from walletplatform.embedded.data_dir import DataDir
from walletplatform.embedded.kafka import Kafka
from walletplatform.embedded.postgres import Postgres
from walletplatform.embedded.roles import prepare_database, prepare_roles
from walletplatform.embedded.valkey import Valkey

DATABASE = "wallet"
DEMO_CLIENT, CONSOLE_LOGIN, PREPARED = "demo-client.json", "console-login.json", "prepared.json"
OF_THE_DATABASE = (DEMO_CLIENT, CONSOLE_LOGIN, PREPARED)


class Services:
    """PostgreSQL, Valkey and (KAFKA=1) Kafka of a folder, each only where the environment names no server."""

    def __init__(self, data_dir: DataDir, say: Callable[[str], None]) -> None:
        if os.environ.get("DATABASE_OWNER_URL") and not os.environ.get("DATABASE_URL"):
            sys.exit("DATABASE_OWNER_URL is given without DATABASE_URL: set both, or neither for the embedded server.")
        self.data_dir = data_dir
        self.say = say
        self.postgres = None if os.environ.get("DATABASE_URL") else Postgres(data_dir)
        redis_given = os.environ.get("REDIS_URL") and os.environ.get("BROKER_URL")
        self.valkey = None if redis_given else Valkey(data_dir)
        kafka_wanted = os.environ.get("KAFKA") == "1" and not os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
        self.kafka = Kafka(data_dir) if kafka_wanted else None

    def start(self) -> dict[str, str]:
        """Start them and return the environment by which they are found; also kept in a file."""
        env = {name: self.data_dir.secret(name) for name in ("SECRET_KEY", "JWT_KEY")}
        if os.environ.get("ENVIRONMENT") != "production":
            env["WEBHOOKS_MAY_REACH_LOOPBACK"] = "true"
        if self.postgres:
            self._start_postgres(self.postgres)
            env |= self._database()
            self.say(f"PostgreSQL: ready on port {self.data_dir.port('postgres', running=True)}")
        if self.valkey:
            self.say("Valkey: starting")
            self.valkey.start()
            env |= {"REDIS_URL": self.valkey.url(), "BROKER_URL": self.valkey.url(database=1)}
            self.say(f"Valkey: ready on port {self.data_dir.port('valkey', running=True)}")
        if self.kafka:
            self.kafka.start()
            env["KAFKA_BOOTSTRAP_SERVERS"] = self.kafka.servers(running=True)
            self.say(f"Kafka: ready on {env['KAFKA_BOOTSTRAP_SERVERS']}")
        # What the caller has set wins, here as in the settings.
        env = {name: os.environ.get(name, value) for name, value in env.items()}
        self.data_dir.write_env(env)
        return env

    def stop(self) -> None:
        try:
            if self.kafka:
                self.kafka.stop()
            if self.valkey:
                self.valkey.stop()
        finally:
            if self.postgres:
                self.postgres.stop()

    def _start_postgres(self, postgres: Postgres) -> None:
        self.say("PostgreSQL: starting")
        if postgres.runner.user is not None:
            self.say(f"PostgreSQL: no user namespaces here; it runs as nobody, with its data in {postgres.data}")
        if not postgres.exists():
            # What was remembered of an earlier database is not true of a new one.
            self.data_dir.forget(*OF_THE_DATABASE)
        postgres.start()

    def _database(self) -> dict[str, str]:
        assert self.postgres is not None
        owner, app = self.data_dir.secret("owner"), self.data_dir.secret("app")
        admin_url = self.postgres.url()
        prepare_roles(admin_url, owner_password=owner, app_password=app)
        prepare_database(admin_url, name=DATABASE)
        return {
            "DATABASE_URL": self.postgres.url(role="app", password=app, database=DATABASE),
            "DATABASE_OWNER_URL": self.postgres.url(role="owner", password=owner, database=DATABASE),
            "TEST_ADMIN_DATABASE_URL": admin_url,
        }
