"""Operations on many devices: configurations and commands, in stages and on record. It must not run an agent."""
