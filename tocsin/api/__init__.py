"""What ``import tocsin`` offers, a file each."""
