"""Whether a model file may be loaded, examined in a process of its own."""
