"""Do reward models get worse with the labels they learn from? A linear one, on what a frozen model sees in each answer.

    python -m tests.bench.flipped_labels MODEL --data FOLDER      # 25 minutes on one core for Gemma 3 270M

FOLDER/{train_clean,label_flip_20,label_flip_30}/train.parquet have the same pairs, with 0, 20 and 30 % of their labels
flipped, and FOLDER/eval_clean/test.parquet further ones. The features are the hidden states at an answer's last token,
where a reward model reads its score too. Bradley-Terry weights (logistic regression on the differences) learn from four
fifths of the pairs with their labels and are judged on the last fifth with clean ones: five folds, six times over. With
a few hundred pairs this tells more than fine-tuning once would, for every pair is a test pair."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import load_dataset
from transformers import AutoModel, AutoTokenizer

from hfllm.reward_model.layout import token_ids

LABELS = {"clean": "train_clean", "20 %": "label_flip_20", "30 %": "label_flip_30"}
FOLDS, REPEATS, RIDGE = 5, 6, 1.0
TEMPLATE = Path(__file__).parents[2] / "hfllm" / "templates" / "gemma.jinja"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--longest", type=int, default=640, help="tokens of a side; longer pairs are left out")
    parser.add_argument("--layers", type=int, nargs="+", default=[9, 12, 15, 18])
    options = parser.parse_args()
    rows = [*read(options.data / "train_clean" / "train.parquet"), *read(options.data / "eval_clean" / "test.parquet")]
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    tokenizer.chat_template = tokenizer.chat_template or TEMPLATE.read_text(encoding="utf-8")
    sides = [[token_ids(conversation(row, side), tokenizer) for side in ("chosen", "rejected")] for row in rows]
    kept = [number for number, two in enumerate(sides) if two[0] != two[1] and max(map(len, two)) <= options.longest]
    states = hidden_states(options.model, [ids for number in kept for ids in sides[number]], options.layers)
    flips = {name: flipped(options.data / folder, [rows[number] for number in kept]) for name, folder in LABELS.items()}
    print(f"{len(kept)} pairs; share of flipped labels: { ({name: round(f.mean(), 3) for name, f in flips.items()}) }")
    for layer, state in zip(options.layers, states.transpose(1, 0, 2), strict=True):
        differences = standardised(state)
        right = {name: cross_validated(differences, flip) for name, flip in flips.items()}
        error = np.std(right["clean"]) / np.sqrt(len(kept))
        shares = ", ".join(f"{name} {each.mean():.3f}" for name, each in right.items())
        gaps = ", ".join(told(right[one] - right[other]) for one, other in (("clean", "20 %"), ("20 %", "30 %")))
        print(f"layer {layer:2}: right pairs {shares} (standard error {error:.3f}); differences {gaps}", flush=True)


def read(file: Path) -> list[dict[str, Any]]:
    return load_dataset("parquet", data_files=str(file), split="train").to_list()


def conversation(row: dict[str, Any], side: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": row[side]}]


def hidden_states(name: str, texts: list[list[int]], layers: list[int]) -> np.ndarray:
    """(texts, layers, width): at the last token of each text."""
    model = AutoModel.from_pretrained(name, dtype=torch.bfloat16, use_safetensors=True).eval()
    found = np.zeros((len(texts), len(layers), model.config.hidden_size), np.float32)
    for done, number in enumerate(sorted(range(len(texts)), key=lambda number: len(texts[number]))):
        with torch.no_grad():
            outputs = model(torch.tensor([texts[number]]), output_hidden_states=True, use_cache=False)
        found[number] = torch.stack([outputs.hidden_states[layer][0, -1] for layer in layers]).float().numpy()
        if done % 100 == 0:
            print(f"{done} of {len(texts)} answers read", flush=True)
    return found


def flipped(folder: Path, rows: list[dict[str, Any]]) -> np.ndarray:
    """Whether the label of each row is another one there; False for rows that are not there."""
    chosen = {row["source_index"]: row["chosen"] for row in read(folder / "train.parquet")}
    return np.array([chosen.get(row["source_index"], row["chosen"]) != row["chosen"] for row in rows])


def standardised(states: np.ndarray) -> np.ndarray:
    """(2 x pairs, width) -> chosen - rejected (pairs, width), in spreads of each feature."""
    spread = states.std(0) + 1e-6
    return (states[0::2] - states[1::2]).astype(np.float64) / spread / np.sqrt(states.shape[1])


def cross_validated(differences: np.ndarray, flip: np.ndarray) -> np.ndarray:
    """How often each pair was put in its clean order by weights that did not learn from it (pairs,)."""
    right = np.zeros((REPEATS, len(flip)))
    for repeat in range(REPEATS):
        fold = np.random.default_rng(repeat).integers(0, FOLDS, len(flip))
        for held_out in range(FOLDS):
            learns, judged = fold != held_out, fold == held_out
            weights = bradley_terry(differences[learns], np.where(flip[learns], -1.0, 1.0))
            right[repeat, judged] = differences[judged] @ weights > 0
    return right.mean(0)


def bradley_terry(differences: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """The weights (width,) of largest penalised likelihood, by Newton's method on one number a pair."""
    gram, per_pair = differences @ differences.T, np.zeros(len(signs))
    for _ in range(20):
        wrong = 1 / (1 + np.exp(signs * (gram @ per_pair)))  # the chance that the model gives the other order
        curvature = wrong * (1 - wrong) + 1e-6
        step = np.linalg.solve(curvature[:, None] * gram + RIDGE * np.eye(len(signs)), signs * wrong - RIDGE * per_pair)
        per_pair += step
    return differences.T @ per_pair


def told(difference: np.ndarray) -> str:
    return f"{difference.mean():+.3f} ({np.std(difference) / np.sqrt(len(difference)):.3f})"


if __name__ == "__main__":
    main()
