"""Resource kinds: what can be created, compared and deleted. Only `dynamic`, `resources` and `skins` import Pulumi."""
