"""AudioMarathon: ten tasks on 90 to 300 seconds of audio, from the published release, rebuilt, or small and free."""
