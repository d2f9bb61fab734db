"""Real, openly licensed audio from Debian packages, as eight tasks of one schema."""
