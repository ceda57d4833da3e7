"""The parts of the over-optimisation watch (hfllm/watch.py): what is measured, when it is too much, what is kept."""
