"""What does the Trainer cost? CPU-seconds a token of the stage `pretrain` against a bare PyTorch loop, turn by turn.

    python -m tests.bench.pretrain_overhead [--rounds 11] [--steps 20] [--threads 1]

Same model (the shape of recipes/tiny/pretrain.yaml), same rows in the same order, same optimizer, schedule, clipping:
what differs is everything around them. Both start their clock after some steps, so that neither pays for start-up.
The project's own limit is 1.05. Random tokens: the content of the text does not change the time."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import yaml
from torch.utils.data import DataLoader, SequentialSampler
from transformers import (
    Qwen3Config,
    TrainerCallback,
    TrainingArguments,
    default_data_collator,
    get_scheduler,
    set_seed,
)

from hfllm import training
from hfllm.pretraining import fresh_model, optimizer, shards, speed
from hfllm.pretraining.packing import TokenBlocks

RECIPE = Path(__file__).parents[2] / "recipes/tiny/pretrain.yaml"
WARM_STEPS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    recipe = yaml.safe_load(RECIPE.read_text())
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        rows = random_rows(Path(folder), recipe, options.steps + WARM_STEPS)
        for number in range(options.rounds):
            if number % 2:  # turn by turn, and not always in the same order
                bare, ours = bare_seconds(rows, recipe, folder), stage_seconds(rows, recipe, folder)
            else:
                ours, bare = stage_seconds(rows, recipe, folder), bare_seconds(rows, recipe, folder)
            ratios.append(ours / bare)
            tokens = options.steps * recipe["per_device_train_batch_size"] * recipe["block_length"]
            print(
                f"round {number + 1}: bare {tokens / bare:,.0f}, stage {tokens / ours:,.0f} tokens a CPU-second",
                flush=True,
            )
    spread = f"{min(ratios):.3f} to {max(ratios):.3f}"
    print(f"stage / bare, CPU-seconds a token: {statistics.median(ratios):.3f} (median; {spread})")


def random_rows(folder: Path, recipe: dict[str, Any], steps: int) -> TokenBlocks:
    """A shard with as many rows as `steps` take."""
    tokens = steps * recipe["per_device_train_batch_size"] * recipe["block_length"]
    ids = torch.randint(0, 2048, (tokens,), generator=torch.Generator().manual_seed(0)).tolist()
    writer = shards.ShardWriter(folder / "train.ds", shards.Vocabulary(2048, None, None, "random"), {})
    writer.add(["random"], [ids])
    return TokenBlocks(writer.close(), "concat", recipe["block_length"])


def arguments(recipe: dict[str, Any], folder: str, steps: int) -> TrainingArguments:
    keys = (
        "per_device_train_batch_size",
        "learning_rate",
        "adam_beta2",
        "lr_scheduler_type",
        "warmup_steps",
        "logging_steps",
    )
    kwargs = optimizer.wsd_kwargs(None, recipe["decay_share"], steps)
    return TrainingArguments(
        folder,
        **{key: recipe[key] for key in keys},
        lr_scheduler_kwargs=kwargs,
        max_steps=steps,
        use_cpu=True,
        bf16=False,
        dataloader_pin_memory=False,
        save_strategy="no",
        train_sampling_strategy="sequential",
    )


def new_model(recipe: dict[str, Any]) -> torch.nn.Module:
    set_seed(0)
    values = {key: value for key, value in recipe["model_config"].items() if key != "model_type"}
    return fresh_model.build(Qwen3Config(**values, vocab_size=2048, bos_token_id=0, eos_token_id=1, pad_token_id=2))


def bare_seconds(rows: TokenBlocks, recipe: dict[str, Any], folder: str) -> float:
    """The loop that everybody writes first."""
    batch_size = recipe["per_device_train_batch_size"]
    args = arguments(recipe, folder, len(rows) // batch_size)
    model = new_model(recipe)
    model.train()
    muon_adamw = optimizer.build_muon(model, args, recipe["muon_learning_rate"])
    schedule = get_scheduler(
        args.lr_scheduler_type,
        muon_adamw,
        num_warmup_steps=args.warmup_steps,
        num_training_steps=args.max_steps,
        scheduler_specific_kwargs=args.lr_scheduler_kwargs,
    )
    loader = DataLoader(rows, batch_size, sampler=SequentialSampler(rows), collate_fn=default_data_collator)
    started = 0.0
    for step, batch in enumerate(loader):
        if step == WARM_STEPS:
            started = time.process_time()
        loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), args.max_grad_norm)
        muon_adamw.step()
        schedule.step()
        muon_adamw.zero_grad()
    return time.process_time() - started


class Clock(TrainerCallback):
    """CPU time from the end of the warm steps to the end of the last."""

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == WARM_STEPS:
            self.started = time.process_time()
        if state.global_step == state.max_steps:
            self.seconds = time.process_time() - self.started


def stage_seconds(rows: TokenBlocks, recipe: dict[str, Any], folder: str) -> float:
    """The stage's Trainer with all its callbacks, without evaluation and checkpoints, which the bare loop has not."""
    batch_size = recipe["per_device_train_batch_size"]
    args = arguments(recipe, folder, len(rows) // batch_size)
    model = new_model(recipe)
    tokens_per_step = batch_size * recipe["block_length"]
    flops = speed.flops_per_token(model, recipe["block_length"])
    clock = Clock()
    trainer = speed.EvenTrainer(
        model=model,
        args=args,
        train_dataset=rows,
        data_collator=default_data_collator,
        optimizer_cls_and_kwargs=(
            optimizer.muon_factory,
            {"args": args, "muon_learning_rate": recipe["muon_learning_rate"]},
        ),
        flops_per_token=flops,
        callbacks=[speed.Speedometer(tokens_per_step, flops, speed.Peak(1e11, "not measured here"), 1)],
    )
    trainer.add_callback(clock)
    training.train(trainer)
    return clock.seconds


if __name__ == "__main__":
    main()
