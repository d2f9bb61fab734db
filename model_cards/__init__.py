"""What goes to the Hub: a folder with the card of each repository, and the command that publishes them."""
