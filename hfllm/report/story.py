"""In which order does one tell of the stages, and what does each do, in plain words?"""

DOES = {
    "world": "makes up a small world, and all the text about it",
    "tokenizer": "finds the pieces that text is cut into",
    "data": "turns pages of the web into clean text",
    "pretrain": "reads text, and learns to guess what comes next",
    "sft": "learns to answer, from example conversations",
    "probe": "asks a model what it knows",
    "identity": "writes conversations about who the model is",
    "synthesize": "lets a model write conversations",
    "grpo": "practises on problems; right answers are rewarded",
    "rft": "tries problems, and keeps its right answers to learn from",
    "reward": "learns to tell which answer people like better",
    "ppo": "practises to please a reward model, under a watch",
    "dpo": "learns what people like better, without a reward model",
    "evaluate": "puts models side by side",
    "arena": "lets models compete, and rates them",
}
ORDER = list(DOES)
