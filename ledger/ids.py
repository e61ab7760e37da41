"""UUIDv7 (RFC 9562, section 5.7): ids whose order is the order of their time."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_VERSION = 7 << 76
_VARIANT = 2 << 62
_RANDOM_BITS = 74


def id_maker(*, at: datetime) -> Callable[[], UUID]:
    """
    Return a function that makes rising UUIDv7s of the millisecond of ``at``.

    Rising within one maker by random steps (RFC 9562, section 6.2, method 2), so that what a batch
    does later sorts later, and no id tells its neighbour.
    """
    milliseconds = (at - EPOCH) // timedelta(milliseconds=1)
    # One free bit above the start leaves room for 2**41 steps before the random part is used up.
    state = secrets.randbits(_RANDOM_BITS - 1)

    def make() -> UUID:
        nonlocal state
        state += 1 + secrets.randbits(32)
        return _uuid(milliseconds, state)

    return make


def lowest_id(at: datetime) -> UUID:
    """Return the lowest UUIDv7 of the millisecond of ``at``: where a list of that time begins."""
    return _uuid((at - EPOCH) // timedelta(milliseconds=1), 0)


def _uuid(milliseconds: int, random: int) -> UUID:
    return UUID(int=milliseconds << 80 | _VERSION | random >> 62 << 64 | _VARIANT | random & (1 << 62) - 1)
