"""Twenty tasks that measure a frozen audio encoder: probes, their choices on validation, and their statistics."""
