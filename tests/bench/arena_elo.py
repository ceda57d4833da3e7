"""Do our ratings agree with published ones? GPT-4's verdicts on eight models and the 80 Vicuna questions (QLoRA).

    python -m tests.bench.arena_elo DATA/qlora_elo

DATA/qlora_elo/hf/battles/train.parquet: 4,480 rows model_a, model_b, question_id, winner, each pair in both orders.
Prints our ratings beside the expected ones (maximum likelihood, ties as half, mean 1000), how far apart they are at
most, and how often the answer that GPT-4 saw first won. 13 verdicts are missing: `left out` is what hfllm.arena does
with battles that nobody judged, `half` counts them as ties. The last column is Elo's running update, K = 32, averaged
over random orders: that is how QLoRA's own tables were made (arXiv 2305.14314; theirs over 10,000 orders)."""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path
from statistics import fmean

import pyarrow.parquet

from hfllm import arena
from hfllm.arena import Battle

EXPECTED = {
    "answer-gpt4": 1366,
    "65b-guanaco": 1020,
    "30b-guanaco": 989,
    "answer-vicuna-13b": 972,
    "answer-gpt35": 964,
    "13b-guanaco": 913,
    "answer-bard": 899,
    "7b-guanaco": 876,
}
ORDERS = 100


def main() -> None:
    rows = pyarrow.parquet.read_table(Path(sys.argv[1], "hf", "battles", "train.parquet")).to_pylist()
    battles = [Battle(row["model_a"], row["model_b"], row["winner"], row["question_id"]) for row in rows]
    begun = time.monotonic()
    standings = arena.rate(battles)
    seconds = time.monotonic() - begun
    as_ties = [Battle(one.model_a, one.model_b, one.winner or "tie", one.unit) for one in battles]
    half = {player.name: player.rating for player in arena.rate(as_ties, bootstrap=0).players}
    running = running_elo(battles)
    print(f"{'':18} expected  half  left out  95 % interval      Elo, K = 32")
    for player in standings.players:
        interval = f"{player.low:.0f} to {player.high:.0f}"
        print(
            f"{player.name:18} {EXPECTED[player.name]:8} {half[player.name]:6.1f} {player.rating:8.1f}  {interval:17}"
            f" {running[player.name]:8.1f}"
        )
    for name, ratings in (("half", half), ("left out", {one.name: one.rating for one in standings.players})):
        print(f"farthest, {name}: {max(abs(ratings[name] - expected) for name, expected in EXPECTED.items()):.1f}")
    seen = {"model_a": "first", "model_b": "second"}
    position = arena.first_share(seen.get(str(battle.winner)) for battle in battles)
    print(f"position: {position}; {standings.not_judged} not judged; {seconds:.2f} s with 1000 resamples of questions")


def running_elo(battles: list[Battle], step: float = 32.0) -> dict[str, float]:
    """Elo's update battle by battle from 1000, averaged over random orders."""
    judged = [battle for battle in battles if battle.winner is not None]
    found: dict[str, list[float]] = {name: [] for name in EXPECTED}
    generator = random.Random(0)
    for _ in range(ORDERS):
        ratings = dict.fromkeys(EXPECTED, arena.CENTRE)
        generator.shuffle(judged)
        for one in judged:
            chance = 1 / (1 + 10 ** ((ratings[one.model_b] - ratings[one.model_a]) / 400))
            gain = step * (arena.POINTS[str(one.winner)] - chance)
            ratings[one.model_a] += gain
            ratings[one.model_b] -= gain
        for name, rating in ratings.items():
            found[name].append(rating)
    return {name: fmean(values) for name, values in found.items()}


if __name__ == "__main__":
    main()
