"""How well a checkpoint answers the tasks of open audio, beside what needs no model."""
