"""The file that Pulumi runs; it must do nothing but deploy the stack."""

from infra.program import deploy_stack

deploy_stack()
