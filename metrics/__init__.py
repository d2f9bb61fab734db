"""What is measured: pure functions, with a command beside each."""
