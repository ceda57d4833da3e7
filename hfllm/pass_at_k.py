"""How likely is a right answer among k? The unbiased estimator of Chen et al., arXiv 2107.03374, equation 1."""

from __future__ import annotations

from math import comb


def pass_at_k(samples: int, right: int, k: int) -> float:
    """The chance that `k` of the `samples` completions, drawn without putting back, hold one of the `right` ones.

    pass_at_k(4, 1, 2) == 0.5. Raises ValueError when there are fewer samples than `k`."""
    if not 0 < k <= samples or not 0 <= right <= samples:
        raise ValueError(f"pass@{k} of {samples} samples, {right} right")
    return 1 - comb(samples - right, k) / comb(samples, k)
