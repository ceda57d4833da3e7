"""Our side of ppo_speed.

python hfllm_ppo.py JOB.json RESULT.json"""

from __future__ import annotations

import sys

import ppo_job
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer

from hfllm.ppo import PPOConfig, PPOTrainer


def build(job: ppo_job.Job, reward: ppo_job.EvenShare) -> PPOTrainer:
    args = PPOConfig(
        output_dir=f"{job.folder}/ours",
        per_device_train_batch_size=job.mini_batch,
        num_mini_batches=job.mini_batches,
        num_ppo_epochs=job.epochs,
        max_steps=job.rollouts * job.epochs * job.mini_batches,
        max_completion_length=job.new_tokens,
        temperature=1.0,
        learning_rate=job.learning_rate,
        lr_scheduler_type="constant",
        kl_coef=job.kl_coef,
        gamma=job.gamma,
        lam=job.lam,
        vf_coef=job.vf_coef,
        epsilon=job.cliprange,
        cliprange_value=job.cliprange,
        critic=job.critic,
        seed=job.seed,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    tokenizer = AutoTokenizer.from_pretrained(job.folder)
    return PPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(job.folder),
        args=args,
        reward_funcs=reward,
        train_dataset=Dataset.from_dict({"prompt": [tokenizer.decode(ids) for ids in job.prompts()]}),
        processing_class=tokenizer,
    )


if __name__ == "__main__":
    ppo_job.measure(ppo_job.Job.read(sys.argv[1]), sys.argv[2], build)
