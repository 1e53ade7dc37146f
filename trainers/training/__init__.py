"""Training loops, checkpoints and losses that recipes share."""
