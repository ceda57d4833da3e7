"""Do rewards pay for nonsense? The parts of hfllm/audit.py: the texts it tries, what is paid for them, and the rule."""
