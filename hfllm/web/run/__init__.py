"""Steps cut into passes, run by datatrove's executors, kept on disk, and judged."""
