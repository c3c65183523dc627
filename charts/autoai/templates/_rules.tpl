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
# What a job's spec.deploy asks for, and does not any more.
- apiGroups: [autoai.dev]
  resources: [modeldeployments]
  verbs: [create, delete]
# Owner references of what is made for them, where the cluster asks who may set them.
- apiGroups: [autoai.dev]
  resources: [datasets/finalizers, trainingjobs/finalizers, modeldeployments/finalizers]
  verbs: [update]
# One pod per tool execution. Neither exec nor logs: results come through the store.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, create, delete]
# The fence around tool pods and servers of models, by server-side apply; read where a name of a model's may be taken.
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, create, patch]
# What a ModelDeployment is made of, by server-side apply, once it is seen that nobody else has such a thing; all else that is deleted goes with its owner.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [services]
  verbs: [get, create, patch]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, create, patch]
# The Secret with what a server's pods may fetch. A create or patch cannot be kept to names that are not known.
- apiGroups: [""]
  resources: [secrets]
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
