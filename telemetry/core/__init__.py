"""Pure values and arithmetic: no clock, file, network, randomness or vendor library but msgspec."""
