"""The settings of PPO: TRL's GRPOConfig, with a critic and a KL penalty, without what only groups need."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from accelerate.utils import is_peft_model
from trl import GRPOConfig

from hfllm import processes
from hfllm.ppo.sampling import DISTORTING

UNDISTORTED = "completions must be drawn from the very distribution whose log-probabilities are scored; remove it"
# what PPO does not leave open: settings of GRPOConfig that would have no effect here or would break the algorithm
FIXED: dict[str, tuple[Any, str]] = {
    "scale_rewards": ("group", "there are no groups: advantages are whitened over the whole generation"),
    "multi_objective_aggregation": ("sum_then_normalize", "rewards are summed by their weights"),
    "off_policy_mask_threshold": (None, "it needs one advantage for a whole completion; PPO has one for each token"),
    "sync_ref_model": (False, "the KL is measured from the initial policy, which stays as it was"),
    "disable_dropout": (True, "with dropout the probability ratio is not 1 before the first step"),
    "top_p": (1.0, UNDISTORTED),
    "top_k": (0, UNDISTORTED),
    "min_p": (None, UNDISTORTED),
    "repetition_penalty": (1.0, UNDISTORTED),
}
# fields that must lie between 0 and 1, and those that must be above 0, where they are not None
SHARES = ("gamma", "lam", "critic_lam")
POSITIVE = (
    *("num_generations", "num_ppo_epochs", "num_mini_batches", "temperature", "kl_target", "kl_horizon"),
    *("length_adaptive_alpha", "cliprange_value", "critic_learning_rate"),
)


@dataclass
class PPOConfig(GRPOConfig):
    """Settings of `PPOTrainer`; every setting of GRPOConfig that has a meaning for PPO keeps it.

    One generation gives `per_device_train_batch_size x devices x gradient_accumulation_steps x num_mini_batches`
    completions. They are used for `num_ppo_epochs` epochs of `num_mini_batches` optimizer steps each.

        PPOConfig("out", per_device_train_batch_size=8, num_mini_batches=4, num_ppo_epochs=2)
        # one device: 32 completions a generation, 8 optimizer steps on them

    Of GRPOConfig: `epsilon` is the clip range of the policy, `temperature` that of sampling and scoring,
    `max_completion_length` the room of an answer (tokens), `max_grad_norm` clips gradients (1.0), `reward_weights`
    weighs several rewards. Raises ValueError for settings that PPO cannot follow, with what to write instead."""

    disable_dropout: bool = field(
        default=True, metadata={"help": "Dropout off in policy, reference and critic; PPO needs it."}
    )
    num_generations: int = field(
        default=1, metadata={"help": "Completions of each prompt; the critic is the baseline, so one is enough."}
    )
    num_generations_eval: int | None = field(
        default=None, metadata={"help": "Completions of each prompt at an evaluation; null: num_generations."}
    )
    num_iterations: int | None = field(
        default=None, metadata={"help": "Set by num_ppo_epochs, which is the name of it here."}
    )
    num_ppo_epochs: int = field(
        default=4, metadata={"help": "How often the completions of one generation are learned from."}
    )
    num_mini_batches: int = field(
        default=1, metadata={"help": "Optimizer steps of one such epoch: into so many parts a generation is split."}
    )
    kl_coef: float = field(
        default=0.05,
        metadata={
            "help": "What a nat of divergence from the initial policy costs, in units of the reward (k1 estimator, "
            "token by token). 0: no reference model is kept."
        },
    )
    kl_target: float | None = field(
        default=None,
        metadata={
            "help": "Nats a completion that kl_coef is steered to (Ziegler, 1909.08593, 2.2); null: kl_coef stays."
        },
    )
    kl_horizon: int = field(
        default=10_000, metadata={"help": "Completions over which a steered kl_coef changes by a fifth at most."}
    )
    gamma: float = field(default=1.0, metadata={"help": "Discount of later rewards, for each token."})
    lam: float = field(
        default=0.95, metadata={"help": "Lambda of generalised advantage estimation (1506.02438): 1 trusts no critic."}
    )
    critic_lam: float | None = field(
        default=None,
        metadata={"help": "Another lambda for what the critic learns, 1.0 in VC-PPO (2503.01491); null: lam."},
    )
    length_adaptive_alpha: float | None = field(
        default=None,
        metadata={
            "help": "Instead of lam 1 - 1 / (alpha x length) for each completion of `length` tokens (VAPO, "
            "2504.05118: 0.05); null: lam."
        },
    )
    vf_coef: float = field(default=0.1, metadata={"help": "Weight of the critic's loss beside the policy's."})
    cliprange_value: float | None = field(
        default=0.2, metadata={"help": "How far the critic may move from its estimate at generation; null: freely."}
    )
    critic: Literal["head", "separate"] = field(
        default="head",
        metadata={"help": "A value head on the policy's own trunk, or a separate model of the same size."},
    )
    critic_model_name_or_path: str | None = field(
        default=None,
        metadata={"help": "What a separate critic starts from: a reward model's folder. null: the policy's own base."},
    )
    detach_critic: bool = field(
        default=False, metadata={"help": "The critic's loss trains the value head only, not the policy's trunk."}
    )
    critic_learning_rate: float | None = field(
        default=None, metadata={"help": "Of the critic's own weights; null: learning_rate. Same schedule."}
    )
    critic_warmup_steps: int = field(
        default=0, metadata={"help": "First optimizer steps in which only the critic's own weights learn."}
    )
    missing_eos_penalty: float | None = field(
        default=None, metadata={"help": "Taken off the reward of a completion that does not end by itself."}
    )

    def __post_init__(self) -> None:
        self._check()
        steps = self.num_mini_batches * self.gradient_accumulation_steps
        self._refuse_other("num_iterations", self.num_ppo_epochs, "write  num_ppo_epochs")
        self._refuse_other("steps_per_generation", steps, "write  num_mini_batches")
        self._refuse_other("generation_batch_size", None, "write  num_mini_batches")
        self.num_iterations, self.steps_per_generation = self.num_ppo_epochs, steps
        generations = self.num_generations
        if self.num_generations_eval is None:
            self.num_generations_eval = generations
        if generations == 1:
            self.num_generations = self._a_group()
        super().__post_init__()
        self.num_generations = generations
        self.beta = self.kl_coef  # GRPOTrainer keeps a reference model where beta is not 0
        if distorting := sorted(DISTORTING & set(self.generation_kwargs or {})):
            raise ValueError(f"generation_kwargs: {', '.join(distorting)}: {UNDISTORTED}")

    def _a_group(self) -> int:
        """A number of completions that GRPOConfig's checks accept as a group where PPO asks for one completion each."""
        of_a_device = self.per_device_train_batch_size * self.num_mini_batches * self.gradient_accumulation_steps
        whole = of_a_device if of_a_device > 1 else processes.count()
        if whole < 2:
            raise ValueError(
                "one completion a generation is no batch to learn from: raise  per_device_train_batch_size,  "
                "gradient_accumulation_steps  or  num_mini_batches"
            )
        return whole

    def _refuse_other(self, name: str, value: int | None, advice: str) -> None:
        if getattr(self, name) not in (None, value):
            raise ValueError(f"{name}: {getattr(self, name)} is not {value}, which the keys of PPO say; {advice}")

    def _check(self) -> None:
        for name, (value, reason) in FIXED.items():
            if getattr(self, name) not in (value, None):
                raise ValueError(f"{name}: {getattr(self, name)!r} does not fit PPO: {reason}")
        for name in SHARES:
            if getattr(self, name) is not None and not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: {getattr(self, name)} is no number from 0 to 1")
        for name in POSITIVE:
            if getattr(self, name) is not None and not getattr(self, name) > 0:
                raise ValueError(f"{name}: {getattr(self, name)} is not above 0")
        for name in ("kl_coef", "vf_coef", "critic_warmup_steps"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: {getattr(self, name)} is below 0")
        if self.beta not in (0.0, self.kl_coef):
            raise ValueError("beta: the KL penalty of PPO is part of the reward; write  kl_coef")
        if self.kl_target is not None and self.kl_coef == 0:
            raise ValueError("kl_target: a kl_coef of 0 stays 0 whatever it is multiplied with; write  kl_coef: 0.05")
        if self.critic == "head" and self.critic_model_name_or_path is not None:
            raise ValueError("critic_model_name_or_path is what a separate critic starts from: write  critic: separate")
        if self.critic == "separate" and self.detach_critic:
            raise ValueError("detach_critic: a separate critic has no trunk in common with the policy; remove it")


def batches_of_a_generation(args: PPOConfig) -> int:
    """How many batches of a device are learned from before the next completions are drawn, over all epochs."""
    return args.steps_per_generation * args.num_iterations


def config_for(model: Any, args: PPOConfig | None) -> PPOConfig:
    """`args`, or the defaults, where the trainer can follow them with this model.

    Raises TypeError or ValueError where it cannot, with what to do instead."""
    path = model if isinstance(model, str) else model.config._name_or_path
    if args is None:
        args = PPOConfig(f"{path.split('/')[-1]}-PPO")
    if not isinstance(args, PPOConfig):
        raise TypeError(f"PPOTrainer reads a PPOConfig, not a {type(args).__name__}: from hfllm.ppo import PPOConfig")
    if args.kl_coef and not path and not is_peft_model(model):
        raise ValueError(
            "model: this one has no path, and TRL loads the reference model of the KL from there.\n"
            "  to mend it: save the model and give its folder, or do without the KL:  kl_coef=0"
        )
    return args
