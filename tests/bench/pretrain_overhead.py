"""What does the Trainer cost? CPU-seconds a token of the stage `pretrain` against a bare PyTorch loop, step by step.

    python -m tests.bench.pretrain_overhead [--steps 200] [--threads 1]

Same model (the shape of recipes/tiny/pretrain.yaml), same rows in the same order, same optimizer, schedule, clipping:
what differs is everything around them. The two take turns at every step, the bare one in a callback of the Trainer, so
that whatever else the machine does meets both. The first steps do not count; steps that log do. The project's own
limit is 1.05. Random tokens: the content of the text does not change the time."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
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
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    recipe = yaml.safe_load(RECIPE.read_text())
    with tempfile.TemporaryDirectory() as folder:
        rows = random_rows(Path(folder), recipe, options.steps + WARM_STEPS)
        turns = take_turns(rows, recipe, folder)
    tokens = recipe["per_device_train_batch_size"] * recipe["block_size"]
    for name, seconds in turns.items():
        print(f"{name}: {tokens / statistics.mean(seconds):,.0f} tokens a CPU-second")
    ratios = [ours / bare for ours, bare in zip(turns["stage"], turns["bare"], strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    overall = sum(turns["stage"]) / sum(turns["bare"])
    steps = f"of single steps: {middle:.3f}, half of them in {low:.3f} to {high:.3f}"
    print(f"stage / bare, CPU-seconds a token: {overall:.3f} ({steps})")


def random_rows(folder: Path, recipe: dict[str, Any], steps: int) -> TokenBlocks:
    """A shard with as many rows as `steps` take."""
    tokens = steps * recipe["per_device_train_batch_size"] * recipe["block_size"]
    ids = torch.randint(0, 2048, (tokens,), generator=torch.Generator().manual_seed(0)).tolist()
    writer = shards.ShardWriter(folder / "train.ds", shards.Vocabulary(2048, None, None, "random"), {})
    writer.add(["random"], [ids])
    return TokenBlocks(writer.close(), "concat", recipe["block_size"])


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


def bare_steps(rows: TokenBlocks, recipe: dict[str, Any], args: TrainingArguments) -> Iterator[float]:
    """The loop that everybody writes first; gives the CPU-seconds of each step."""
    batch_size = args.per_device_train_batch_size
    model = new_model(recipe)
    model.train()
    muon_adamw = optimizer.build_muon(model, args, recipe["muon_learning_rate"])
    schedule = get_scheduler(
        args.lr_scheduler_type,
        muon_adamw,
        num_warmup_steps=args.get_warmup_steps(args.max_steps),
        num_training_steps=args.max_steps,
        scheduler_specific_kwargs=args.lr_scheduler_kwargs,
    )
    batches = iter(DataLoader(rows, batch_size, sampler=SequentialSampler(rows), collate_fn=default_data_collator))
    for _ in range(args.max_steps):
        started = time.process_time()
        loss = model(**next(batches)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), args.max_grad_norm)
        muon_adamw.step()
        schedule.step()
        muon_adamw.zero_grad()
        yield time.process_time() - started


class Turns(TrainerCallback):
    """After each step of the Trainer, one of the bare loop; the Trainer's time is all between two bare steps."""

    def __init__(self, bare: Iterator[float]) -> None:
        self.bare, self.started = bare, 0.0
        self.seconds: dict[str, list[float]] = {"bare": [], "stage": []}

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        stage = time.process_time() - self.started
        bare = next(self.bare)
        if state.global_step > WARM_STEPS:
            self.seconds["stage"].append(stage)
            self.seconds["bare"].append(bare)
        self.started = time.process_time()


def take_turns(rows: TokenBlocks, recipe: dict[str, Any], folder: str) -> dict[str, list[float]]:
    """The stage's Trainer with all its callbacks, without evaluation and checkpoints, which the bare loop has not."""
    batch_size = recipe["per_device_train_batch_size"]
    args = arguments(recipe, folder, len(rows) // batch_size)
    model = new_model(recipe)
    flops = speed.flops_per_token(model, recipe["block_size"])
    muon = {"args": args, "muon_learning_rate": recipe["muon_learning_rate"]}
    trainer = speed.EvenTrainer(
        model=model,
        args=args,
        train_dataset=rows,
        data_collator=default_data_collator,
        optimizer_cls_and_kwargs=(optimizer.muon_factory, muon),
        flops_per_token=flops,
        callbacks=[speed.Speedometer(batch_size * recipe["block_size"], flops, speed.Peak(1e11, "not measured"), 1)],
    )
    turns = Turns(bare_steps(rows, recipe, args))
    trainer.add_callback(turns)
    training.train(trainer)
    return turns.seconds


if __name__ == "__main__":
    main()
