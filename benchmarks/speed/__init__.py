"""How fast: the core, a worker, model swaps, training in closed form."""
