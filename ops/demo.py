"""
A month in the life of a game and a shop: what ``manage.py seed_demo`` tells.

Everything goes through the real money path. The owner's clock offset lets it happen in the past.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid5

import orjson
from django.db import connections

from ledger import clock
from ledger.assets import create_asset
from ops.demo_aftermath import Aftermath
from payments.commands import Move
from payments.engine import execute
from walletplatform.api.idempotency import fingerprint
from walletplatform.identity.models import Client
from walletplatform.identity.principal import Principal
from wallets.lifecycle import change_status
from wallets.models import Wallet
from wallets.opening import NewWallet, open_wallet

ASSETS = [
    ("EUR", "Euro", "fiat", 2),
    ("GEM", "Game gems", "credit", 0),
    ("PTS", "Shop points", "loyalty", 0),
]
NAMES = [
    "Ann", "Bob", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hana", "Ivo", "Jun", "Kim", "Lea", "Max", "Nia", "Oli",
    "Pia", "Quin", "Rosa", "Sam", "Tia", "Uma", "Vic", "Wes", "Xia", "Yara", "Zoe", "Abel", "Bea", "Cyd", "Dora",
]  # fmt: skip
SCOPES = ["wallets:read", "wallets:write", "payments:read", "payments:write", "treasury:write"]
# How long a pre-order is held, in seconds.
LASTS = 5 * 24 * 3600
# Payments of the same five minutes share a batch, as they would under load.
STEP = timedelta(minutes=5)
_NAMESPACE = UUID("6ba7b812-9dad-11d1-80b4-00c04fd430c8")


@dataclass(frozen=True, slots=True)
class Cast:
    """Who takes part: the clients, and each person's wallets by asset."""

    game: Principal
    shop: Principal
    wallets: dict[str, dict[str, UUID]]
    shop_wallet: UUID


def tell(*, seed: int, days: int, payments: int) -> Iterator[int]:
    """Play the story on an empty ledger; yield, step by step, how many payments have been made."""
    end = clock.now()
    begin = end - timedelta(days=days)
    try:
        _set_clock(begin - timedelta(hours=1))
        cast = _cast()
        yield from _play(seed, cast, _moments(chance_of(seed, "moments"), begin, end, payments))
    finally:
        set_shift(timedelta(0))


def chance_of(seed: int, subject: str) -> random.Random:
    """Chance of its own for each subject: what happens does not depend on the hour at which the story is told."""
    return random.Random(f"{seed} {subject}")  # noqa: S311 (a story, not a secret)


def _cast() -> Cast:
    for code, name, kind, scale in ASSETS:
        create_asset(code=code, name=name, kind=kind, scale=scale)
    game, shop = _client("game", ["GEM"]), _client("shop", ["EUR", "PTS"])
    wallets = {
        name: {
            asset: _wallet(client, uuid5(_NAMESPACE, name), asset, f"{name}'s {label}")
            for client, asset, label in (
                (shop, "EUR", "money"),
                (game, "GEM", "gems"),
                (shop, "PTS", "points"),
            )
        }
        for name in NAMES
    }
    return Cast(game, shop, wallets, _wallet(shop, uuid5(_NAMESPACE, "shop"), "EUR", "Shop till"))


def _client(name: str, assets: list[str]) -> Principal:
    client = Client(name=name, scopes=SCOPES, assets=assets)
    client.new_secret()
    client.save()
    return Principal(id=client.id, kind="client", scopes=frozenset(SCOPES), assets=frozenset(assets))


def _wallet(client: Principal, user_id: UUID, asset: str, label: str) -> UUID:
    wanted = NewWallet(user_id=user_id, asset=asset, label=label, metadata={}, activate=True)
    opened = open_wallet(principal=client, wanted=wanted, request=None)
    return UUID(orjson.loads(opened.body)["id"])


