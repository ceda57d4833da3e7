"""How fast does training go, and how fast could it go? Tokens a second and model FLOPs utilisation (MFU) in the log.

FLOPs a token: 6 N + 12 L d T, with N the parameters that take part in matrix products, L layers, d the width of all
heads together and T the row length (PaLM, arXiv 2204.02311, appendix B). The peak is a data sheet's number for known
GPUs (dense, bf16) and one measured matrix product on a CPU."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState

if TYPE_CHECKING:
    from transformers import PreTrainedModel, TrainingArguments

# Dense bf16 (V100, T4: fp16) FLOP/s with fp32 accumulation, makers' data sheets; the first name that fits counts
GPU_PEAK_FLOPS = {
    "B200": 2250e12,
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "A100": 312e12,
    "A10G": 70e12,
    "L40S": 362e12,
    "L4": 121e12,
    "MI300X": 1307e12,
    "RTX 4090": 165e12,
    "RTX 3090": 71e12,
    "V100": 125e12,
    "T4": 65e12,
}
MATMUL_SIZE, MATMUL_TIMES = 1024, 10  # a third of a second; the best one counts, as other programs may be running


@dataclass(frozen=True)
class Peak:
    """The FLOP/s of one device, None when unknown, and where the number is from."""

    flops: float | None
    source: str


def device_peak() -> Peak:
    """Of the GPU that torch uses, else of this CPU."""
    if not torch.cuda.is_available():
        return Peak(measured_cpu_flops(), f"one fp32 matrix product on this CPU, {torch.get_num_threads()} thread(s)")
    name = torch.cuda.get_device_name()
    for part, flops in GPU_PEAK_FLOPS.items():
        if part in name:
            return Peak(flops, f"data sheet of {name}, dense bf16")
    return Peak(None, f"{name} is not in the table of hfllm/pretraining/speed.py")


def measured_cpu_flops() -> float:
    """The best of a few products of two square matrices: 2 n^3 operations each."""
    matrix = torch.randn(MATMUL_SIZE, MATMUL_SIZE)
    seconds = []
    for _ in range(MATMUL_TIMES):
        started = time.perf_counter()
        matrix @ matrix
        seconds.append(time.perf_counter() - started)
    return 2 * MATMUL_SIZE**3 / min(seconds)


def flops_per_token(model: PreTrainedModel, block_size: int) -> float:
    """Forward and backward of one token; an embedding table counts when it is also the output head, else not at all."""
    config = model.config
    parameters = sum(parameter.numel() for parameter in model.parameters())
    tables = {
        id(module.weight): module.weight.numel() for module in model.modules() if isinstance(module, nn.Embedding)
    }
    looked_up = sum(size for weight, size in tables.items() if weight != id(model.get_output_embeddings().weight))
    heads = config.num_attention_heads
    width = heads * (config.to_dict().get("head_dim") or config.hidden_size // heads)
    return 6 * (parameters - looked_up) + 12 * config.num_hidden_layers * width * block_size


class EvenTrainer(Trainer):
    """A Trainer for rows of one length: their FLOPs are known, where upstream walks over all parameters each step."""

    def __init__(self, *args: Any, flops_per_token: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.flops_per_token = flops_per_token

    def floating_point_ops(self, inputs: dict[str, torch.Tensor]) -> int:
        return int(self.flops_per_token * inputs["input_ids"].numel())


class Speedometer(TrainerCallback):
    """Adds `tokens`, `tokens_per_second` (all processes) and `mfu` to each logged training step.

    Evaluation and saving do not count: the clock starts anew after them."""

    def __init__(self, tokens_per_step: int, flops_per_token: float, peak: Peak, processes: int) -> None:
        self.tokens_per_step, self.flops_per_token = tokens_per_step, flops_per_token
        self.peak, self.processes = peak, processes
        self.rates: list[float] = []  # tokens a second, one a log line

    def restart(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.step, self.time = state.global_step, time.perf_counter()

    on_train_begin = on_evaluate = on_save = restart

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, Any], **_: Any
    ) -> None:
        if "loss" not in logs or state.global_step == self.step:
            return
        rate = (state.global_step - self.step) * self.tokens_per_step / (time.perf_counter() - self.time)
        self.rates.append(rate)
        extra: dict[str, Any] = {"tokens": state.global_step * self.tokens_per_step, "tokens_per_second": round(rate)}
        if (mfu := self.mfu(rate)) is not None:
            extra["mfu"] = mfu
        logs.update(extra)  # for the trackers of report_to
        state.log_history[-1].update(extra)  # for log.jsonl and checkpoints
        self.restart(args, state, control)

    def mfu(self, rate: float) -> float | None:
        """Share of the peak of all devices that `rate` tokens a second use; None when the peak is unknown."""
        return (
            None
            if self.peak.flops is None
            else round(rate * self.flops_per_token / (self.peak.flops * self.processes), 4)
        )

    def numbers(self) -> dict[str, Any]:
        """For the receipt: the rate of the middle log line, its MFU, of what peak; empty when nothing was logged."""
        if not self.rates:
            return {}
        rate = sorted(self.rates)[len(self.rates) // 2]
        return {"tokens_per_second": round(rate), "mfu": self.mfu(rate), "mfu_of": self.peak.source}
