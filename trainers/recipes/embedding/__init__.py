"""An embedding trained to tell devices apart, with a memory bank for each device."""