def _moments(chance: random.Random, begin: datetime, end: datetime, payments: int) -> list[datetime]:
    """Times of payments: busier by day, busiest in the evening, growing over the month."""
    moments: list[datetime] = []
    # By whole hours: told again a minute later, the story is the same.
    hour = begin.replace(minute=0, second=0, microsecond=0)
    while len(moments) < payments:
        after = (end - begin) * chance.betavariate(1.3, 1)
        if chance.random() < (0.15, 0.5, 0.8, 1.0)[(hour + after).hour // 6]:
            moments.append(begin + after)
    return sorted(moments)


def _play(seed: int, cast: Cast, moments: list[datetime]) -> Iterator[int]:
    suspended: list[tuple[UUID, Principal]] = []
    aftermath = Aftermath(lambda subject: chance_of(seed, subject))
    done = 0
    while done < len(moments):
        step_end = moments[done] + STEP
        upcoming = len([moment for moment in moments[done : done + 40] if moment <= step_end])
        _set_clock(moments[done])
        commands = [_move(seed, cast, done + place, len(moments)) for place in range(upcoming)]
        outcomes = execute(commands)
        aftermath.follow(moments[done], commands, outcomes)
        aftermath.come(moments[done], cast)
        before, done = done, done + upcoming
        # Now and then a wallet is suspended for a while, and somebody tries to pay from it.
        if before // 400 != done // 400:
            for wallet, client in suspended:
                _change(client, wallet, "ACTIVE", "Checked: all well")
            name = chance_of(seed, f"suspension {done // 400}").choice(NAMES)
            suspended = [(cast.wallets[name]["EUR"], cast.shop)]
            for wallet, client in suspended:
                _change(client, wallet, "SUSPENDED", "Unusual activity reported")
        yield done


def _move(seed: int, cast: Cast, number: int, total: int) -> Move:
    key = f"demo-{number}"
    chance = chance_of(seed, key)
    person, other = chance.sample(NAMES, 2)
    own, others = cast.wallets[person], cast.wallets[other]
    kind, client, sender, receiver, amount, words = chance.choices(
        [
            ("topup", cast.shop, None, own["EUR"], chance.randint(500, 8000), "Card top-up"),
            ("transfer", cast.shop, own["EUR"], cast.shop_wallet, chance.randint(150, 4500), "Order"),
            ("transfer", cast.shop, own["EUR"], others["EUR"], chance.randint(100, 2500), "Split the bill"),
            ("authorization", cast.shop, own["EUR"], cast.shop_wallet, chance.randint(500, 6000), "Pre-order"),
            ("bonus", cast.shop, None, own["PTS"], chance.randint(5, 120), "Points for an order"),
            ("spend", cast.shop, own["PTS"], None, chance.randint(20, 200), "Points redeemed"),
            ("topup", cast.game, None, own["GEM"], chance.choice([100, 250, 600]), "Gem pack"),
            ("spend", cast.game, own["GEM"], None, chance.randint(5, 150), "Sword of dawn"),
            ("transfer", cast.game, own["GEM"], others["GEM"], chance.randint(1, 60), "Gift"),
            ("transfer", cast.shop, own["EUR"], others["PTS"], 100, "Wrong wallet picked"),
        ],
        weights=[24, 26, 12, 7, 10, 6, 12, 14, 6, 0.5],
    )[0]
    # The first tenth mostly fills wallets, so that the story does not begin with refusals.
    if number < total // 10 and chance.random() < 0.8:
        kind, client, sender, receiver, amount, words = chance.choice(
            [
                ("topup", cast.shop, None, own["EUR"], chance.randint(2000, 9000), "Card top-up"),
                ("topup", cast.game, None, own["GEM"], 600, "Gem pack"),
                ("bonus", cast.shop, None, own["PTS"], 150, "Welcome"),
            ]
        )
    value = Decimal(amount) / 100 if client is cast.shop and words not in _POINTS else Decimal(amount)
    return Move(
        principal=client,
        key=key,
        fingerprint=fingerprint("POST", f"/demo/{kind}", key),
        request_id=key,
        traceparent="",
        kind=kind,
        sender_id=sender,
        receiver_id=receiver,
        amount=value,
        description=words,
        metadata={"order": str(1000 + number)} if words in ("Order", "Pre-order") else {},
        expires_in=LASTS if kind == "authorization" else 0,
    )


_POINTS = ("Points for an order", "Points redeemed", "Welcome")


def _change(client: Principal, wallet_id: UUID, status: str, reason: str) -> None:
    if Wallet.objects.get(pk=wallet_id).status != status:
        change_status(principal=client, wallet_id=wallet_id, status=status, reason=reason, expected_etag="*")


def _set_clock(moment: datetime) -> None:
    set_shift(timedelta(0))
    set_shift(moment - clock.now())


def set_shift(shift: timedelta) -> None:
    with connections["owner"].cursor() as cursor:
        cursor.execute("UPDATE ledger_clock SET shift = make_interval(secs => %s)", [shift.total_seconds()])
