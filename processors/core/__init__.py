"""Pure: no clock, network, log, randomness. State in, state out."""
