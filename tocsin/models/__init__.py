"""Models of a running fleet: published, compared, promoted, rolled back."""
