"""The over-optimisation watch: any reward can be gamed, so a run against one needs to know when to stop.

    watch: {action: stop, audits: [runs/tiny/reward-careful]}      # in a recipe of the stages ppo and grpo

Audits are rewards of weight 0: computed on held-out prompts, never trained on. The run stops when an audit no longer
prefers the answers that the proxy (the rewards with a weight) prefers, so that following the proxy gains it nothing
more; when an audit falls while the proxy holds; or when the text collapses. Kept are the weights that were best by
audit.
Writes watch.png, watch.json, adversarial.jsonl and the folders best/ and watch/ to `output_dir`.

An audit must be independent: a second reward model of the same data shares the first one's mistakes and did not notice
in our measurements, as ensembles share them (Coste et al., arXiv 2310.02743; Eisenstein et al., arXiv 2312.09244)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from hfllm.errors import UserMistake
from hfllm.mistakes import near

if TYPE_CHECKING:
    from transformers import TrainerCallback
    from trl import GRPOConfig

    from hfllm.grpo.trainer import PracticeTrainer

Rewards = Mapping[str, Mapping[str, Any] | None]  # as a recipe has them: options by name


@dataclass
class WatchConfig:
    """What is watched, and what happens when the reward is gamed. Thresholds chosen by us: recipes/tiny/README.md."""

    action: Literal["stop", "raise_kl", "observe"] = field(
        default="stop",
        metadata={"help": "stop: end, with the weights that were best by audit; raise_kl: go on with a dearer KL."},
    )
    audits: list[str] | None = field(
        default=None, metadata={"help": "Rewards of weight 0 that judge the proxy; null: all of them."}
    )
    best_of: int | None = field(
        default=16, metadata={"help": "Before training, judge the best of 1 to so many answers; null: do not."}
    )
    fall: float = field(
        default=0.25, metadata={"help": "So far below its best an audit may lie, in spreads of step 0."}
    )
    standard_errors: float = field(default=2.0, metadata={"help": "And at least so many standard errors."})
    patience: int = field(default=2, metadata={"help": "In so many evaluations in a row, before it counts."})
    smoothing: float = field(
        default=0.5, metadata={"help": "Weight of the newest evaluation in the moving mean; 1: no smoothing."}
    )
    agreement: float | None = field(
        default=0.33,
        metadata={"help": "An audit that agrees with the proxy less than so much of step 0 has turned; null: never."},
    )
    entropy_ratio: float = field(default=0.4, metadata={"help": "A sign of collapse: entropy below so much of step 0."})
    distinct_2_ratio: float = field(default=0.5, metadata={"help": "A sign: distinct pairs of tokens below so much."})
    length_ratio: float = field(default=2.0, metadata={"help": "A sign: answers so many times longer, or shorter."})
    similarity: float = field(default=0.9, metadata={"help": "A sign: answers to different prompts this similar."})
    truncated: float = field(default=0.5, metadata={"help": "A sign: more than this share of the answers cut off."})
    collapse_signs: int = field(default=2, metadata={"help": "So many signs of collapse at once end the run."})
    kl_factor: float = field(default=2.0, metadata={"help": "raise_kl multiplies the coefficient of the KL by this."})
    adversarial: int = field(default=20, metadata={"help": "Pairs in adversarial.jsonl, for the next reward model."})


def mistakes(values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(key, message) for what is wrong with `watch` in a recipe's values; asked by `hfllm check`."""
    config = WatchConfig(**values["watch"])
    rewards = values.get("rewards")  # missing where something else is wrong with them
    for problem in (audit_problem(config, rewards) if rewards else None, number_problem(config)):
        if problem is not None:
            yield "watch", problem.removeprefix("watch: ")
    if not (values.get("eval_tasks") or values.get("eval_datasets")):
        yield "watch", NO_HELD_OUT.removeprefix("watch: ")


