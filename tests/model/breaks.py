"""What a planted bug is: something taken away from a copy of the source, or from its database."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Patch:
    """In ``file`` (from the root of the source) ``old`` stands once, and becomes ``new``."""

    file: str
    old: str
    new: str = ""

    def apply(self, root: Path) -> None:
        """
        Change the file below ``root``.

        :raises ValueError: where the source has moved on, so that this would take nothing away
        """
        path = root / self.file
        source = path.read_text()
        if source.count(self.old) != 1:
            raise ValueError(f"{self.file} has {source.count(self.old)} times: {self.old!r}")
        path.write_text(source.replace(self.old, self.new))


@dataclass(frozen=True, slots=True)
class Break:
    """
    ``taken`` says in words what is gone; ``tests`` are pytest's arguments, of which one test must fail.

    ``twice``: whether chance has a part in it, so that it must fail again.
    """

    name: str
    taken: str
    tests: tuple[str, ...]
    patches: tuple[Patch, ...]
    twice: bool = True


def take(name: str, taken: str, test: str | tuple[str, ...], file: str, old: str, new: str = "") -> Break:
    """A bug of the code: ``old`` in ``file`` becomes ``new``."""
    return Break(name, taken, (test,) if isinstance(test, str) else test, (Patch(file, old, new),))


def of_the_database(name: str, taken: str, sql: str, *tests: str) -> Break:
    """A bug of the database: ``sql`` is executed as superuser in every database that a test gets."""
    grant = """        admin.execute(f'GRANT CONNECT ON DATABASE "{name}" TO app')\n"""
    bent = (
        "    with psycopg.connect(psycopg.conninfo.make_conninfo(admin_url(), dbname=name)) as bending:\n"
        f"        bending.execute({sql!r})\n"
    )
    return Break(name, taken, tests, (Patch("tests/conftest.py", grant, grant + bent),), twice=False)
