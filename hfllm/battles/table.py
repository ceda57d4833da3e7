"""What does the arena say? The table of a run in the terminal (`hfllm arena RUN`), and arena.md.

hfllm arena runs/tiny/arena          # also of a run that is not finished: its battles so far
hfllm arena battles.jsonl            # anybody's: lines with model_a, model_b and winner"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hfllm import arena
from hfllm.arena import Player, Standings
from hfllm.battles import fights
from hfllm.errors import UserMistake
from hfllm.markdown import plain, table_row

RATINGS, PAGE = "ratings.json", "arena.md"
SHOWN, LONGEST = 4, 400  # battles on the page, characters of a text there
HEAD = ("", "rating", "95 %", "battles", "won", "lost", "tied")

Row = dict[str, Any]


def main(words: Sequence[str]) -> int:
    """`hfllm arena RUN`: print the table. Raises `UserMistake` where there are no battles."""
    parser = argparse.ArgumentParser("hfllm arena", description="Show who is better.", allow_abbrev=False)
    parser.add_argument("run", metavar="RUN|BATTLES.jsonl", help="folder of the stage arena, or a file of battles")
    show(found(Path(parser.parse_args(words).run)))
    return 0


def found(path: Path) -> Row:
    """What ratings.json says of a run; of one that is not finished, and of a file, rated now."""
    if (path / RATINGS).is_file():
        return json.loads((path / RATINGS).read_text(encoding="utf-8"))
    file = path / fights.FILE if path.is_dir() else path
    if not file.is_file():
        raise UserMistake(f"{path}: no {RATINGS} and no {fights.FILE} there; a run of the stage arena writes them")
    rows = fights.read(file)
    if all(row["winner"] is None for row in rows):
        raise UserMistake(f"{file}: no battle in it was judged")
    return result(rows)


def result(rows: Sequence[Row], *, anchor: str | None = None, bootstrap: int = 1000, seed: int = 0) -> Row:
    """The content of ratings.json: `Standings` as JSON, with `judge`, `anchor`, and the judge's position bias.

    `position`: how often the first answer won where a judge saw both; `agreement`: how often a judge who saw both
    orders chose the same answer. Both are None where answers were judged one by one."""
    standings = arena.rate(fights.as_battles(rows), anchor=anchor, bootstrap=bootstrap, seed=seed)
    return standings.as_json() | {
        "judge": ", ".join(dict.fromkeys(str(row["judge"]) for row in rows if "judge" in row)) or None,
        "anchor": anchor,
        "position": arena.first_share(fights.choices(rows)),
        "agreement": _agreement(rows),
    }


def _agreement(rows: Iterable[Row]) -> float | None:
    pairs = [[one["choice"] for one in row["seen"]] for row in rows if len(row.get("seen", [])) == 2]
    same = {("first", "second"), ("second", "first"), ("tie", "tie")}
    read = [tuple(pair) for pair in pairs if None not in pair]
    return round(sum(pair in same for pair in read) / len(read), 4) if read else None


def show(rated: Row) -> None:
    """The table, the win rates and the notes in the terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    standings, console = standings_of(rated), Console(highlight=False)
    for head, lines in ((HEAD, _players(standings)), _win_rates(standings)):
        table = Table(box=None, pad_edge=False)
        for number, name in enumerate(head):
            table.add_column(Text(name), justify="left" if number == 0 else "right", no_wrap=number > 0)
        for line in lines:
            table.add_row(*map(Text, line))
        console.print(table)
        console.print()
    for note in notes(rated):
        console.print(Text(note), soft_wrap=True)


def standings_of(rated: Row) -> Standings:
    return Standings.from_json({name: rated[name] for name in Standings.__dataclass_fields__})


