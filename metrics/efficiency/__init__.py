"""Time, memory and tokens: what UniWhisper costs."""
