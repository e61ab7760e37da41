"""Ready means able to do the work; Redis never decides."""

import pytest
from django.conf import settings as django_settings
from django.db import connection, connections
from django.test import Client as Http

from walletplatform.observability import health


def ready():
    return Http().get("/healthz/ready")


@pytest.fixture
def other_connection():
    """Let the serving connection be another until the test ends."""
    kept = dict(connection.settings_dict)

    def change(**settings):
        connection.close()
        connection.close_pool()
        connection.settings_dict.update(settings)

    yield change
    connection.close()
    connection.close_pool()
    connection.settings_dict.update(kept)


def not_ready(answer):
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (503, "unavailable")
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["Retry-After"]
    return problem["checks"]


def test_a_process_that_answers_is_alive():
    assert Http().get("/healthz/live").json() == {"status": "alive"}


def test_a_process_with_all_it_needs_is_ready():
    answer = ready()

    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    assert answer.json()["checks"]["database"] == "ok"


def test_redis_is_reported_and_does_not_decide(settings):
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": "redis://127.0.0.1:1/0"}}

    answer = ready()

    assert answer.status_code == 200
    assert answer.json()["checks"] == {"database": "ok", "redis": "down"}


def test_a_database_that_is_down_is_told_and_comes_back(other_connection):
    other_connection(PORT="1")
    assert not_ready(ready())["database"] == "down"
    assert Http().get("/healthz/live").status_code == 200

    other_connection(PORT=connections["owner"].settings_dict["PORT"])
    assert ready().status_code == 200


def test_a_role_that_owns_the_ledger_is_not_safe_to_serve_as(other_connection):
    owner = connections["owner"].settings_dict
    other_connection(USER=owner["USER"], PASSWORD=owner["PASSWORD"])

    assert 'the role "owner" owns' in not_ready(ready())["database"]


def test_a_database_behind_the_code_is_not_ready(monkeypatch):
    monkeypatch.setattr(health, "_migrated", False)
    with connections["owner"].cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'identity' RETURNING app, name, applied")
        taken = cursor.fetchall()
        try:
            assert not_ready(ready())["database"] == "migrations are missing"
        finally:
            cursor.executemany("INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, %s)", taken)

    assert ready().status_code == 200


def test_what_is_wrong_holds_no_password(other_connection):
    other_connection(PORT="1")

    assert django_settings.DATABASES["default"]["PASSWORD"] not in ready().content.decode()


@pytest.mark.parametrize("path", ["/healthz/live", "/healthz/ready"])
def test_a_probe_only_asks(path):
    assert Http().head(path).status_code == 200
    assert Http().post(path).status_code == 405
