"""The peer of ppo_speed: the last PPOTrainer of TRL, 1.12, as its documentation has one use it.

    python trl_1_12_ppo.py JOB.json RESULT.json      # in an environment with trl==1.12.0

The reward has to be a sequence classifier there: a module that counts tokens poses as one."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import ppo_job  # the folder of this script is on the path; the project is not installed here
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer
from trl.experimental.ppo import PPOConfig, PPOTrainer


class Counting(torch.nn.Module):
    """What TRL takes for the body of a reward model. Its last "hidden state" is the reward, at every position."""

    def __init__(self, reward: ppo_job.EvenShare, prompt_tokens: int) -> None:
        super().__init__()
        self.reward, self.prompt_tokens = reward, prompt_tokens

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **_: Any) -> SimpleNamespace:
        rows = zip(input_ids[:, self.prompt_tokens :], attention_mask[:, self.prompt_tokens :], strict=True)
        rewards = self.reward([ids[own.bool()].tolist() for ids, own in rows])
        everywhere = torch.tensor(rewards)[:, None, None].expand(*input_ids.shape, 1)  # (B, T, 1)
        return SimpleNamespace(hidden_states=[everywhere])


class RewardModel(torch.nn.Module):
    base_model_prefix = "body"

    def __init__(self, reward: ppo_job.EvenShare, prompt_tokens: int) -> None:
        super().__init__()
        self.body = Counting(reward, prompt_tokens)
        self.score = torch.nn.Identity()


def build(job: ppo_job.Job, reward: ppo_job.EvenShare) -> PPOTrainer:
    """Each minibatch is an optimizer step here; with gradient_accumulation_steps > 1 num_mini_batches has no effect."""
    args = PPOConfig(
        output_dir=f"{job.folder}/peer",
        per_device_train_batch_size=job.completions,
        num_mini_batches=job.mini_batches,
        num_ppo_epochs=job.epochs,
        total_episodes=job.all_completions,
        response_length=job.new_tokens,
        stop_token="eos",
        temperature=1.0,
        learning_rate=job.learning_rate,
        lr_scheduler_type="constant",
        kl_coef=job.kl_coef,
        gamma=job.gamma,
        lam=job.lam,
        vf_coef=job.vf_coef,
        cliprange=job.cliprange,
        cliprange_value=job.cliprange,
        seed=job.seed,
        num_sample_generations=0,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    value_model = AutoModelForSequenceClassification.from_pretrained(job.folder, num_labels=1)
    torch.nn.init.zeros_(value_model.score.weight)  # as ours starts: a random critic would only cost it reward
    return PPOTrainer(
        args=args,
        processing_class=AutoTokenizer.from_pretrained(job.folder),
        model=AutoModelForCausalLM.from_pretrained(job.folder),
        ref_model=AutoModelForCausalLM.from_pretrained(job.folder),
        reward_model=RewardModel(reward, job.prompt_tokens),
        value_model=value_model,
        train_dataset=Dataset.from_dict({"input_ids": job.prompts()}),
    )


if __name__ == "__main__":
    ppo_job.measure(ppo_job.Job.read(sys.argv[1]), sys.argv[2], build)
