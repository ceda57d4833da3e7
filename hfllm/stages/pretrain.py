"""Pretraining: learn to predict the next token of plain text, from random weights or on from a checkpoint.

    accelerate launch -m hfllm.stages.pretrain recipes/tiny/pretrain.yaml

Reads data sets with a `text` column and a tokenizer. Writes a model folder to `output_dir`, with log.jsonl, loss.png,
samples.md and checkpoints, and the text as token ids to `shards_dir`. Cut off, the same command goes on exactly."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hfllm import data, models, recipe
from hfllm.data import DatasetMixtureConfig
from hfllm.errors import UserMistake
from hfllm.pretraining import loss_curve

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase, Trainer, TrainingArguments

    from hfllm.pretraining.budget import Budget
    from hfllm.pretraining.corpus import Corpus
    from hfllm.pretraining.packing import TokenBlocks
    from hfllm.pretraining.speed import Speedometer

CHECK_COLUMNS = data.check_text_column


@dataclass
class PretrainConfig:
    """What pretraining needs beyond the data sets and the arguments of the Trainer."""

    tokenizer_name_or_path: str = field(metadata={"help": "The tokenizer: a folder or a Hub id."})
    model_config: dict[str, Any] | None = field(
        default=None,
        metadata={
            "help": "A new model: model_type and its configuration; the vocabulary is filled in from the tokenizer."
        },
    )
    model_name_or_path: str | None = field(
        default=None, metadata={"help": "A model to go on from, instead of model_config."}
    )
    block_size: int = field(default=1024, metadata={"help": "Tokens in a training row."})
    packing: Literal["concat", "best_fit", "split"] = field(
        default="concat",
        metadata={
            "help": "How documents fill rows: concat cuts anywhere, best_fit starts rows with a document and crops, "
            "split cuts long documents only and pads."
        },
    )
    mask_documents: bool = field(default=False, metadata={"help": "Let a token see its own document only."})
    held_out_share: float = field(
        default=0.01,
        metadata={"help": "Share of the documents held out, by a hash of the text, where there are no eval_datasets."},
    )
    muon_learning_rate: float | None = field(
        default=None,
        metadata={
            "help": "Learning rate of Muon on the hidden matrices, AdamW on the rest; null: `optim` on everything."
        },
    )
    decay_share: float = field(
        default=0.2, metadata={"help": "Share of the steps in which warmup_stable_decay lets the learning rate decay."}
    )
    sample_prompts: list[str] = field(
        default_factory=list, metadata={"help": "Prompts to continue at every evaluation."}
    )
    sample_tokens: int = field(default=40, metadata={"help": "Length of those continuations in tokens."})
    shards_dir: str | None = field(
        default=None,
        metadata={
            "help": "Where the text lies as token ids, used again while text and tokenizer are the same; "
            "null: OUTPUT_DIR.shards."
        },
    )
    threads: int | None = field(default=None, metadata={"help": "CPU threads; null: as many as cores are idle."})


def main(config: PretrainConfig, data_args: DatasetMixtureConfig, training_args: TrainingArguments) -> dict[str, Any]:
    """Train the model of the recipe on `datasets`; returns its size, the tokens seen, losses and speed."""
    check(config, data_args)
    from transformers import AutoTokenizer, set_seed

    from hfllm import training
    from hfllm.pretraining import corpus
    from hfllm.pretraining.budget import Budget
    from hfllm.tokenizing import bpe

    training.prepare(training_args, config.threads)
    bpe.load(config.tokenizer_name_or_path)  # says what is wrong with the path in fewer words than AutoTokenizer
    tokenizer = AutoTokenizer.from_pretrained(config.tokenizer_name_or_path)
    model_config = model_configuration(config, tokenizer)
    folder = Path(config.shards_dir or f"{training_args.output_dir.rstrip('/')}.shards")
    name = config.tokenizer_name_or_path
    text = corpus.prepare(folder, data_args, config.held_out_share, tokenizer, name, training_args)
    train_rows, heldout_rows = rows(config, text, tokenizer)
    budget = Budget.of(len(train_rows), config.block_size, training_args)
    if training_args.process_index == 0:
        print(text.summary(), train_rows.summary(), budget.summary(), sep="\n", flush=True)
    set_seed(training_args.seed)  # every process draws the same first weights
    model = build_model(config, model_config)
    set_schedule(config, training_args, budget)
    speed = speedometer(model, budget, training_args)
    trainer = build_trainer(config, training_args, tokenizer, model, train_rows, heldout_rows, speed)
    numbers = training.train(trainer)
    if training_args.process_index == 0:
        loss_curve.draw(Path(training_args.output_dir), text.bytes_per_token, budget.tokens_per_step)
    return {"parameters": model.num_parameters(), "tokens": budget.tokens, **numbers, **speed.numbers()}


def check(config: PretrainConfig, data_args: DatasetMixtureConfig) -> None:
    """What can be seen wrong without loading anything."""
    if (config.model_config is None) == (config.model_name_or_path is None):
        raise UserMistake(
            "give one of   model_config: {model_type: qwen3, hidden_size: 96, ...}   for a new model\n"
            "       and   model_name_or_path: runs/tiny/pretrain   to go on with a trained one."
        )
    if not data_args.datasets:
        raise UserMistake("datasets: pretraining needs text; write for instance   datasets: [{path: texts.jsonl}]")
    if not 0 <= config.held_out_share < 1:
        raise UserMistake(
            f"held_out_share: {config.held_out_share} is no share of the documents; write for instance 0.01"
        )
    if not 0 < config.decay_share <= 1:
        raise UserMistake(f"decay_share: {config.decay_share} is no share of the steps; write for instance 0.2")
    if config.model_name_or_path is not None:
        config.model_name_or_path = models.find_model(config.model_name_or_path)


def model_configuration(config: PretrainConfig, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
    """The configuration of the model to train, checked against the tokenizer."""
    from transformers import AutoConfig

    from hfllm.pretraining import fresh_model
    from hfllm.tokenizing import bpe

    if config.model_config is not None:
        made = fresh_model.config(config.model_config, tokenizer, config.block_size)
    else:
        made = AutoConfig.from_pretrained(config.model_name_or_path)
        fresh_model.check_positions(made, config.block_size)
    if made.vocab_size < len(tokenizer):
        raise UserMistake(
            f"the tokenizer {config.tokenizer_name_or_path} has {len(tokenizer):,} tokens, but the model "
            f"{config.model_name_or_path} was made for {made.vocab_size:,}.\n"
            f"  to mend it:   tokenizer_name_or_path: {config.model_name_or_path}"
        )
    if Path(config.tokenizer_name_or_path).is_dir():
        bpe.check_reload(config.tokenizer_name_or_path, made.model_type, config.sample_prompts)
    return made


def rows(
    config: PretrainConfig, text: Corpus, tokenizer: PreTrainedTokenizerBase
) -> tuple[TokenBlocks, TokenBlocks | None]:
    """The training rows, packed as the recipe says, and the held-out rows, where every token counts once."""
    from hfllm.pretraining.packing import TokenBlocks

    pad = tokenizer.pad_token_id or 0
    train = TokenBlocks(text.train, config.packing, config.block_size, config.mask_documents, pad)
    if text.heldout is None:
        return train, None
    return train, TokenBlocks(text.heldout, "concat", config.block_size, config.mask_documents, pad)


def build_model(config: PretrainConfig, model_config: PreTrainedConfig) -> PreTrainedModel:
    """Random weights, or those of `model_name_or_path`, in float32."""
    import torch
    from transformers import AutoModelForCausalLM

    from hfllm.pretraining import fresh_model

    if config.model_name_or_path is None:
        return fresh_model.build(model_config)
    return AutoModelForCausalLM.from_pretrained(config.model_name_or_path, dtype=torch.float32, use_safetensors=True)


def set_schedule(config: PretrainConfig, args: TrainingArguments, budget: Budget) -> None:
    """warmup_stable_decay asks for its decay phase in steps; the recipe gives a share."""
    from hfllm.pretraining.optimizer import wsd_kwargs

    if args.lr_scheduler_type == "warmup_stable_decay":
        args.lr_scheduler_kwargs = wsd_kwargs(args.lr_scheduler_kwargs, config.decay_share, budget.steps)


def speedometer(model: PreTrainedModel, budget: Budget, args: TrainingArguments) -> Speedometer:
    """What measures tokens a second and MFU; says the sizes it reckons with."""
    from hfllm.pretraining import speed

    peak, flops = speed.device_peak(), speed.flops_per_token(model, budget.block_size)
    if args.process_index == 0:
        shown = "unknown" if peak.flops is None else f"{peak.flops / 1e12:.3g} TFLOP/s"
        print(f"model: {model.num_parameters():,} parameters, {flops / 1e6:.3g} MFLOPs a token")
        print(f"peak: {shown} ({peak.source})", flush=True)
    return speed.Speedometer(budget.tokens_per_step, flops, peak, args.world_size)


def build_trainer(
    config: PretrainConfig,
    args: TrainingArguments,
    tokenizer: PreTrainedTokenizerBase,
    model: PreTrainedModel,
    train_rows: TokenBlocks,
    heldout_rows: TokenBlocks | None,
    speed: Speedometer,
) -> Trainer:
    """The Trainer with our measures, samples and optimizer."""
    from transformers import default_data_collator

    from hfllm.pretraining import heldout, optimizer, samples
    from hfllm.pretraining.speed import EvenTrainer
    from hfllm.tokenizing import bpe

    muon = {"args": args, "muon_learning_rate": config.muon_learning_rate}
    trainer = EvenTrainer(
        model=model,
        args=args,
        train_dataset=train_rows,
        eval_dataset=heldout_rows,
        data_collator=default_data_collator,
        processing_class=tokenizer,
        optimizer_cls_and_kwargs=(optimizer.muon_factory, muon) if config.muon_learning_rate else None,
        preprocess_logits_for_metrics=heldout.nats,
        compute_metrics=heldout.BitsPerByte(bpe.token_bytes(config.tokenizer_name_or_path)),
        callbacks=[speed],
        flops_per_token=speed.flops_per_token,
    )
    if config.sample_prompts:
        trainer.add_callback(samples.Samples(tokenizer, config.sample_prompts, config.sample_tokens))
    return trainer


if __name__ == "__main__":
    recipe.run(main)
