"""An embedding trained to classify devices, with a memory bank for each device."""
