"""Proximal policy optimisation (PPO) of language models on top of TRL's GRPOTrainer.

    from datasets import Dataset
    from hfllm.ppo import PPOConfig, PPOTrainer

    def short(completions, **columns):                      # or the folder of a reward model, or a list of both
        return [-len(completion) / 100 for completion in completions]

    trainer = PPOTrainer(
        model="Qwen/Qwen3-0.6B",
        reward_funcs=[short, "runs/reward"],
        args=PPOConfig("runs/ppo", reward_weights=[1.0, 0.5], kl_coef=0.05, critic_learning_rate=1e-5),
        train_dataset=Dataset.from_dict({"prompt": ["Tell me a joke.", "Where is Rome?"] * 500}),
    )
    trainer.train()

It can be used without the rest of hfllm: no recipe, no stage."""

from hfllm.ppo.config import PPOConfig
from hfllm.ppo.trainer import PPOTrainer

__all__ = ["PPOConfig", "PPOTrainer"]
