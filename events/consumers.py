"""Which consumers of the log there are. Each app registers its own as it is loaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from events.models import Event

CONSUMERS: dict[str, Consumer] = {}


@dataclass(frozen=True, slots=True)
class Consumer:
    """
    Somebody who does something about events.

    ``apply`` has its effect in the open transaction of Django's connection, in which the events are also
    marked as processed. ``reset`` takes all its effects back, so that they can be had again from the first
    event on. ``order_of_wallets``: an event must not overtake another one of the same wallet.
    """

    name: str
    what: str
    types: frozenset[str]
    apply: Callable[[Sequence[Event]], None]
    reset: Callable[[], None]
    order_of_wallets: bool = False

    def keys(self, event: Event) -> list[UUID]:
        """What an event must stay in order with: its payment or wallet; a system account's never."""
        return [event.subject, *(event.wallet_ids if self.order_of_wallets else [])]


def register(consumer: Consumer) -> None:
    CONSUMERS[consumer.name] = consumer
