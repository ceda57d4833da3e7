"""What the two processes of test_ppo_processes.py do: FSDP2 against one process, then a PPO run with DDP.

python -m torch.distributed.run --standalone --nproc-per-node 2 tests/ppo_two_processes.py MODEL OUTPUT_DIR"""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import torch
from accelerate import FullyShardedDataParallelPlugin
from accelerate.utils.fsdp_utils import fsdp2_prepare_model
from torch import distributed
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from transformers import AutoModelForCausalLM
from trl.trainer.utils import add_fused_lm_head

from hfllm.ppo import critic
from tests import ppo_case

COMPLETION = 6  # tokens


def with_critic(folder: str, kind: str) -> torch.nn.Module:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    add_fused_lm_head(model, outputs=("log_probs", "entropy"))
    head = critic.head(model, torch.float32) if kind == "head" else critic.copied(model, torch.float32)
    torch.manual_seed(0)
    head.score.weight.data.normal_()
    head.offset.fill_(0.25)
    critic.attach(model, head)
    return model


def loss(model: torch.nn.Module, ids: torch.Tensor) -> torch.Tensor:
    labels = ids.clone()
    labels[:, :-COMPLETION] = -100
    output = model(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        labels=labels,
        fused_lm_head=True,
        values_of_last=COMPLETION,
    )
    return output.log_probs[:, -COMPLETION:].mean() + (output.state_values**2).mean()


def gradients(folder: str, kind: str, ids: torch.Tensor) -> dict[str, torch.Tensor]:
    """Of one process with the whole batch."""
    model = with_critic(folder, kind)
    loss(model, ids).backward()
    return {name: parameter.grad for name, parameter in model.named_parameters()}


def sharded(folder: str, kind: str, ids: torch.Tensor) -> torch.nn.Module:
    """After the backward pass of two processes with half the batch each; prepared as `accelerate launch` does it."""
    plugin = FullyShardedDataParallelPlugin(
        **{"fsdp_version": 2, "auto_wrap_policy": "transformer_based_wrap", "reshard_after_forward": True},
        **{"cpu_ram_efficient_loading": True, "state_dict_type": "FULL_STATE_DICT"},
    )
    accelerator = SimpleNamespace(
        **{"state": SimpleNamespace(fsdp_plugin=plugin), "device": torch.device("cpu"), "mixed_precision": "no"},
        is_main_process=distributed.get_rank() == 0,
    )
    model = fsdp2_prepare_model(accelerator, with_critic(folder, kind))
    loss(model, ids.chunk(2)[distributed.get_rank()]).backward()
    return model


def check_fsdp2(folder: str, kind: str) -> None:
    ids = torch.randint(20, 200, (4, 12), generator=torch.Generator().manual_seed(0))
    expected, model = gradients(folder, kind, ids), sharded(folder, kind, ids)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad.full_tensor(), expected[name], rtol=1e-4, atol=1e-6)
    assert expected["critic.score.weight"].norm() > 0
    state = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    if distributed.get_rank() == 0:  # the only one that full_state_dict fills
        policy, critics = critic.split(state)
        assert set(policy) == set(AutoModelForCausalLM.from_pretrained(folder).state_dict())
        assert "score.weight" in critics
        assert (kind == "head") == (len(critics) == 1)


def main() -> None:
    folder, output_dir = sys.argv[1:]
    trainer = ppo_case.build(Path(folder), Path(output_dir), **ppo_case.same_for_any_launch(batch=4))
    for kind in ("head", "separate"):
        check_fsdp2(folder, kind)
    trainer.train()
    trainer.save_model()
    assert trainer.accelerator.num_processes == 2


if __name__ == "__main__":
    main()
