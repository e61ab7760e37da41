"""
PostgreSQL and Valkey from wheels, for development, demonstration and tests.

``make run`` and ``make test`` use them where no ``DATABASE_URL`` and ``REDIS_URL`` are given.
Production brings its own servers and never comes here.
"""
