"""How likely did the policy of step 0 find these completions? The distance of a run is measured from there.

    score = initial.scorer(trainer)      # before training: score(ids, mask, width) -> (B, width) log-probabilities

The policy of step 0 is the reference model where training has one, the base model without its adapter where an adapter
was made for this run, an adapter's first weights where one goes on, and otherwise a frozen copy, loaded again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from accelerate.utils import is_peft_model
from trl.models import prepare_deepspeed, prepare_fsdp
from trl.trainer.utils import (
    add_fused_lm_head,
    create_model_from_path,
    disable_dropout_in_model,
    get_config_model_id,
    use_adapter,
)

from hfllm.errors import UserMistake
from hfllm.grpo.trainer import PracticeTrainer

if TYPE_CHECKING:
    from peft import PeftModel

Scorer = Callable[[torch.Tensor, torch.Tensor, int], torch.Tensor]
REFERENCE = "ref"  # TRL's name for the copy of an adapter that goes on, made when there is a KL


def scorer(trainer: PracticeTrainer) -> Scorer:
    """Call it before the first step, and before a checkpoint is loaded."""
    if is_peft_model(trainer.model):
        return partial(_score, trainer, trainer.model, initial_adapter(trainer))
    keeps_reference = trainer.ref_model is not None and not trainer.args.sync_ref_model
    return partial(_score, trainer, trainer.ref_model if keeps_reference else frozen_copy(trainer), nullcontext)


def _score(
    trainer: PracticeTrainer,
    model: Any,
    as_it_was: Callable[[], AbstractContextManager[None]],
    ids: torch.Tensor,
    mask: torch.Tensor,
    width: int,
) -> torch.Tensor:
    with as_it_was():
        logps, _ = score(trainer, model, ids, mask, width)
    return logps


def score(
    trainer: PracticeTrainer, model: Any, ids: torch.Tensor, mask: torch.Tensor, width: int, *, entropy: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities (B, width) of the last `width` of the tokens `ids` (B, T), and entropies if asked for.

    Without gradients, and without what subclasses of the trainer add to their scoring, such as values."""
    with torch.no_grad():
        logps, entropies, _ = PracticeTrainer._get_per_token_logps_and_entropies(
            trainer,
            model,
            ids,
            mask,
            width,
            batch_size=trainer.args.per_device_eval_batch_size,
            compute_entropy=entropy,
        )
    return logps, entropies


def initial_adapter(trainer: PracticeTrainer) -> Callable[[], AbstractContextManager[None]]:
    """A context in which the model's adapter is as it was at step 0."""
    model: PeftModel = trainer.accelerator.unwrap_model(trainer.model)
    if REFERENCE in model.peft_config:
        return partial(use_adapter, model, REFERENCE)
    if all(not parameter.any() for name, parameter in model.named_parameters() if "lora_B" in name):
        return partial(use_adapter, model, None)  # a new adapter changes nothing yet
    if trainer.is_fsdp_enabled:
        raise UserMistake(
            "watch: under FSDP the first weights of an adapter that goes on are kept only when there is a KL; write a\n"
            "  small  kl_coef:  (stage ppo) or  beta:  (stage grpo), such as 0.001"
        )
    first = {name: parameter.detach().clone() for name, parameter in model.named_parameters() if _is_adapter(name)}
    return partial(_put_in, model, first)


@contextmanager
def _put_in(model: PeftModel, weights: dict[str, torch.Tensor]) -> Iterator[None]:
    """The adapter has these `weights` for a while."""
    parameters = {name: parameter for name, parameter in model.named_parameters() if name in weights}
    now = {name: parameter.data for name, parameter in parameters.items()}
    for name, parameter in parameters.items():
        parameter.data = weights[name].to(parameter.device)
    try:
        yield
    finally:
        for name, parameter in parameters.items():
            parameter.data = now[name]


def _is_adapter(name: str) -> bool:
    return ".default." in name  # PEFT's name for the one that is trained


def frozen_copy(trainer: PracticeTrainer) -> Any:
    """The policy loaded once more from where it came, as TRL loads a reference model."""
    args = trainer.args
    options = {
        "dtype": trainer.model.dtype,
        "attn_implementation": trainer.model.config._attn_implementation,
        **{key: value for key, value in (args.model_init_kwargs or {}).items() if value is not None},
    }
    if trainer.accelerator.num_processes > 1:
        options["device_map"] = None  # "auto" would spread it over the GPUs of the other processes
    model = create_model_from_path(get_config_model_id(trainer.model.config), **options)
    disable_dropout_in_model(model)
    add_fused_lm_head(model, temperature=trainer.temperature, cast_lm_head_to_fp32=args.cast_lm_head_to_fp32)
    if trainer.is_deepspeed_enabled:
        return prepare_deepspeed(model, trainer.accelerator)
    if trainer.is_fsdp_enabled:
        return prepare_fsdp(model, trainer.accelerator)
    return trainer.accelerator.prepare_model(model, evaluation_mode=True)
