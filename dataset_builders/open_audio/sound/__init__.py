"""Environmental sound."""
