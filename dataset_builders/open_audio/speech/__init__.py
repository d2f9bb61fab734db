"""Speech: what is said, by whom, in which language."""
