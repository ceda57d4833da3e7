"""The two sides of a sandbox: `outside` starts and watches a program; `start`, and what it imports, builds the walls
from within, where every import costs each program a millisecond or more. hfllm/sandbox.py is what others use."""
