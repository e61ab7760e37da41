"""The two roles and the database: ``owner`` has the tables, ``app`` serves and owns nothing."""

from __future__ import annotations

import psycopg
from psycopg import sql


def prepare_roles(admin_url: str, *, owner_password: str, app_password: str) -> None:
    """
    Make ``owner`` and ``app`` on a server, or give them these passwords.

    ``admin_url`` is a superuser's. ``owner`` may create databases, for the tests' own.
    """
    with psycopg.connect(admin_url, autocommit=True) as admin:
        for role, password, rights in (
            ("owner", owner_password, "LOGIN CREATEDB NOCREATEROLE NOSUPERUSER NOREPLICATION NOBYPASSRLS"),
            ("app", app_password, "LOGIN NOCREATEDB NOCREATEROLE NOSUPERUSER NOREPLICATION NOBYPASSRLS"),
        ):
            if admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is None:
                admin.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
            admin.execute(
                sql.SQL(f"ALTER ROLE {{}} {rights} PASSWORD {{}}").format(sql.Identifier(role), sql.Literal(password))
            )


def prepare_database(admin_url: str, *, name: str) -> None:
    """Make the database ``name`` of ``owner``, in which ``app`` can create nothing, not even temporary."""
    database = sql.Identifier(name)
    with psycopg.connect(admin_url, autocommit=True) as admin:
        if admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is None:
            admin.execute(sql.SQL("CREATE DATABASE {} OWNER owner").format(database))
        admin.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
        admin.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO app").format(database))
    with psycopg.connect(psycopg.conninfo.make_conninfo(admin_url, dbname=name), autocommit=True) as admin:
        admin.execute("ALTER SCHEMA public OWNER TO owner")
        admin.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        admin.execute("GRANT USAGE ON SCHEMA public TO app")
