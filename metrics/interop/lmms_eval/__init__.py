"""A plugin of lmms-eval: the model `uniwhisper`, and AudioMarathon as tasks; `LMMS_EVAL_PLUGINS` names it."""
