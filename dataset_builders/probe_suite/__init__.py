"""Twenty tasks that measure what an encoder knows of speech, sound and music."""
