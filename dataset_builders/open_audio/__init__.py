"""Real, openly licensed audio from Debian packages: speech, sound and music as two dozen tasks of one schema."""
