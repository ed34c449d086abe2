"""How long training, inference and start-up take, and how much memory."""
