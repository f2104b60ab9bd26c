"""The cluster's provider: context, edits in place, and how fast it may call the API server. It registers no object."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi_kubernetes as k8s

if TYPE_CHECKING:
    import pulumi

    from infra.config.options import KubernetesOptions


def make_provider(name: str, options: KubernetesOptions, opts: pulumi.ResourceOptions | None = None) -> k8s.Provider:
    """Register the provider of a stack; another name would replace every object of the stack."""
    calls = options.calls_per_second
    return k8s.Provider(
        name,
        context=options.context or None,
        # By default the provider replaces a ConfigMap or Secret for every edit: pods would miss it in between.
        enable_config_map_mutable=True,
        enable_secret_mutable=True,
        # Each object of a preview is a call or more; the engine's own number of workers bounds how many run at once.
        kube_client_settings=k8s.KubeClientSettingsArgs(qps=float(calls), burst=2 * calls),
        opts=opts,
    )