def page(rated: Row, rows: Sequence[Row], answers: dict[str, Row]) -> str:
    """arena.md; `answers`: mean_tokens and cut_off of each model's."""
    standings = standings_of(rated)
    lengths = [[f"{answers[one.name]['mean_tokens']:.1f}", f"{answers[one.name]['cut_off']:.1%}"] for one in
               standings.players]  # fmt: skip
    players = [[*line, *more] for line, more in zip(_players(standings), lengths, strict=True)]
    head, rates = _win_rates(standings)
    return "\n".join(
        [
            "# Arena",
            "",
            *_markdown((*HEAD, "tokens", "cut off"), players),
            "",
            "## Win rates",
            "",
            "The share of points that the model of the row took from that of the column; a tie is half.",
            "",
            *_markdown(head, rates),
            "",
            *[f"- {plain(note)}" for note in notes(rated)],
            "",
            "## Some battles",
            "",
            *[line for row in _spread(rows) for line in _battle(row)],
        ]
    )


def notes(rated: Row) -> list[str]:
    """What a reader of the numbers must know, a sentence each."""
    where = f"{rated['anchor']} is set to 1000" if rated["anchor"] else "their mean is 1000"
    told = [
        f"Bradley-Terry ratings: 400 points are odds of ten to one, {where}. "
        f"{rated['battles']} battles, {rated['ties']} of them ties"
        + (f", judged by {rated['judge']}" if rated["judge"] else "")
        + (f"; {rated['not_judged']} more could not be judged." if rated["not_judged"] else "."),
        *(f"{note}." for note in rated["notes"]),
    ]
    if position := rated["position"]:
        told.append(
            f"Position: the answer shown first won {position['first']:.0%} of {position['choices']} choices "
            f"(50 % without a bias; standard error {position['standard_error']:.1%})."
        )
    if rated["agreement"] is not None:
        told.append(f"With the two answers swapped the judge said the same in {rated['agreement']:.0%} of battles.")
    return told


def _players(standings: Standings) -> list[list[str]]:
    return [[one.name, f"{one.rating:.0f}", _interval(one), *map(str, _counts(one))] for one in standings.players]


def _interval(player: Player) -> str:
    """Empty for the anchor, which is where it is by decree."""
    known = player.low is not None and player.high is not None and player.low < player.high
    return f"{player.low:.0f} to {player.high:.0f}" if known else ""


def _counts(player: Player) -> tuple[int, int, int, int]:
    return player.battles, player.wins, player.losses, player.ties


def _win_rates(standings: Standings) -> tuple[tuple[str, ...], list[list[str]]]:
    names = [player.name for player in standings.players]
    rates = [[_share(standings.win_rates[name].get(other), name == other) for other in names] for name in names]
    return ("", *_short(names)), [[name, *line] for name, line in zip(names, rates, strict=True)]


def _share(rate: float | None, itself: bool) -> str:
    return "" if itself else "never met" if rate is None else f"{rate:.0%}"


def _short(names: Sequence[str]) -> list[str]:
    """The last part of each name where they all differ: ["sft", "ppo"]."""
    tails = [name.rstrip("/").rpartition("/")[2] for name in names]
    return tails if len(set(tails)) == len(tails) else list(names)


def _markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    rule = ["---", *["---:"] * (len(head) - 1)]
    told = [[plain(cell, LONGEST) for cell in line] for line in (head, *lines)]
    return [table_row(line) for line in (told[0], rule, *told[1:])]


def _spread(rows: Sequence[Row]) -> list[Row]:
    """A few battles from all over the file, the same ones every time."""
    return [rows[number] for number in sorted(random.Random(0).sample(range(len(rows)), min(SHOWN, len(rows))))]


def _battle(row: Row) -> list[str]:
    scores = row.get("scores") or [None, None]
    sides = [
        f"**{plain(row[f'model_{letter}'])}**" + ("" if score is None else f" ({score:.2f})")
        for letter, score in zip("ab", scores, strict=True)
    ]
    winner = {"model_a": row["model_a"], "model_b": row["model_b"]}.get(row["winner"], row["winner"] or "not judged")
    said = [f"{side}: {plain(text, LONGEST)}" for side, text in zip(sides, row["answers"], strict=True)]
    asked = plain(str(row["prompt"][-1]["content"]), LONGEST)
    return [f"> {asked}", "", *[f"- {one}" for one in said], f"- winner: {plain(str(winner))}", ""]
