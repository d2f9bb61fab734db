"""How well search finds what is looked for, by an example and by words, and how much of it the ANN index misses."""
