"""UniWhisper and AudioMarathon inside other people's frameworks; README.md tells how each was tried."""