def check(config: WatchConfig, rewards: Rewards, args: GRPOConfig, *, measured: bool) -> None:
    """Raises `UserMistake` for what can be seen wrong before a model loads; `measured`: there are held-out prompts."""
    from hfllm.grpo import batches

    problem = audit_problem(config, rewards) or number_problem(config)
    if problem is None and (not measured or args.eval_strategy == "no"):
        problem = NO_HELD_OUT
    if problem is None and config.action == "raise_kl" and args.beta == 0:
        problem = (
            "watch: action: raise_kl: there is no KL to raise; write  kl_coef: 0.05  (stage ppo) or  beta: 0.05  "
            "(stage grpo)"
        )
    if problem is None and config.action == "raise_kl" and getattr(args, "kl_target", None) is not None:
        problem = (
            "watch: action: raise_kl: kl_target would steer the coefficient back; remove  kl_target:,  or write\n"
            "  action: stop"
        )
    if problem is None and args.load_best_model_at_end:
        problem = (
            "watch: load_best_model_at_end would put other weights in the place of those the watch keeps; remove it:\n"
            "  best/  in the run folder has the best by audit, and  action: stop  puts them back"
        )
    if problem is None and config.action == "stop" and args.deepspeed_plugin is not None:
        problem = (
            "watch: action: stop: under DeepSpeed the best weights cannot be put back into the model; write\n"
            "  action: observe  (best/ keeps them), or launch with accelerate_configs/fsdp2.yaml"
        )
    if problem is not None:
        raise UserMistake(problem)
    if config.best_of:
        told("best_of", args, config.best_of, batches.check_evaluation)


NO_HELD_OUT = (
    "watch: it looks at held-out prompts while the run goes on; add  eval_datasets:  (or eval_tasks:),\n"
    "  eval_strategy: steps  and  eval_steps: 5"
)


def told(key: str, args: GRPOConfig, completions: int, look: Any) -> None:
    """What `look` finds wrong, told as that of a key of `watch`."""
    try:
        look(args, completions)
    except UserMistake as mistake:
        raise UserMistake(f"watch: {key}: {mistake}\n  or  {key}: null") from mistake


def audit_problem(config: WatchConfig, rewards: Rewards) -> str | None:
    """What is wrong with the audits, with the mend; None when nothing is."""
    measured = {label(name): name for name, options in rewards.items() if (options or {}).get("weight", 1.0) == 0}
    if config.audits is None:
        if measured:
            return None
        return (
            "watch: no reward of weight 0 audits the run; add one that does not learn from the same data, such as\n"
            "  rewards: {repetition: {weight: 0}}   or a reward model of other raters"
        )
    if not config.audits:
        return "watch: audits: the list is empty; name a reward of weight 0, or leave the key out"
    trained = {label(name) for name in rewards} - set(measured)
    for audit in config.audits:
        if label(audit) in trained:
            return f"watch: audits: {audit} has a weight, so it is trained on and audits nothing; write  weight: 0"
        if label(audit) not in measured:
            return f"watch: audits: {audit} is none of the rewards{near(audit, list(measured.values()))}"
    return None


def number_problem(config: WatchConfig) -> str | None:
    """What no run can work with; None when all is well."""
    if config.patience < 1:
        return f"watch: patience: {config.patience} is no number of evaluations; write 1 or more"
    if config.agreement is not None and not 0 <= config.agreement < 1:
        return f"watch: agreement: {config.agreement} is no share from 0 up to, not including, 1"
    if not 0 < config.smoothing <= 1:
        return f"watch: smoothing: {config.smoothing} is no weight above 0 and up to 1"
    if config.best_of is not None and config.best_of < 2:
        return f"watch: best_of: the best of {config.best_of} is no choice; write for instance 16, or null"
    if config.action == "raise_kl" and config.kl_factor <= 1:
        return f"watch: kl_factor: {config.kl_factor} does not raise the KL; write for instance 2.0"
    return None


def label(name: str) -> str:
    """What a reward is called in the logs: label("runs/tiny/reward") == "reward", label("mine.py:shout") == "shout"."""
    return re.split(r"[/:]", name.rstrip("/"))[-1]


def callback(trainer: PracticeTrainer, config: WatchConfig) -> TrainerCallback:
    """What a stage adds to its trainer."""
    from hfllm.watching.callback import Watch

    return Watch(trainer, config)
