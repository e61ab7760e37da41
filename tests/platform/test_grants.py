"""The serving role's rights: every table is on the list, and the list is what the database has."""

from django.db import connections

from tests.money import rows
from walletplatform.grants import GRANTS


def test_every_table_is_on_the_list():
    tables = {name for (name,) in rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}

    assert tables == GRANTS.keys()


def test_the_serving_role_has_what_the_list_says_and_no_more():
    granted: dict[str, set[str]] = {}
    for table, right in rows(
        "SELECT table_name, privilege_type FROM information_schema.role_table_grants WHERE grantee = 'app'"
    ):
        granted.setdefault(table, set()).add(right)
    for table, rights in GRANTS.items():
        whole_table = {right.strip() for right in rights.split(", UPDATE (")[0].split(",")}
        assert granted[table] == whole_table, table


def test_the_serving_role_owns_nothing_and_creates_nothing():
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT has_database_privilege(current_database(), 'TEMP'),"
            " has_database_privilege(current_database(), 'CREATE'), has_schema_privilege('public', 'CREATE'),"
            " EXISTS (SELECT FROM pg_class WHERE relowner = current_user::regrole)"
        )
        assert cursor.fetchone() == (False, False, False, False)
