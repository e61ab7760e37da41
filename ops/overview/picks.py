"""What a page of figures is about: its time range and asset, chosen in the address and kept from page to page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import DateTimeField, Func
from django.http import HttpRequest

from ledger import clock
from ledger.models import Asset
from ops.windows import RANGES, USUAL, Range, Window


@dataclass(frozen=True, slots=True)
class Pick:
    """A choice that is a link."""

    name: str
    href: str
    current: bool


@dataclass(frozen=True, slots=True)
class Picks:
    """
    The choices of a page. ``asset`` None means all of them; ``kept`` are further parameters of the address.

    What is not known is as if it were not there: an old bookmark shows the usual page.
    """

    now: datetime
    range: Range
    asset: Asset | None
    assets: list[Asset]
    kept: dict[str, str]

    @property
    def window(self) -> Window:
        return self.range.window(self.now)

    @property
    def codes(self) -> list[str] | None:
        return [self.asset.code] if self.asset else None

    def query(self, **change: str | None) -> str:
        """Return the address' query with some of it changed; None takes a parameter out."""
        now = {"range": self.range.name, "asset": self.asset.code if self.asset else None} | self.kept
        parameters = {name: value for name, value in (now | change).items() if value}
        return "?" + urlencode(parameters)

    def ranges(self) -> list[Pick]:
        return [Pick(name.replace("h", " h").replace("d", " d"), self.query(range=name), one == self.range)
                for name, one in RANGES.items()]  # fmt: skip

    def asset_picks(self) -> list[Pick]:
        if len(self.assets) < 2:
            return []
        every = Pick("All assets", self.query(asset=None), self.asset is None)
        return [every, *(Pick(one.code, self.query(asset=one.code), one == self.asset) for one in self.assets)]


def picks(request: HttpRequest, *, keep: Iterable[str] = ()) -> Picks:
    """Read the choices from a request's address."""
    # The clock in the same statement.
    assets: list[Any] = list(
        Asset.objects.annotate(now=Func(function="ledger_now", output_field=DateTimeField())).order_by("code")
    )
    chosen = request.GET.get("asset")
    return Picks(
        now=assets[0].now if assets else clock.now(),
        range=RANGES.get(request.GET.get("range", ""), USUAL),
        asset=next((one for one in assets if one.code == chosen), None),
        assets=assets,
        kept={name: request.GET[name] for name in keep if request.GET.get(name)},
    )
