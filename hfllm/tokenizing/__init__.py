"""The parts of the stage `tokenizer`, reading tokenizer folders, and showing texts as tokens."""
