"""The critic: what reward is still to come, as seen before each token is drawn. One number a token, V(s).

    critic = Critic(model.config.hidden_size)          # a value head on the policy's own trunk
    attach(model, critic)                              # model: a causal LM with TRL's fused LM head
    output = model(input_ids=..., attention_mask=..., labels=..., fused_lm_head=True, values_of_last=20)
    output.log_probs, output.state_values              # one forward pass; state_values is (B, 20)

It hangs on the causal LM, so that DDP and FSDP see one module, and is saved apart: critic.safetensors."""

from __future__ import annotations

import copy
import functools
import inspect
import json
import types
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from accelerate.utils import is_peft_model
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedTokenizerBase
from trl.trainer.utils import FusedCausalLMOutput

from hfllm.models import adapter_base
from hfllm.reward_model.scorer import merged_adapter

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from hfllm.ppo.config import PPOConfig

CRITIC = "critic"  # its name on the causal LM
FILE = "critic.safetensors"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"


@dataclass
class ScoredOutput(FusedCausalLMOutput):
    """What a forward pass gives with `values_of_last`; a declared field, or DDP takes the critic for unused.

    The field is not called `values`: DDP walks through outputs with `.values()`."""

    state_values: torch.Tensor | None = None  # (B, values_of_last)


class Critic(nn.Module):
    """V(s) of every token: a linear head, on the policy's last hidden states or on a `backbone` of its own.

    It starts at 0 everywhere. With `detach` its loss does not reach the policy's trunk."""

    def __init__(
        self, hidden_size: int, dtype: torch.dtype = torch.float32, backbone: PreTrainedModel | None = None
    ) -> None:
        super().__init__()
        self.detach = False
        self.backbone = backbone
        self.score = nn.Linear(hidden_size, 1, bias=False, dtype=dtype)
        nn.init.zeros_(self.score.weight)
        self.offset: torch.Tensor
        # added to every value. No weight, which FSDP and DeepSpeed would shard, and not of the state dict, of which
        # accelerate's FSDP2 takes every tensor for a sharded weight
        self.register_buffer("offset", torch.zeros(()), persistent=False)

    def forward(self, trunk: torch.Tensor, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Values (B, T) after each token, from the policy's hidden states (B, T, H) or from its `inputs`."""
        if self.backbone is not None:
            hidden = self.backbone(**_readable(self.backbone, inputs), use_cache=False).last_hidden_state
        else:
            hidden = trunk.detach() if self.detach else trunk
        weight = self.score.weight
        with torch.autocast(weight.device.type, enabled=False):  # bf16 would round the values to 3 digits
            values = nn.functional.linear(hidden.to(weight.device).float(), weight.float()).squeeze(-1)
        return values + self.offset


def attach(causal_lm: PreTrainedModel, critic: Critic) -> None:
    """Hang the critic on a causal LM and let its forward take `values_of_last`: of how many tokens at the end.

    V of token t is read at the position that predicts t. The method is replaced on the instance, as TRL does for the
    fused LM head, since PEFT calls `model.forward` directly: a hook on the causal LM itself would not be called."""
    causal_lm.add_module(CRITIC, critic)
    inner = causal_lm.forward

    @functools.wraps(type(causal_lm).forward)  # `generate` reads the signature
    def forward(self: Any, *args: Any, values_of_last: int | None = None, **inputs: Any) -> Any:
        if values_of_last is None:
            return inner(*args, **inputs)
        with _last_hidden_states(self) as seen:
            output = inner(*args, **inputs)
        values = self.get_submodule(CRITIC)(seen[-1], inputs)
        return ScoredOutput(**output, state_values=values[:, -values_of_last - 1 : -1])

    causal_lm.forward = types.MethodType(forward, causal_lm)


@contextmanager
def _last_hidden_states(causal_lm: PreTrainedModel) -> Iterator[list[torch.Tensor]]:
    """Collects the last hidden states (B, T, H) of the trunk at each call."""
    seen: list[torch.Tensor] = []
    hook = causal_lm.base_model.register_forward_hook(lambda _, __, output: seen.append(output.last_hidden_state))
    try:
        yield seen
    finally:
        hook.remove()


def reading_values(model: Callable[..., Any], count: int, read: list[torch.Tensor]) -> Callable[..., Any]:
    """`model`, which also reckons the values of the last `count` tokens and appends them (B, count) to `read`."""

    def scorer(**inputs: Any) -> Any:
        output = model(**inputs, values_of_last=count)
        read.append(output.state_values)
        return output

    return scorer


def new(policy: PreTrainedModel, args: PPOConfig, tokenizer: Any) -> Critic:
    """The critic that the settings ask for, for a policy (a causal LM or PeftModel) with this tokenizer (or processor).

    FSDP2 shards weights of one dtype together, so it has the dtype of the policy's weights that learn."""
    dtype = next(parameter.dtype for parameter in policy.parameters() if parameter.requires_grad)
    if args.critic == "head":
        return head(policy, dtype)
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        raise ValueError("critic: separate reads text only; with images write  critic: head")
    if args.critic_model_name_or_path is None:
        return copied(policy, dtype)
    return from_reward_model(args.critic_model_name_or_path, tokenizer, dtype, policy.device)


def head(causal_lm: PreTrainedModel, dtype: torch.dtype) -> Critic:
    """A value head for the policy's own trunk."""
    return Critic(causal_lm.config.get_text_config().hidden_size, dtype).to(causal_lm.device)


def copied(policy: PreTrainedModel, dtype: torch.dtype) -> Critic:
    """A separate critic that starts with the policy's own trunk; an adapter is merged into its copy.

    Raises ValueError for a quantised policy, whose weights cannot be trained."""
    if not all(parameter.is_floating_point() for parameter in policy.parameters()):
        raise ValueError(
            "critic: separate: the policy's weights are quantised and cannot be trained as a critic; name a model that "
            "is not:  critic_model_name_or_path"
        )
    if is_peft_model(policy):
        backbone = copy.deepcopy(policy).merge_and_unload().base_model
    else:
        backbone = copy.deepcopy(policy.base_model)
    return _separate(backbone, dtype).to(policy.device)


def from_reward_model(
    name: str, tokenizer: PreTrainedTokenizerBase, dtype: torch.dtype, device: torch.device
) -> Critic:
    """A separate critic that starts as a reward model (InstructGPT, arXiv 2203.02155, C.4): trunk and score.

    `name` is a folder or Hub id of a sequence classification model with one label, or of an adapter for one. Raises
    ValueError when it reads other token ids than the policy writes."""
    ours, theirs = tokenizer.get_vocab(), AutoTokenizer.from_pretrained(name).get_vocab()
    if other := [token for token, number in ours.items() if theirs.get(token) != number]:
        raise ValueError(
            f"critic_model_name_or_path: {name} has other token ids than the policy ({len(other):,} differ, "
            f"{other[0]!r} the first of them), so that it cannot read what the policy writes.\n"
            "  to mend it: a reward model with the policy's tokenizer, or leave it out:  critic: separate"
        )
    options = {"num_labels": 1, "dtype": dtype, "use_safetensors": True}
    if adapter_base(name) is None:
        reward_model = AutoModelForSequenceClassification.from_pretrained(name, **options)
    else:
        reward_model = merged_adapter(name, **options)
    critic = _separate(reward_model.base_model, dtype)
    critic.score.load_state_dict({"weight": reward_model.score.weight})
    return critic.to(device)


def _separate(backbone: PreTrainedModel, dtype: torch.dtype) -> Critic:
    backbone.requires_grad_(True)
    return Critic(backbone.config.get_text_config().hidden_size, dtype, backbone.to(dtype))


def _readable(backbone: PreTrainedModel, inputs: dict[str, Any]) -> dict[str, Any]:
    """Of the policy's inputs those that a text model reads; not all take positions."""
    taken = inspect.signature(type(backbone).forward).parameters
    names = ("input_ids", "attention_mask", "position_ids")
    return {name: inputs[name] for name in names if name in inputs and name in taken}


def is_critics(name: str) -> bool:
    """Whether a parameter of this name, however wrapped, is the critic's: base_model.model.critic.score.weight."""
    return f".{CRITIC}." in f".{name}"


def split(state: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The policy's part of a state dict as it stands, and the critic's under its own names (score.weight)."""
    policy = {name: value for name, value in state.items() if not is_critics(name)}
    critic = {f".{name}".split(f".{CRITIC}.", 1)[1]: value for name, value in state.items() if is_critics(name)}
    return policy, critic


def without_critic(parameters: Callable[[], Iterable[tuple[str, Any]]]) -> Callable[[], Iterable[tuple[str, Any]]]:
    """What an inference engine is sent: the policy's (name, weight) pairs only."""
    return lambda: ((name, weight) for name, weight in parameters() if not is_critics(name))


def save(state: dict[str, torch.Tensor], offset: torch.Tensor, folder: Path) -> None:
    """Write critic.safetensors, and an index that says which file the model itself is in.

    vLLM and SGLang read every *.safetensors of a folder that has no index, and would choke on the critic."""
    tensors = {**state, "offset": offset.float()}
    save_file({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, folder / FILE)
    weights = folder / WEIGHTS
    if weights.is_file():
        with safe_open(weights, framework="pt") as file:
            index = {"metadata": {}, "weight_map": dict.fromkeys(sorted(file.keys()), WEIGHTS)}
        (folder / INDEX).write_text(json.dumps(index, indent=1))


def load(critic: Critic, folder: Path) -> None:
    """Read critic.safetensors."""
    state = load_file(folder / FILE)
    critic.offset.copy_(state.pop("offset"))
    critic.load_state_dict(state)


def set_learning_rate(optimizer: torch.optim.Optimizer, parameters: Iterable[nn.Parameter], rate: float) -> None:
    """Give `parameters` groups of their own with this learning rate, and else the settings that they had."""
    chosen = {id(parameter) for parameter in parameters}
    for group in list(optimizer.param_groups):
        theirs = [parameter for parameter in group["params"] if id(parameter) in chosen]
        if theirs:
            group["params"] = [parameter for parameter in group["params"] if id(parameter) not in chosen]
            optimizer.add_param_group({**group, "params": theirs, "lr": rate})
