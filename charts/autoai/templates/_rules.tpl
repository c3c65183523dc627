{{/* The operator's rights, and what for. None holds a wildcard. */}}

{{/* In each namespace with jobs: by ClusterRole for all namespaces, by Role for those of watchNamespaces. */}}
{{- define "autoai.rules.jobs" -}}
# What it looks after: reads, finalizers, the end of a TTL, and the ModelDeployment that spec.deploy asks for.
- apiGroups: [autoai.dev]
  resources: [datasets, trainingjobs, modeldeployments]
  verbs: [get, list, watch, patch, update]
- apiGroups: [autoai.dev]
  resources: [trainingjobs]
  verbs: [delete]
- apiGroups: [autoai.dev]
  resources: [datasets/status, trainingjobs/status, modeldeployments/status]
  verbs: [get, patch, update]
# Owner references that block the deletion of an owner.
- apiGroups: [autoai.dev]
  resources: [datasets/finalizers, trainingjobs/finalizers, modeldeployments/finalizers]
  verbs: [update]
# One pod per tool execution. Neither exec nor logs: results come through the store.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, create, delete]
# The fence around tool pods.
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, create, patch]
# Whether the claim of environments is there.
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get]
# Only what a manifest names: datasets in ConfigMaps, keys of the LLM and of other buckets in Secrets. No list: it cannot look around.
- apiGroups: [""]
  resources: [configmaps, secrets]
  verbs: [get]
# What it tells people of, and why a pod does not start.
- apiGroups: [""]
  resources: [events]
  verbs: [list, create, patch]
{{- end }}

{{/* In the release's own namespace: leader election. The create of a Lease cannot be kept to a name. */}}
{{- define "autoai.rules.lease" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "autoai.fullname" . }}]
  verbs: [get, update, patch]
{{- end }}
