"""The file that Pulumi runs; it must do nothing but deploy the stack."""

from infra.program import deploy_stack, end_quietly_on_interrupt

end_quietly_on_interrupt()
deploy_stack()
