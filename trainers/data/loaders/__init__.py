"""Sets of recordings in the layouts they come in, all as lists of one kind of clip."""
