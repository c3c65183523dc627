{{- define "autoai.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* At most 40 characters, so that what is added to it ("-minio-0") still makes a valid name and label. */}}
{{- define "autoai.fullname" -}}
{{- $name := include "autoai.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* A name for what lies outside of namespaces: two releases of one name in two namespaces must not meet. */}}
{{- define "autoai.clusterName" -}}
{{- $name := include "autoai.fullname" . }}
{{- if eq $name .Release.Namespace }}{{ $name }}{{ else }}{{ printf "%s-%s" .Release.Namespace $name }}{{ end }}
{{- end }}

{{/* Labels of every resource. */}}
{{- define "autoai.commonLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ include "autoai.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: autoai
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* By these pods are selected; they must never change. Takes (list CONTEXT COMPONENT). */}}
{{- define "autoai.selector" -}}
{{- $top := index . 0 -}}
app.kubernetes.io/name: {{ include "autoai.name" $top }}
app.kubernetes.io/instance: {{ $top.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* Labels of a resource of one component. Takes (list CONTEXT COMPONENT). */}}
{{- define "autoai.labels" -}}
{{ include "autoai.commonLabels" (index . 0) }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* Labels of pods: without versions, so that an upgrade restarts what has changed alone. Takes (list CONTEXT COMPONENT). */}}
{{- define "autoai.podLabels" -}}
{{ include "autoai.selector" . }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
app.kubernetes.io/part-of: autoai
{{- with (index . 0).Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "autoai.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "autoai.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- required "serviceAccount.name: expected the name of a ServiceAccount that is there, because serviceAccount.create is false; found none" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* Image of the project. Takes (list CONTEXT {repository, digest}). */}}
{{- define "autoai.image" -}}
{{- $top := index . 0 }}
{{- $image := index . 1 }}
{{- $repository := $image.repository }}
{{- with $top.Values.image.registry }}{{ $repository = printf "%s/%s" (trimSuffix "/" .) $repository }}{{ end }}
{{- if $image.digest }}
{{- printf "%s@%s" $repository $image.digest }}
{{- else }}
{{- printf "%s:%s" $repository (default $top.Chart.AppVersion $top.Values.image.tag) }}
{{- end }}
{{- end }}

{{- define "autoai.minio.image" -}}
{{- with .Values.minio.image }}
{{- if .digest }}{{ printf "%s@%s" .repository .digest }}{{ else }}{{ printf "%s:%s" .repository .tag }}{{ end }}
{{- end }}
{{- end }}

{{/* Demanded by Pod Security "restricted". */}}
{{- define "autoai.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* A StorageClass: nothing for the default one, "" for none at all. */}}
{{- define "autoai.storageClass" -}}
{{- if eq . "-" }}storageClassName: ""{{ else if . }}storageClassName: {{ . | quote }}{{ end }}
{{- end }}

{{- define "autoai.environments.claim" -}}
{{- if .Values.environments.enabled }}
{{- default (printf "%s-environments" (include "autoai.fullname" .)) .Values.environments.existingClaim }}
{{- end }}
{{- end }}

{{/* Selector of the namespaces that are looked after. */}}
{{- define "autoai.jobNamespaces" -}}
{{- if .Values.watchNamespaces -}}
matchExpressions:
  - key: kubernetes.io/metadata.name
    operator: In
    values: {{ toJson .Values.watchNamespaces }}
{{- else -}}
{}
{{- end }}
{{- end }}
