"""Chunks of a device to model windows: order, gaps, segments, the window grid, and model handover."""
