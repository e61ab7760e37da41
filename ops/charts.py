"""
A chart of the console: drawn by ``ops/dashboard.js``, and a table of the same numbers for whoever cannot see it.

A page includes ``admin/chart.html`` with one; the numbers may be brought up to date by its ``payload``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

Colour = Literal["primary", "danger", "success", "warning", "muted"]


@dataclass(frozen=True, slots=True)
class Series:
    """Values beside the chart's labels; None is a gap. ``dashed`` is for what is only compared with."""

    name: str
    values: Sequence[float | int | None]
    colour: Colour
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """
    ``name`` is its id on the page; ``kind`` is line, bar, or rows (bars that lie, one for each label).

    ``first`` heads the labels in the table, ``links`` are where a label's bar or point leads to, and ``open_end`` says
    that the last label's time is not over.
    """

    name: str
    title: str
    kind: Literal["line", "bar", "rows"]
    labels: Sequence[str]
    series: Sequence[Series]
    first: str = "Time (UTC)"
    links: Sequence[str] = ()
    open_end: bool = False

    def payload(self) -> dict[str, Any]:
        series = [
            {"name": one.name, "values": list(one.values), "colour": one.colour, "dashed": one.dashed}
            for one in self.series
        ]
        return {
            "kind": self.kind, "labels": list(self.labels), "series": series, "links": list(self.links),
            "openEnd": self.open_end,
        }  # fmt: skip

    @property
    def json(self) -> str:
        return orjson.dumps(self.payload()).decode()

    @property
    def empty(self) -> bool:
        return not any(value for one in self.series for value in one.values)

    @property
    def rows(self) -> list[tuple[str, str, list[float | int | None]]]:
        """Label, link ("" for none) and values, as the table has them."""
        links = self.links or [""] * len(self.labels)
        columns = [one.values for one in self.series]
        return [(label, links[place], [column[place] for column in columns]) for place, label in enumerate(self.labels)]
