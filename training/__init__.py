"""Training: recipes, the mixture, the loop, and the weights it starts from and gives."""
