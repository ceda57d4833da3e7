"""The parts of the stage arena: prompts, answers, judges, the battles file, and the table. Ratings: hfllm/arena.py."""
