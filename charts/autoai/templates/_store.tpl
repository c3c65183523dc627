{{/* Where the artifact store is and who it is, for the operator and for NetworkPolicies: the bundled MinIO or a store that is there. */}}

{{- define "autoai.minio.name" -}}
{{ include "autoai.fullname" . }}-minio
{{- end }}

{{- define "autoai.store.secret" -}}
{{- default (printf "%s-store" (include "autoai.fullname" .)) .Values.store.existingSecret }}
{{- end }}

{{- define "autoai.store.endpoint" -}}
{{- if .Values.minio.enabled }}
{{- printf "http://%s.%s.svc:9000" (include "autoai.minio.name" .) .Release.Namespace }}
{{- else }}
{{- trimSuffix "/" .Values.store.endpoint }}
{{- end }}
{{- end }}

{{- define "autoai.store.port" -}}
{{- if .Values.minio.enabled }}9000
{{- else if .Values.store.network.port }}{{ int .Values.store.network.port }}
{{- else }}
{{- $url := urlParse .Values.store.endpoint }}
{{- $port := regexFind "[0-9]+$" (regexFind ":[0-9]+$" $url.host) }}
{{- $port | default (eq $url.scheme "https" | ternary "443" "80") }}
{{- end }}
{{- end }}

{{/* JSON: {namespace, podLabels} of a store in this cluster, or {cidr} of one outside. */}}
{{- define "autoai.store.selector" -}}
{{- if .Values.minio.enabled }}
{{- dict "namespace" .Release.Namespace "podLabels" (include "autoai.selector" (list . "minio") | fromYaml) | toJson }}
{{- else if .Values.store.network.podLabels }}
{{- dict "namespace" (default .Release.Namespace .Values.store.network.namespace) "podLabels" .Values.store.network.podLabels | toJson }}
{{- else }}
{{- dict "cidr" .Values.store.network.cidr | toJson }}
{{- end }}
{{- end }}

{{/* The same as peers of a NetworkPolicy. */}}
{{- define "autoai.store.peer" -}}
{{- $selector := include "autoai.store.selector" . | fromJson }}
{{- if $selector.cidr -}}
- ipBlock:
    cidr: {{ $selector.cidr }}
{{- else -}}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ $selector.namespace }}
  podSelector:
    matchLabels:
      {{- toYaml $selector.podLabels | nindent 6 }}
{{- end }}
{{- end }}
