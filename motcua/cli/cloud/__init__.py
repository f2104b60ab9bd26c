"""`motcua cloud …`: plan, check, flows, sizes, reports of the systems that the province hosts. It decides no rule."""
