"""AudioMarathon for lmms-eval: a YAML file a task, all of them on `_default_template_yaml` and `utils.py`."""
