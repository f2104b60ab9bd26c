"""Parts of a stack as Pulumi components: they turn the plan's values into resources and decide nothing themselves."""
