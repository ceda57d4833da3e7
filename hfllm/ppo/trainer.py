"""PPO (arXiv 1707.06347) for language models (2203.02155, 3.5) as a sibling of TRL's GRPOTrainer.

TRL gives generation, vLLM, reward functions, chat templates, tools, buffering over epochs and minibatches, the clipped
loss, logging, PEFT and the reference model. Here are the critic, the KL in the reward, GAE and the value loss. Every
override calls `super()`; none repeats what stands there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate.logging import get_logger
from accelerate.utils import is_peft_model

from hfllm.grpo.trainer import PracticeTrainer
from hfllm.ppo import critic as critics
from hfllm.ppo import estimate as estimates
from hfllm.ppo import kl, minibatches, progress
from hfllm.ppo.config import PPOConfig, batches_of_a_generation, config_for
from hfllm.ppo.estimate import Estimate
from hfllm.ppo.sampling import switch_off_dropout, undistort

logger = get_logger(__name__)

PATIENCE = 10  # generations in a row with a negative explained variance before it is told


class PPOTrainer(PracticeTrainer):
    """Trains a causal LM against rewards with PPO; takes what GRPOTrainer takes, and a `PPOConfig`.

    Args, as in TRL:
        model: folder, Hub id, PreTrainedModel or PeftModel of the policy. With a PeftModel or `peft_config` only the
            adapter and the critic learn; the initial policy is the model with the adapter off, or a frozen copy of the
            adapter where a PeftModel is given.
        reward_funcs: one reward or several, weighted by `args.reward_weights`: a function
            `(prompts, completions, **columns) -> list[float | None]`, the folder or Hub id of a reward model, or a
            sequence classification model. A completion that no reward could judge (None) teaches nothing.
        args: PPOConfig.
        train_dataset, eval_dataset: with the column `prompt` (text or messages); other columns go to the rewards.
        processing_class, peft_config, quantization_config, tools, callbacks, optimizers and the rest: as in TRL.

    `kl_coef` is the coefficient in use; setting it counts from the next generation on. It needs a reference model, that
    is a PPOConfig with `kl_coef` above 0.

    Logged beside TRL's metrics, over all processes: objective/kl (nats a completion, k1), objective/kl_coef,
    objective/score (weighted rewards and missing_eos_penalty), objective/rlhf_reward (score - kl_coef x kl),
    value/mean, value/explained_variance (1: the critic foresees all, below 0: worse than a constant), value/loss,
    value/clip_ratio. `save_model` writes a plain model, and critic.safetensors beside it."""

    _tag_names = ["trl", "ppo"]  # noqa: RUF012
    _name = "PPO"

    def __init__(
        self, model: Any, reward_funcs: Any = None, args: PPOConfig | None = None, *others: Any, **named: Any
    ) -> None:
        super().__init__(model, reward_funcs, config_for(model, args), *others, **named)
        self.kl_coef: float = self.args.kl_coef
        self._total = partial(self.accelerator.reduce, reduction="sum")  # of a tensor, over all processes
        self._buffered_inputs: list[dict[str, Any]] | None
        self._read: list[torch.Tensor] | None = None  # values (B, T), while they are wanted
        self._negative_generations = 0
        policy = self.model.get_base_model() if is_peft_model(self.model) else self.model
        is_sharded = self.is_fsdp_enabled or self.is_deepspeed_enabled
        if self.ref_model is not None and not isinstance(model, str) and is_sharded:
            raise ValueError(
                "model: under FSDP and DeepSpeed the reference is loaded from the path that a model came from, which\n"
                "  may no longer be this model; save it, and give its folder"
            )
        if self.ref_model is not None and not isinstance(model, str):
            # TRL loads the reference from the path that the model came from; this one may have changed since
            self.accelerator.unwrap_model(self.ref_model).load_state_dict(policy.state_dict())
        if changed := undistort(policy.generation_config):
            logger.warning(f"generation_config.json: {', '.join(changed)} would change what is sampled; now unset")
        self.critic = critics.new(self.model, self.args, self.processing_class)
        critics.attach(policy, self.critic)
        for scorer in (self.model, self.ref_model):
            if scorer is not None:
                switch_off_dropout(scorer)
        if self.use_vllm:
            engine = self.vllm_generation
            engine._iter_named_params = critics.without_critic(engine._iter_named_params)

    # ---- what a generation gives ----

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        logits_to_keep: int,
        *args: Any,
        **kw: Any,
    ) -> Any:
        """As in TRL; the first pass inside `_reading_values`, which is the policy's, reckons its values, too."""
        if self._read is not None and not self._read:
            model = critics.reading_values(model, logits_to_keep, self._read)
        return super()._get_per_token_logps_and_entropies(model, input_ids, attention_mask, logits_to_keep, *args, **kw)

    @contextmanager
    def _reading_values(self) -> Iterator[list[torch.Tensor]]:
        """Gives the list that the values (B, T) of the policy's pass come into, in as many parts as it takes."""
        self._read = []
        try:
            yield self._read
        finally:
            self._read = None

    def _calculate_rewards(self, inputs: list[dict[str, Any]], *args: Any, **kwargs: Any) -> torch.Tensor:
        rewards = super()._calculate_rewards(inputs, *args, **kwargs)  # (completions of all processes, rewards)
        first = self.accelerator.process_index * len(inputs)
        self._scores = estimates.weighted(rewards, self.reward_weights)[first : first + len(inputs)]
        return rewards

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        """As in TRL, with an advantage for each token (B, T), old values and what the critic is to learn."""
        # TRL scores completions at once only where some steps are not on-policy; the critic needs the pass always
        with self._reading_values() as read, replaced(self, num_iterations=2):
            rollout = super()._generate_and_score_completions(inputs)
        estimate = self._estimate(rollout, torch.cat(read))
        if self._mode == "train" and self.state.global_step == self._step == 0:
            # a critic without any bias would reach the mean return only by large weights, which add noise
            self.critic.offset += estimate.missed
            estimate = self._estimate(rollout, torch.cat(read) + estimate.missed)
        self._log_estimate(estimate)
        if self._mode == "train" and not self._warms_up:
            self._adapt(estimate)
        return rollout | estimate.learned_from

    def _estimate(self, rollout: dict[str, Any], values: torch.Tensor) -> Estimate:
        settings = {"kl_coef": self.kl_coef, "stop_ids": self.eos_token_ids, "total": self._total}
        return estimates.of(rollout, self._scores, values, self.args, **settings)

    def _log_estimate(self, estimate: Estimate) -> None:
        """Also in place of what TRL logs of groups, which one completion of a prompt is none."""
        for name, value in estimate.measured.items():
            self._metrics[self._mode][name].append(value)
        if self.num_generations == 1:
            self._metrics[self._mode].pop("frac_reward_zero_std", None)
        tokens = estimate.own.sum(1).clamp(min=1)
        advantages = self.accelerator.gather(estimate.advantages.sum(1) / tokens).tolist()
        table = self._logs["advantages"]
        for _ in range(min(len(table), len(advantages))):  # it keeps no more than one generation
            table.pop()
        table.extend(advantages)

    def _adapt(self, estimate: Estimate) -> None:
        if (target := self.args.kl_target) is not None:
            kl_now, horizon = estimate.measured["objective/kl"], self.args.kl_horizon
            self.kl_coef = kl.adapted(self.kl_coef, kl_now, target, estimate.completions, horizon)
        is_negative = estimate.measured["value/explained_variance"] < 0
        self._negative_generations = self._negative_generations + 1 if is_negative else 0
        if self._negative_generations == PATIENCE:
            logger.warning(
                f"value/explained_variance was below 0 for {PATIENCE} generations: the critic foresees less than a "
                "constant would, and adds noise. Try another  critic_learning_rate,  critic_warmup_steps,  or  lam: 1"
            )

    # ---- learning ----

    @property
    def _mode(self) -> str:
        return "train" if self.model.training else "eval"

    @property
    def _warms_up(self) -> bool:
        """Whether only the critic's own weights learn as yet."""
        return self.model.training and self.state.global_step < self.args.critic_warmup_steps

    def _prepare_inputs(self, generation_batch: Any) -> dict[str, Any]:
        """As in TRL, with minibatches that are drawn anew for each epoch over a generation."""
        if self._mode == "eval":
            return super()._prepare_inputs(generation_batch)
        begins_epoch = self._step % self.args.steps_per_generation == 0
        if begins_epoch and self._step % batches_of_a_generation(self.args) and self._buffered_inputs is not None:
            self._buffered_inputs = minibatches.reshuffled(self._buffered_inputs)
        return minibatches.trimmed(super()._prepare_inputs(generation_batch))

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        self.critic.detach = self.args.detach_critic or self._warms_up
        with self._reading_values() as read, replaced(self, beta=0.0):  # the KL is in the rewards already
            policy_loss = super()._compute_loss(model, inputs)
        value_loss = self.args.vf_coef * self._value_loss(read[0], inputs)
        # times 0, not left out: DDP waits for a gradient of every weight (and DeepSpeed keeps them where
        # `training_step` cannot drop them)
        return (0 * policy_loss if self._warms_up else policy_loss) + value_loss

    def _value_loss(self, values: torch.Tensor, inputs: dict[str, Any]) -> torch.Tensor:
        """Half the mean squared error of values (B, T) over the own tokens, clipped (baselines, ppo2)."""
        old, returns, own = inputs["old_values"], inputs["returns"], inputs["own_mask"]
        errors = (values - returns) ** 2  # (B, T)
        kept = errors
        if (reach := self.args.cliprange_value) is not None:
            kept = torch.max(errors, (old + (values - old).clamp(-reach, reach) - returns) ** 2)
        loss = 0.5 * (kept * own).sum()
        tokens, lost, clipped = self._total(
            torch.stack([own.sum(), loss.detach(), ((kept > errors) * own).sum()])
        ).tolist()
        self._metrics[self._mode]["value/loss"].append(lost / max(1, tokens))
        self._metrics[self._mode]["value/clip_ratio"].append(clipped / max(1, tokens))
        # as TRL's dapo: every token counts alike, whatever its batch, process and accumulation step
        of_a_step = inputs["num_items_in_batch"].clamp(min=1) / self.accelerator.num_processes
        if self._mode == "train":
            of_a_step = of_a_step * self.current_gradient_accumulation_steps / self.args.steps_per_generation
        return loss / of_a_step

    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        loss = super().training_step(*args, **kwargs)
        if self._warms_up:  # None, not 0: an optimizer would decay the weights and count steps of no gradient
            for name, parameter in self.model.named_parameters():
                if not critics.is_critics(name):
                    parameter.grad = None
        return loss

    def create_optimizer(self, *args: Any, **kwargs: Any) -> torch.optim.Optimizer:
        is_own = self.optimizer is None  # not one that the user gave
        optimizer = super().create_optimizer(*args, **kwargs)
        if is_own and self.args.critic_learning_rate is not None:
            model = args[0] if args else self.model
            theirs = [parameter for name, parameter in model.named_parameters() if critics.is_critics(name)]
            critics.set_learning_rate(optimizer, theirs, self.args.critic_learning_rate)
        return optimizer

    # ---- saving and going on ----

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        """A plain causal LM (or adapter) that loads anywhere, and the critic beside it."""
        policy, critic = critics.split(self.model.state_dict() if state_dict is None else state_dict)
        super()._save(output_dir, policy)
        if self.args.should_save and critic:
            critics.save(critic, self.critic.offset, Path(output_dir or self.args.output_dir))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        self._load_critic(resume_from_checkpoint)

    def _load_best_model(self) -> None:
        super()._load_best_model()
        self._load_critic(self.state.best_model_checkpoint)

    def _load_critic(self, folder: str) -> None:
        if self.is_fsdp_enabled or self.is_deepspeed_enabled:  # its weights are part of the sharded model
            progress.load_offset(self, Path(folder))
        else:
            critics.load(self.critic, Path(folder))

    def _issue_warnings_after_load(self, load_result: Any) -> None:
        """The critic is not missing: it has a file of its own."""
        missing = [name for name in load_result.missing_keys if not critics.is_critics(name)]
        super()._issue_warnings_after_load(load_result._replace(missing_keys=missing))

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        super()._save_optimizer_and_scheduler(output_dir)
        progress.save(self, Path(output_dir))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is not None:
            progress.load(self, Path(checkpoint))


@contextmanager
def replaced(owner: Any, **values: Any) -> Iterator[None]:
    """Attributes of `owner` have other values for a while."""
    before = {name: getattr(owner, name) for name in values}
    vars(owner).update(values)
    try:
        yield
    finally:
        vars(owner).update(before)
