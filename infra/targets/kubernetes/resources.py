"""Objects as Pulumi's resources: the class of each kind. It must not decide what an object holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi_kubernetes as k8s

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

RESOURCE_CLASSES: dict[str, type[pulumi.CustomResource]] = {
    "v1 ConfigMap": k8s.core.v1.ConfigMap,
    "v1 LimitRange": k8s.core.v1.LimitRange,
    "v1 Namespace": k8s.core.v1.Namespace,
    "v1 PersistentVolumeClaim": k8s.core.v1.PersistentVolumeClaim,
    "v1 ResourceQuota": k8s.core.v1.ResourceQuota,
    "v1 Secret": k8s.core.v1.Secret,
    "v1 Service": k8s.core.v1.Service,
    "v1 ServiceAccount": k8s.core.v1.ServiceAccount,
    "admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy":
        k8s.admissionregistration.v1.ValidatingAdmissionPolicy,
    "admissionregistration.k8s.io/v1 ValidatingAdmissionPolicyBinding":
        k8s.admissionregistration.v1.ValidatingAdmissionPolicyBinding,
    "apps/v1 Deployment": k8s.apps.v1.Deployment,
    "apps/v1 StatefulSet": k8s.apps.v1.StatefulSet,
    "autoscaling/v2 HorizontalPodAutoscaler": k8s.autoscaling.v2.HorizontalPodAutoscaler,
    "batch/v1 CronJob": k8s.batch.v1.CronJob,
    "networking.k8s.io/v1 Ingress": k8s.networking.v1.Ingress,
    "networking.k8s.io/v1 NetworkPolicy": k8s.networking.v1.NetworkPolicy,
    "policy/v1 PodDisruptionBudget": k8s.policy.v1.PodDisruptionBudget,
    "rbac.authorization.k8s.io/v1 RoleBinding": k8s.rbac.v1.RoleBinding,
    "storage.k8s.io/v1 StorageClass": k8s.storage.v1.StorageClass,
}  # fmt: skip
"""The kinds of the cluster itself; those of operators have one class for all."""
IMMUTABLE_FIELDS = {"StatefulSet": ["spec.volumeClaimTemplates"], "PersistentVolumeClaim": ["spec.resources"]}
"""Fields that Kubernetes refuses to change: `kubectl patch pvc` grows a volume when the plan's has grown."""
ARGUMENT_NAMES = {
    "stringData": "string_data",
    "automountServiceAccountToken": "automount_service_account_token",
    "roleRef": "role_ref",
    "reclaimPolicy": "reclaim_policy",
    "allowVolumeExpansion": "allow_volume_expansion",
    "volumeBindingMode": "volume_binding_mode",
}


def register_object(manifest: Mapping[str, Any], name: str, opts: pulumi.ResourceOptions) -> pulumi.CustomResource:
    """Register an object under a name; the object reaches the engine unchanged."""
    fields = dict(manifest)
    version, kind = fields.pop("apiVersion"), fields.pop("kind")
    own_class = RESOURCE_CLASSES.get(f"{version} {kind}")
    if own_class is None:
        metadata, spec = fields["metadata"], fields["spec"]
        return k8s.apiextensions.CustomResource(
            name, api_version=version, kind=kind, metadata=metadata, spec=spec, opts=opts
        )
    arguments = {ARGUMENT_NAMES.get(key, key): value for key, value in fields.items()}
    return own_class(name, **arguments, opts=opts)
