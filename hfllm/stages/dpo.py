"""Direct preference optimisation (DPO): learning from pairs of a better and a worse answer, without a reward model.

    accelerate launch -m hfllm.stages.dpo recipes/tiny/dpo.yaml

Reads pairs and rankings (the layouts are in `hfllm/preferences.py`), writes a model folder to `output_dir`, with
`use_peft` an adapter folder. The model is held near the one that it starts from; where an adapter is trained, that is
the model with the adapter as it was. Rafailov et al., arXiv 2305.18290; the losses are those of TRL's DPOTrainer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from hfllm import adapters, data, labels, models, preferences, processes, recipe, untrusted
from hfllm.data import DatasetConfig, DatasetMixtureConfig
from hfllm.dpo import losses, pairs
from hfllm.errors import UserMistake

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase
    from trl import DPOConfig, ModelConfig

    from hfllm.dpo.trainer import PairTrainer


@dataclass
class PairConfig:
    """How a pair is laid out."""

    chat_template_path: str | None = field(
        default=None,
        metadata={"help": "A chat template (.jinja) for a base model that has none: hfllm/templates/chatml.jinja"},
    )


def main(
    config: PairConfig, data_args: DatasetMixtureConfig, training_args: DPOConfig, model_args: ModelConfig
) -> dict[str, Any]:
    """Train `model_name_or_path` on the pairs of `datasets`; returns their number, accuracy and margin, held out too.

    Accuracy: the share of pairs whose better answer became more probable, against the start, than the worse one."""
    check(data_args, training_args, model_args)
    model_args.model_name_or_path = models.find_model(str(model_args.model_name_or_path))
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model_args.model_name_or_path, revision=model_args.model_revision)
    adapters.check_targets(model_args)
    with training_args.main_process_first(desc="encoding"):
        train, evaluation = encoded(config, data_args, tokenizer, training_args)
    counts = _counts(train)
    _counts(evaluation)

    from hfllm import training

    training.prepare(training_args)
    trainer = build(model_args, training_args, tokenizer, train, evaluation)
    numbers = training.train(trainer)
    return {"data": counts, **_telling(trainer.state.log_history, numbers)}


def check(data_args: DatasetMixtureConfig, training_args: DPOConfig, model_args: ModelConfig) -> None:
    """Raises `UserMistake` for what can be seen wrong without loading anything."""
    if not model_args.model_name_or_path or not data_args.datasets:
        raise UserMistake("stage dpo: the recipe needs  model_name_or_path:  and  datasets:")
    found = mistakes(vars(data_args) | vars(training_args) | vars(model_args))
    if lines := [f"{key}: {message}" for key, message in found]:
        raise UserMistake("\n".join(lines))
    has_adapter = model_args.use_peft or models.adapter_base(model_args.model_name_or_path) is not None
    if (model_args.load_in_4bit or model_args.load_in_8bit) and not has_adapter:
        raise UserMistake("load_in_4bit, load_in_8bit: such weights are not trained themselves; add  use_peft: true")


def mistakes(values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Key and message of what is wrong with a recipe's values, taken together."""
    yield from losses.mistakes(values)
    if values.get("padding_free"):
        yield "padding_free", "TRL 1.16 warns, and goes on without it; remove it"
    if values.get("eval_strategy", "no") != "no" and not values.get("eval_datasets"):
        yield "eval_strategy", "there are no held-out pairs; add  eval_datasets:  or remove it"
    for other in ("use_peft", "precompute_ref_log_probs"):
        if values.get("sync_ref_model") and values.get(other):
            yield "sync_ref_model", f"the reference does not move with  {other}: true;  remove one of them"


CHECK_COLUMNS, CHECK = preferences.check_columns, mistakes  # asked by `hfllm check`


def encoded(
    config: PairConfig,
    data_args: DatasetMixtureConfig,
    tokenizer: PreTrainedTokenizerBase,
    training_args: DPOConfig,
) -> tuple[dict[str, Dataset], dict[str, Dataset]]:
    """Training and held-out pairs by place, as token ids; the tokenizer then knows what ends an answer."""
    templated = tokenizer.chat_template is not None or config.chat_template_path is not None
    stop = labels.prepare_template(tokenizer, config.chat_template_path, assistant_only=False) if templated else None
    read = partial(_mixture, special_tokens=untrusted.control_tokens(tokenizer), as_text=not templated)
    mixtures = [read(configs) for configs in (data_args.datasets, data_args.eval_datasets)]
    if any(labels.needs_template(rows) for mixture in mixtures for rows in mixture.values()):
        tokenizer.eos_token = stop or labels.prepare_template(tokenizer, None, assistant_only=False)
    encode = partial(
        pairs.encode,
        tokenizer=tokenizer,
        limits=labels.Limits(training_args.max_length, training_args.truncation_mode),
        num_proc=training_args.dataset_num_proc,
    )
    train, evaluation = ({place: encode(rows, place=place) for place, rows in mixture.items()} for mixture in mixtures)
    return train, evaluation


def _mixture(configs: list[DatasetConfig], special_tokens: Sequence[str], as_text: bool) -> dict[str, Dataset]:
    return data.by_place([preferences.load(config, special_tokens, as_text=as_text) for config in configs], configs)


def _counts(encoded: dict[str, Dataset]) -> dict[str, dict[str, int]]:
    """Pairs and tokens of each data set, which are printed too."""
    counts = {place: pairs.counts(rows) for place, rows in encoded.items()}
    for place, numbers in counts.items():
        if processes.is_first():
            print("{pairs:>9,} pairs {tokens:>12,} tokens {compared_tokens:>12,} compared".format(**numbers), place)
    return counts


def build(
    model_args: ModelConfig,
    training_args: DPOConfig,
    tokenizer: PreTrainedTokenizerBase,
    train: dict[str, Dataset],
    evaluation: dict[str, Dataset],
) -> PairTrainer:
    """The trainer, with the model in memory and what it is compared with: a second copy, or the adapter as it was."""
    from datasets import concatenate_datasets
    from trl import get_peft_config, get_quantization_config

    from hfllm.dpo.trainer import PairTrainer

    training_args.model_init_kwargs = {
        "revision": model_args.model_revision,
        "attn_implementation": model_args.attn_implementation,
        "dtype": model_args.dtype,
        "quantization_config": get_quantization_config(model_args),
        **(training_args.model_init_kwargs or {}),
        "use_safetensors": True,
    }
    return PairTrainer(
        model=models.trained_adapter(model_args, training_args) or model_args.model_name_or_path,
        args=training_args,
        train_dataset=concatenate_datasets(list(train.values())),
        eval_dataset=concatenate_datasets(list(evaluation.values())) if evaluation else None,
        processing_class=tokenizer,
        peft_config=get_peft_config(model_args),
    )


def _telling(log_history: list[dict[str, Any]], numbers: dict[str, Any]) -> dict[str, Any]:
    """The final numbers, with accuracy and margin of the last logged step; of the held-out pairs, loss and rewards."""
    last: dict[str, Any] = next((entry for entry in reversed(log_history) if "rewards/accuracies" in entry), {})
    shown = {key: value for key, value in last.items() if key in ("rewards/accuracies", "rewards/margins")}
    told = {key: value for key, value in numbers.items() if key.startswith("eval_rewards/") or key == "eval_loss"}
    return {key: value for key, value in numbers.items() if not key.startswith("eval_")} | shown | told


if __name__ == "__main__":
    recipe.run(main)
