"""What is wrong with a corpus before anything learns from it."""
