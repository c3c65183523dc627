{{/* The operator's rights, and what for. None holds a wildcard. */}}

{{/* In each namespace with jobs: by ClusterRole for all namespaces, by Role for those of watchNamespaces. */}}
{{- define "autoai.rules.jobs" -}}
# What it looks after. The patch is for finalizers.
- apiGroups: [autoai.dev]
  resources: [datasets, trainingjobs, modeldeployments]
  verbs: [get, list, watch, patch]
- apiGroups: [autoai.dev]
  resources: [datasets/status, trainingjobs/status, modeldeployments/status]
  verbs: [patch]
# The end of a TTL.
- apiGroups: [autoai.dev]
  resources: [trainingjobs]
  verbs: [delete]
# Owner references of pods, where the cluster asks who may set them.
- apiGroups: [autoai.dev]
  resources: [datasets/finalizers, trainingjobs/finalizers]
  verbs: [update]
# One pod per tool execution. Neither exec nor logs: results come through the store.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, create, delete]
# The fence around tool pods, by server-side apply.
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [create, patch]
# Only what a manifest names: datasets in ConfigMaps, keys of the LLM and of other buckets in Secrets. No list: it cannot look around.
- apiGroups: [""]
  resources: [configmaps, secrets]
  verbs: [get]
# Whether there is a claim for environments here; where there is none they travel through the store.
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get]
# What it tells people, and why a pod does not start.
- apiGroups: [""]
  resources: [events]
  verbs: [get, list, create, patch]
{{- end }}

{{/* In the release's own namespace: leader election. The create of a Lease cannot be kept to a name. */}}
{{- define "autoai.rules.lease" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "autoai.fullname" . }}]
  verbs: [get, patch]
{{- end }}
