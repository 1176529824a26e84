{{- define "integration-operator.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "integration-operator.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "integration-operator.fullname" .) }}
{{- end }}

{{/* The connection controller has a name and a service account of its own. */}}
{{- define "integration-operator.controllerName" -}}
{{- include "integration-operator.fullname" . }}-connection-controller
{{- end }}

{{- define "integration-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ .component }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{/* Labels of an object that belongs to `component`: integration-operator or connection-controller. */}}
{{- define "integration-operator.labels" -}}
{{ include "integration-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "integration-operator.image" -}}
{{- with .Values.image }}
{{- .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- define "integration-operator.enmasseNamespace" -}}
{{- $preset := ternary "enmasse" "enmasse-infra" (eq (.Values.settings.profile | default "native") "poc") }}
{{- .Values.settings.enmasse_namespace | default $preset }}
{{- end }}

{{- define "integration-operator.priorityClass" -}}
{{- .Values.priorityClass.name | default (ternary (include "integration-operator.fullname" .) "" .Values.priorityClass.create) }}
{{- end }}

{{/*
A role with the rules of files/rules/<rules>.yaml, and its binding to the service account. `namespace` is empty for a ClusterRole;
`account` is the operator's service account, or that of the connection controller.
*/}}
{{- define "integration-operator.role" -}}
{{- $prefix := ternary "" "Cluster" (ne .namespace "") }}
{{- $labels := include "integration-operator.labels" (dict "root" .root "component" .component) }}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $prefix }}Role
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- $labels | nindent 4 }}
{{ .root.Files.Get (printf "files/rules/%s.yaml" .rules) }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $prefix }}RoleBinding
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- $labels | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $prefix }}Role
  name: {{ .name }}
subjects:
- kind: ServiceAccount
  name: {{ .account }}
  namespace: {{ .root.Release.Namespace }}
{{- end }}

{{/* Environment variables for the settings: a list as comma-separated text, numbers without exponents. */}}
{{- define "integration-operator.settings" -}}
{{- range $name, $value := . }}
- name: INTEGRATION_OPERATOR_{{ upper $name }}
  value: {{ if kindIs "slice" $value }}{{ join "," $value | quote }}{{ else if kindIs "string" $value }}{{ quote $value }}{{ else }}{{ toJson $value | quote }}{{ end }}
{{- end }}
{{- end }}
