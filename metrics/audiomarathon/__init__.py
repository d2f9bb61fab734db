"""What replies to AudioMarathon are worth: by the authors' rules, by stricter ones, and beside the published rows."""
