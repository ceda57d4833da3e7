"""Practice on problems whose answers can be checked: what GRPO needs beside TRL's trainer."""
