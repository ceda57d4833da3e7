"""Who is better? Bradley-Terry ratings of players that met in pairs, on Elo's scale, with bootstrap intervals.

    standings = rate([Battle("sft", "ppo", "model_b", unit=0), Battle("sft", "ppo", "tie", unit=1), ...])

P(a beats b) = 1 / (1 + exp(s_b - s_a)), and a tie is half a win to each. The strengths s are those of maximum
likelihood: unlike Elo's running update, the order of the battles says nothing. Rating: 1000 + 400 / ln 10 * s, so that
400 points are odds of ten to one. Bradley and Terry, Biometrika 39, 1952; Chatbot Arena, arXiv 2403.04132, section 4.

Where some players never lost to the others the likelihood has no maximum (Ford, 1957): then, and only then, every two
that met are counted one tie more, which `notes` tells."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

Winner = Literal["model_a", "model_b", "tie", "both_bad"]  # both_bad counts as a tie
POINTS = {"model_a": 1.0, "model_b": 0.0, "tie": 0.5, "both_bad": 0.5}  # of model_a
POINTS_A_NAT = 400 / math.log(10)
CENTRE = 1000.0
PRIOR = 0.5  # of a win to each of two players that met: one tie, the least that a loss can be; chosen by us
TAILS = (2.5, 97.5)  # percentiles: 95 % lie between
NEWTON_STEPS, ENOUGH = 200, 1e-9  # nats

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Battle:
    """Two answers to one prompt; `winner` is None where nobody could judge.

    Battles of equal `unit` (the same prompt) are drawn together in the bootstrap: they share answers."""

    model_a: str
    model_b: str
    winner: Winner | None
    unit: Hashable = None  # of its own


@dataclass(frozen=True)
class Player:
    """A rating with its 95 % interval; None for both ends where one prompt alone was judged."""

    name: str
    rating: float
    low: float | None
    high: float | None
    battles: int
    wins: int
    losses: int
    ties: int


@dataclass(frozen=True)
class Standings:
    """`win_rates[a][b]`: the share of points that a took from b, a tie being half; None where they never met."""

    players: list[Player]  # best first
    win_rates: dict[str, dict[str, float | None]]
    battles: int  # judged ones
    ties: int
    not_judged: int
    notes: list[str]  # what a reader of the ratings must know

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Standings:
        return cls(**found | {"players": [Player(**player) for player in found["players"]]})


def rate(battles: Sequence[Battle], *, anchor: str | None = None, bootstrap: int = 1000, seed: int = 0) -> Standings:
    """Ratings whose mean is 1000, or that of `anchor`. Raises ValueError when no battle was judged.

    `bootstrap`: so many resamples of the units, with replacement, for the intervals (0: none)."""
    judged = [battle for battle in battles if battle.winner is not None]
    if not judged:
        raise ValueError("no battle was judged")
    names = list(dict.fromkeys(name for battle in battles for name in (battle.model_a, battle.model_b)))
    if anchor is not None and anchor not in names:
        raise ValueError(f"the anchor {anchor} is no player; there are {', '.join(names)}")
    table = _Table.of(judged, names)
    points = table.points(np.ones(table.units))[None]  # (1, n, n)
    resamples = _resampled(table, bootstrap if table.units > 1 else 0, seed)  # (R, n, n)
    notes, values, ends = [], np.zeros(len(names)), np.full((2, len(names)), np.nan)
    groups = _groups(points[0])
    for group in groups:
        met = _pairs_met(points[0])[np.ix_(group, group)]
        place = group.index(names.index(anchor)) if anchor and names.index(anchor) in group else None
        values[group] = _ratings(points[:, group][:, :, group], met, place)[0]
        if len(resamples):
            ends[:, group] = np.percentile(_ratings(resamples[:, group][:, :, group], met, place), TAILS, axis=0)
        notes += _one_sided([names[number] for number in group], points[0][np.ix_(group, group)])
    notes = _apart(groups, names) + notes
    order = sorted(range(len(names)), key=lambda number: -values[number])
    return Standings(
        [_player(names[number], values[number], ends[:, number], judged) for number in order],
        _win_rates([names[number] for number in order], points[0][np.ix_(order, order)]),
        len(judged),
        sum(POINTS[str(battle.winner)] == 0.5 for battle in judged),
        len(battles) - len(judged),
        notes,
    )


def strengths(points: Array) -> Array:
    """(R, n, n) points of the row's player against the column's -> (R, n) strengths in nats with mean 0.

    Newton's method with damped steps, which converge from anywhere (Sun and Tran-Dinh, arXiv 1703.04599). Every two
    players must be connected by battles that were won in both directions."""
    rounds, count, _ = points.shape
    games, won = points + points.transpose(0, 2, 1), points.sum(2)
    found = np.zeros((rounds, count))
    for _ in range(NEWTON_STEPS):
        chance = 1 / (1 + np.exp(found[:, None, :] - found[:, :, None]))  # (R, n, n) that the row's player wins
        weight = games * chance * (1 - chance)
        curvature = np.eye(count) * weight.sum(2)[:, None, :] - weight + 1 / count  # the constant keeps the mean at 0
        step = np.linalg.solve(curvature, (won - (games * chance).sum(2))[..., None])[..., 0]
        spread = np.ptp(step, axis=1, keepdims=True)
        found += step * np.log1p(spread) / np.maximum(spread, ENOUGH)
        if spread.max() < ENOUGH:
            return found
    raise ArithmeticError(f"the ratings did not converge in {NEWTON_STEPS} steps")


def first_share(choices: Iterable[str | None]) -> dict[str, float] | None:
    """Position bias: how often the answer that was shown first won, of the choices `first` and `second`.

    first_share(["first", "first", "tie", "second"])["first"] == 0.6667; None when nothing was chosen."""
    counts = Counter(choices)
    decided = counts["first"] + counts["second"]
    if not decided:
        return None
    share = counts["first"] / decided
    error = math.sqrt(share * (1 - share) / decided)
    return {"first": round(share, 4), "standard_error": round(error, 4), "choices": decided}


@dataclass(frozen=True)
class _Table:
    """The battles as numbers: who met whom, the points of the first, and the unit, each (B,)."""

    names: list[str]
    first: Array
    second: Array
    taken: Array
    unit: Array
    units: int

    @classmethod
    def of(cls, judged: Sequence[Battle], names: list[str]) -> _Table:
        number = {name: place for place, name in enumerate(names)}
        own = [("alone", place) if battle.unit is None else battle.unit for place, battle in enumerate(judged)]
        units = {unit: place for place, unit in enumerate(dict.fromkeys(own))}
        return cls(
            names,
            np.array([number[battle.model_a] for battle in judged]),
            np.array([number[battle.model_b] for battle in judged]),
            np.array([POINTS[str(battle.winner)] for battle in judged]),
            np.array([units[unit] for unit in own]),
            len(units),
        )

    def points(self, weights: Array) -> Array:
        """(n, n) points of the row's player against the column's, each unit counted `weights` (U,) times."""
        count, weight = len(self.names), weights[self.unit]
        forth = np.bincount(self.first * count + self.second, weight * self.taken, count * count)
        back = np.bincount(self.second * count + self.first, weight * (1 - self.taken), count * count)
        return (forth + back).reshape(count, count)


def _resampled(table: _Table, bootstrap: int, seed: int) -> Array:
    generator = np.random.default_rng(seed)
    draws = (generator.multinomial(table.units, np.full(table.units, 1 / table.units)) for _ in range(bootstrap))
    return np.array([table.points(draw) for draw in draws])


def _ratings(points: Array, met: Array, anchor: int | None) -> Array:
    """(R, n) ratings of players that are connected; the prior is for the rounds that have no maximum without it."""
    open_ended = np.logical_not(_reach(points > 0).all((1, 2)))
    found = strengths(points + PRIOR * met * open_ended[:, None, None])
    return CENTRE + POINTS_A_NAT * (found if anchor is None else found - found[:, [anchor]])


def _reach(edges: Array) -> Array:
    """(R, n, n) who leads to whom in any number of steps, to itself too."""
    reach = edges | np.eye(edges.shape[-1], dtype=bool)
    for _ in range(edges.shape[-1].bit_length()):
        reach = (reach.astype(float) @ reach.astype(float)) > 0
    return reach


def _pairs_met(points: Array) -> Array:
    return np.greater(points + points.T, 0)


def _groups(points: Array) -> list[list[int]]:
    """Players that are connected by battles, whoever won."""
    reach = _reach(_pairs_met(points)[None])[0]
    return [list(group) for group in dict.fromkeys(tuple(np.flatnonzero(row).tolist()) for row in reach)]


def _apart(groups: list[list[int]], names: list[str]) -> list[str]:
    if len(groups) == 1:
        return []
    shown = "; ".join(", ".join(names[number] for number in group) for group in groups)
    return [
        f"{len(groups)} groups that never met, so that their ratings cannot be compared (each has the mean 1000, or "
        f"the anchor): {shown}"
    ]


def _one_sided(names: list[str], points: Array) -> list[str]:
    reach = _reach(points[None] > 0)[0]
    if reach.all():
        return []
    never_lost = ", ".join(name for name, to, by in zip(names, reach, reach.T, strict=True) if not (by & ~to).any())
    return [
        f"{never_lost} never lost to the others, not even half a point: by maximum likelihood infinitely far ahead. "
        "Every two players that met are counted one tie more (a prior); the distance says how many battles there "
        "were, not how much better they are"
    ]


def _player(name: str, rating: float, ends: Array, judged: Sequence[Battle]) -> Player:
    own = [battle for battle in judged if name in (battle.model_a, battle.model_b)]
    points = Counter(
        POINTS[str(battle.winner)] if battle.model_a == name else 1 - POINTS[str(battle.winner)] for battle in own
    )
    low, high = (None if math.isnan(end) else round(float(end), 1) for end in ends)
    return Player(name, round(float(rating), 1), low, high, len(own), points[1.0], points[0.0], points[0.5])


def _win_rates(names: list[str], points: Array) -> dict[str, dict[str, float | None]]:
    games = points + points.T
    return {
        name: {
            other: round(float(points[row, column] / games[row, column]), 4) if games[row, column] else None
            for column, other in enumerate(names)
            if row != column
        }
        for row, name in enumerate(names)
    }
