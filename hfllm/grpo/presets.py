"""Named sets of TRL's own keys, as the papers have them; a key that the recipe writes itself wins."""

from __future__ import annotations

from typing import Any

from hfllm.practice import ENGINES

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "loss_preset": {
        # arXiv 2402.03300, 4.1: mean per completion, then over completions; clip 0.2; KL 0.04 in the loss
        "grpo": {"loss_type": "grpo", "scale_rewards": "group", "epsilon": 0.2, "beta": 0.04},
        # arXiv 2503.20783, 3.1: no division by length or by the group's spread, no KL
        "dr_grpo": {"loss_type": "dr_grpo", "scale_rewards": "none", "epsilon": 0.2, "beta": 0.0},
        # arXiv 2503.14476, 3: clip higher, mean over tokens, no KL; cut-off completions do not count
        "dapo": {
            "loss_type": "dapo",
            "scale_rewards": "group",
            "epsilon": 0.2,
            "epsilon_high": 0.28,
            "beta": 0.0,
            "mask_truncated_completions": True,
        },
        # arXiv 2507.18071, 5.1: one ratio for a whole completion, hence the narrow clip; four steps a generation
        "gspo": {
            "loss_type": "grpo",
            "importance_sampling_level": "sequence",
            "scale_rewards": "group",
            "epsilon": 3e-4,
            "epsilon_high": 4e-4,
            "beta": 0.0,
            "steps_per_generation": 4,
        },
    },
    "engine": ENGINES,
}
