"""What the model writes while it learns: the same prompts continued greedily at every evaluation, in samples.md.

Greedy, so that drawing a sample never moves the random numbers of training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback, TrainerControl, TrainerState

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainingArguments


def continuations(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: list[str], new_tokens: int
) -> list[str]:
    """What follows each prompt, at most `new_tokens` tokens, up to the end of the text."""
    batch = tokenizer(prompts, padding=True, padding_side="left", return_tensors="pt", return_token_type_ids=False)
    length = batch["input_ids"].shape[1]
    was_training = model.training
    model.eval()
    output = model.generate(
        **batch.to(model.device),
        max_new_tokens=new_tokens,
        do_sample=False,
        use_cache=True,
        pad_token_id=tokenizer.pad_token_id,
    )  # (B, length + new_tokens)
    model.train(was_training)
    return tokenizer.batch_decode(output[:, length:], skip_special_tokens=True)


class Samples(TrainerCallback):
    """Continues the prompts at every evaluation; samples.md and log.jsonl show them, newest last."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, prompts: list[str], new_tokens: int) -> None:
        self.tokenizer, self.prompts, self.new_tokens = tokenizer, prompts, new_tokens

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: PreTrainedModel,
        **_: Any,
    ) -> None:
        texts = continuations(
            model, self.tokenizer, self.prompts, self.new_tokens
        )  # on all ranks: weights may be sharded
        samples = [{"prompt": prompt, "text": text} for prompt, text in zip(self.prompts, texts, strict=True)]
        state.log_history.append({"step": state.global_step, "samples": samples})
        if state.is_world_process_zero:
            Path(args.output_dir, "samples.md").write_text(page(state.log_history), encoding="utf-8")


def page(log_history: list[dict[str, Any]]) -> str:
    """All samples of a run as Markdown, one section an evaluation."""
    lines = ["# What the model wrote while it learned", "", "The prompt in bold, then its greedy continuation."]
    for entry in log_history:
        if "samples" in entry:
            lines += ["", f"## step {entry['step']}", ""]
            lines += [f"- {bold_then(sample['prompt'], sample['text'])}" for sample in entry["samples"]]
    return "\n".join(lines) + "\n"


def bold_then(prompt: str, text: str) -> str:
    """The prompt in bold, then the text. Markdown takes no bold that ends in white space."""
    bold = prompt.rstrip()
    return f"**{one_line(bold)}**{one_line(prompt[len(bold) :] + text)}"


def one_line(text: str) -> str:
    return text.replace("\n", " ⏎ ")
