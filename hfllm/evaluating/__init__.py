"""How good is a model, and how sure is that? The parts of the stage evaluate.

probes/        one file a probe: what the model knows, repeats, copies, and needs steps for
answering.py   how a chat model and a base model are asked the same thing
choices.py     multiple choice by log-likelihood
harness.py     EleutherAI's lm-eval, for numbers that can be compared with published ones
measures.py    tasks and probes as questions, and what is counted of the answers
bootstrap.py   from one number a question to a mean with its interval
tables.py      the pages for people"""
