"""A reward model: learn from ranked answers how well people like one.

    accelerate launch -m hfllm.stages.reward recipes/tiny/reward.yaml

Reads preferences (the layouts are in `hfllm/preferences.py`), writes a model folder that
`AutoModelForSequenceClassification` loads (with `use_peft` an adapter folder; with `ensemble: k` k of them as member-0,
member-1, ...), with reward_model.json (all that held-out pairs tell) and reward.png. InstructGPT, arXiv 2203.02155."""

from __future__ import annotations

import copy
import gc
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfllm import adapters, data, labels, models, preferences, processes, recipe, untrusted
from hfllm.data import DatasetMixtureConfig
from hfllm.errors import UserMistake
from hfllm.reward_model import rows

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase
    from trl import ModelConfig, RewardConfig

    from hfllm.data import DatasetConfig
    from hfllm.reward_model.report import Judged
    from hfllm.reward_model.trainer import RankingTrainer

CHECK_COLUMNS = preferences.check_columns  # asked by `hfllm check` for data files that are there already
SCORE_HEAD_TASK = "SEQ_CLS"  # peft then trains the new score head whole, beside the adapters, and saves it
DEFAULTS = {"lora_task_type": SCORE_HEAD_TASK}  # where upstream's default is another


@dataclass
class JudgeConfig:
    """What a reward model has beside what any training has."""

    ensemble: int = field(
        default=1,
        metadata={"help": "Train this many, which differ in seed only; where they disagree, a policy went too far."},
    )
    held_out_share: float = field(
        default=0.1,
        metadata={"help": "Share of the prompts that is measured on and not trained on, where no eval_datasets are."},
    )


def main(
    config: JudgeConfig, data_args: DatasetMixtureConfig, training_args: RewardConfig, model_args: ModelConfig
) -> dict[str, Any]:
    """Train on `datasets`; returns counts, accuracy, calibration and what length does, all on held-out pairs."""
    check(config, data_args, training_args, model_args)
    model_args.model_name_or_path = models.find_model(str(model_args.model_name_or_path))
    adapters.check_targets(model_args)
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model_args.model_name_or_path, revision=model_args.model_revision)
    if training_args.eos_token is not None:
        tokenizer.eos_token = training_args.eos_token
    with training_args.main_process_first(desc="encoding"):
        train, held_out = encoded(config, data_args, tokenizer, training_args)
    counts = {
        "train": {"rankings": len(train), "pairs": rows.count_pairs(train)},
        "held_out": {"rankings": len(held_out), "pairs": rows.count_pairs(held_out)},
    }
    if processes.is_first():
        for part, numbers in counts.items():
            print("{rankings:>9,} rankings {pairs:>9,} pairs".format(**numbers), part.replace("_", " "))

    from hfllm import training
    from hfllm.reward_model import outcome

    training.prepare(training_args)
    members = []
    for args in member_arguments(config, training_args):
        trainer = build_trainer(args, model_args, tokenizer, train, held_out)
        numbers = training.train(trainer)
        members.append(trainer.judge())
        numbers |= tell(Path(args.output_dir), members[-1])
        del trainer  # its weights and optimizer make room for the next
        free_memory()
    if config.ensemble > 1:
        judged, disagreement = outcome.ensemble(members)
        numbers |= tell(Path(training_args.output_dir), judged, members=config.ensemble, disagreement=disagreement)
    return {"data": counts, **numbers}


def check(
    config: JudgeConfig, data_args: DatasetMixtureConfig, training_args: RewardConfig, model_args: ModelConfig
) -> None:
    """What can be seen wrong without loading anything."""
    name = model_args.model_name_or_path
    if not name or not data_args.datasets:
        raise UserMistake("stage reward: the recipe needs  model_name_or_path:  and  datasets:")
    if config.ensemble < 1:
        raise UserMistake(f"ensemble: {config.ensemble} is no number of models; write 1 or more")
    if not 0 < config.held_out_share < 1:
        raise UserMistake(f"held_out_share: {config.held_out_share} is no share; write for instance 0.1")
    if model_args.lora_task_type != SCORE_HEAD_TASK:
        raise UserMistake(
            f"lora_task_type: with {model_args.lora_task_type} the new score head would stay random; "
            f"write  lora_task_type: {SCORE_HEAD_TASK}  or remove it"
        )
    if models.adapter_base(name) is not None:
        raise UserMistake(
            f"model_name_or_path: {name} is an adapter, which has no place for a score; give its base model:\n"
            f"  {models.adapter_base(name)}"
        )
    quantized = model_args.load_in_4bit or model_args.load_in_8bit
    if quantized and not training_args.bf16 and model_args.dtype != "bfloat16":
        raise UserMistake("load_in_4bit, load_in_8bit: the score head is bfloat16 then; write  dtype: bfloat16")


