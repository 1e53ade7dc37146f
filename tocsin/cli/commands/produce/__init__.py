"""`tocsin produce`: the commands, and the run they share."""
