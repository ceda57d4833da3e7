"""Who is better? The ratings of the arena with their intervals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hfllm.arena import Player, Standings
from hfllm.battles import table as battles
from hfllm.report.bars import Bar, Bars, Group, percent
from hfllm.report.blocks import Block, Note, Section
from hfllm.report.files import number, some_number
from hfllm.report.runs import Course
from hfllm.report.table import Table
from hfllm.report.words import percent as share
from hfllm.report.words import short

MARGIN = 0.06  # of the chart, left and right of the outermost interval


def sections(course: Course) -> Iterator[Section]:
    for run in course.of("arena"):
        if blocks := course.reader.read(run.folder / battles.RATINGS, _blocks):
            yield Section(
                f"arena-{run.name}",
                "The arena" if len(course.of("arena")) == 1 else f"The arena: {run.name}",
                "Every two models answer the same requests, and a judge says which answer is better. From who beat "
                "whom comes a rating: 400 points more are odds of ten to one. A judge has a taste, too.",
                blocks,
                [run.name],
            )


def _blocks(file: Path) -> list[Block]:
    found: dict[str, Any] = battles.found(file.parent)
    standings = battles.standings_of(found)
    for player in standings.players:
        number(player.rating)
        some_number(player.low)
        some_number(player.high)
    return [_bars(standings), *(Note(note) for note in battles.notes(found))]


def _bars(standings: Standings) -> Bars:
    names = short([player.name for player in standings.players])
    ends = [end for player in standings.players for end in _ends(player)]
    room = (max(ends) - min(ends)) * MARGIN or 1.0
    low, high = min(ends) - room, max(ends) + room
    drawn = [_bar(names[player.name], player, low, high) for player in standings.players]
    caption, note = "Ratings, best first", "thin line: 95 % interval over requests"
    return Bars(caption, note, [Group("", drawn)], numbers=_table(standings, names))


def _bar(name: str, player: Player, low: float, high: float) -> Bar:
    left, right = (percent(end - low, high - low) for end in _ends(player))
    return Bar(name, f"{player.rating:,.0f}", (), left, right, percent(player.rating - low, high - low))


def _ends(player: Player) -> tuple[float, float]:
    return (
        player.rating if player.low is None else player.low,
        player.rating if player.high is None else player.high,
    )


def _table(standings: Standings, names: dict[str, str]) -> Table:
    against = [f"against {name}" for name in names.values()]
    head = ["model", "rating", "95 %", "battles", "won", "lost", "tied", *against]
    rows = [
        [
            names[one.name],
            f"{one.rating:,.0f}",
            "set" if one.low == one.high else " to ".join(f"{end:,.0f}" for end in _ends(one)),
            *(f"{count:,}" for count in (one.battles, one.wins, one.losses, one.ties)),
            *(_won(standings.win_rates.get(one.name, {}).get(other)) for other in names),
        ]
        for one in standings.players
    ]
    return Table("The numbers, and the share of points taken from each other", head, rows)


def _won(rate: float | None) -> str:
    return "" if rate is None else share(rate)