def encoded(
    config: JudgeConfig,
    data_args: DatasetMixtureConfig,
    tokenizer: PreTrainedTokenizerBase,
    training_args: RewardConfig,
) -> tuple[Dataset, Dataset]:
    """Rankings to train on and held-out ones, as token ids: no prompt stands in both."""
    from datasets import concatenate_datasets

    train, held_out = (
        pairs_of(configs, tokenizer, training_args) for configs in (data_args.datasets, data_args.eval_datasets)
    )
    if not held_out:
        share, seed = config.held_out_share, training_args.seed
        cut = [(place, *rows.hold_out(pairs, share, seed, place)) for place, pairs in train]
        train, held_out = [(place, kept) for place, kept, _ in cut], [(place, held) for place, _, held in cut]
    theirs = [pairs for _, pairs in held_out]
    train = [(place, rows.without_prompts_of(pairs, theirs, place)) for place, pairs in train]
    if any(isinstance(pairs[0]["chosen"], list) for _, pairs in [*train, *held_out]):
        labels.prepare_template(tokenizer, training_args.chat_template_path, assistant_only=False)
    encode = partial(
        rows.encode,
        tokenizer=tokenizer,
        max_length=training_args.max_length,
        workers=training_args.dataset_num_proc,
    )
    return (
        concatenate_datasets([encode(pairs, place=place) for place, pairs in train]),
        concatenate_datasets([encode(pairs, place=f"{place} (held out)") for place, pairs in held_out]),
    )


def pairs_of(
    configs: list[DatasetConfig], tokenizer: PreTrainedTokenizerBase, training_args: RewardConfig
) -> list[tuple[str, Dataset]]:
    """The place and the pairs of each data set: plain text where the model has no chat template and the recipe none."""
    plain = tokenizer.chat_template is None and training_args.chat_template_path is None
    frame = untrusted.control_tokens(tokenizer)
    loaded = data.mix([data.load(config) for config in configs], configs)
    return [
        (config.place, preferences.pairs(rows_of_one, config.place, frame, as_text=plain))
        for rows_of_one, config in zip(loaded, configs, strict=True)
    ]


def member_arguments(config: JudgeConfig, training_args: RewardConfig) -> list[RewardConfig]:
    """The arguments of each model of an ensemble: another seed (score head, order of the data), another folder."""
    if config.ensemble == 1:
        return [training_args]
    made = []
    for number in range(config.ensemble):
        one = copy.copy(training_args)
        one.output_dir = str(Path(training_args.output_dir, f"member-{number}"))
        one.seed = training_args.seed + number
        made.append(one)
    return made


def build_trainer(
    args: RewardConfig, model_args: ModelConfig, tokenizer: PreTrainedTokenizerBase, train: Dataset, held_out: Dataset
) -> RankingTrainer:
    """Loads the weights, with a new score head."""
    from trl import get_peft_config, get_quantization_config

    from hfllm.reward_model.trainer import RankingTrainer

    args.chat_template_path = args.eos_token = None  # done: the trainer knows no shipped templates
    args.model_init_kwargs = {
        "revision": model_args.model_revision,
        "attn_implementation": model_args.attn_implementation,
        "dtype": model_args.dtype,
        **(args.model_init_kwargs or {}),
        "use_safetensors": True,
    }
    return RankingTrainer(
        model=model_args.model_name_or_path,
        args=args,
        train_dataset=train,
        eval_dataset=held_out,
        processing_class=tokenizer,
        peft_config=get_peft_config(model_args),
        quantization_config=get_quantization_config(model_args),
    )


def free_memory() -> None:
    """Of a trainer that is done with: torch keeps freed memory, and callbacks may hold a trainer in a circle."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def tell(folder: Path, judged: list[Judged], **more: Any) -> dict[str, Any]:
    """Write and print what held-out rankings tell of a model; what the receipt keeps of it."""
    from hfllm.reward_model import outcome

    if not processes.is_first():
        return {}
    found = outcome.write(folder, judged, **more)
    print(outcome.summary(found), flush=True)
    return outcome.numbers(found)


if __name__ == "__main__":
    recipe.run(main)
