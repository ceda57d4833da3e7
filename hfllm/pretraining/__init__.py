"""The parts of the stage `pretrain`: token shards, rows, the model to start with, optimizer, and what is measured."""
