"""PPO learns: a model with random weights comes to write even token ids, from no more completions than GRPO needs."""

import pytest

from tests.bench import even_tokens


def test_it_learns_to_write_even_token_ids():
    run = even_tokens.learn("PPO, value head", seed=0, learning_rate=2e-3)
    assert run.first < 0.6
    assert run.last > 0.9
    assert run.cpu_seconds < 30


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_it_reaches_what_grpo_reaches_with_the_same_completions(seed):
    grpo, ppo = (even_tokens.learn(name, seed, learning_rate=1e-3) for name in ("GRPO", "PPO, separate"))
    assert ppo.last >= grpo.last
    assert ppo.cpu_seconds < 30
