"""Where Pulumi begins; it must do nothing but run the program."""

from infra.program import deploy_stack

deploy_stack()
