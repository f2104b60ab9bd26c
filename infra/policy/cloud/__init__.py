"""Rules over the plan of hosted systems by their level. Pure: no clock, no files, no server, no Pulumi."""
