"""The policy pack's folder: PulumiPolicy.yaml and the program that the engine starts."""
