"""Models by name, as lmms-eval looks for them."""

AVAILABLE_MODELS = {"uniwhisper": "UniWhisper"}
