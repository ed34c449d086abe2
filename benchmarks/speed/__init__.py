"""Time and memory of training, inference and start-up."""
