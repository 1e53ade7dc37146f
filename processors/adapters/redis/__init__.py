"""Redis: detector states, their encoding, and the lease on a rebuild."""
