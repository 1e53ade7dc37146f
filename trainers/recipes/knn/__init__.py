"""A device's first model: nearest neighbours on whitened statistics, in closed form."""
