"""Reward models: how well do people like an answer? Training them, judging them, and asking them for scores.

from hfllm.reward_model import RewardModel

judge = RewardModel("runs/tiny/reward")       # a folder or a Hub id; an adapter or an ensemble too
judge.scores([[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}]])"""

from hfllm.reward_model.scorer import RewardModel as RewardModel
