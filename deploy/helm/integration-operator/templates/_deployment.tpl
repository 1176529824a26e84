{{/*
The Deployment of `component`, with `name`, `account`, `container`, `command` and `replicas`. `env` and `volumes` are lists, `ports`
a map of names to numbers: what the operator has and the connection controller has not.
*/}}
{{- define "integration-operator.deployment" -}}
{{- $selector := include "integration-operator.selectorLabels" . }}
{{- $values := .root.Values }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "integration-operator.labels" . | nindent 4 }}
spec:
  # One leads and writes, the other stands by with its stores in sync.
  replicas: {{ .replicas }}
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxUnavailable: 0, maxSurge: 1}
  selector:
    matchLabels:
      {{- $selector | nindent 6 }}
  template:
    metadata:
      labels:
        {{- $selector | nindent 8 }}
        {{- with $values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with merge (dict) $values.podAnnotations .annotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      serviceAccountName: {{ .account }}
      enableServiceLinks: false
      terminationGracePeriodSeconds: 40
      {{- with $values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with include "integration-operator.priorityClass" .root }}
      priorityClassName: {{ . }}
      {{- end }}
      affinity:
        {{- if $values.affinity }}
        {{- toYaml $values.affinity | nindent 8 }}
        {{- else }}
        # Not on one node, if there are two: the standby must survive what ends the leader.
        podAntiAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
          - weight: 100
            podAffinityTerm:
              topologyKey: kubernetes.io/hostname
              labelSelector:
                matchLabels:
                  {{- $selector | nindent 18 }}
        {{- end }}
      {{- with $values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.topologySpreadConstraints }}
      topologySpreadConstraints:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        runAsNonRoot: true
        seccompProfile: {type: RuntimeDefault}
      containers:
      - name: {{ .container }}
        image: {{ include "integration-operator.image" .root | quote }}
        imagePullPolicy: {{ $values.image.pullPolicy }}
        args: [{{ .command }}, --leader-elect]
        {{- with concat .env $values.extraEnv }}
        env:
          {{- toYaml . | nindent 10 }}
        {{- end }}
        ports:
        {{- range $name, $port := .ports }}
        - {name: {{ $name }}, containerPort: {{ $port }}}
        {{- end }}
        livenessProbe:
          httpGet: {path: /healthz, port: probe}
          periodSeconds: 20
          failureThreshold: 3
        readinessProbe:
          httpGet: {path: /readyz, port: metrics{{ if $values.metrics.authentication }}, scheme: HTTPS{{ end }}}
          periodSeconds: 5
        {{- with $values.resources }}
        resources:
          {{- toYaml . | nindent 10 }}
        {{- end }}
        securityContext:
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          capabilities: {drop: [ALL]}
        {{- with .volumes }}
        volumeMounts:
        {{- range . }}
        - {name: {{ .name }}, mountPath: /etc/integration-operator/{{ .name }}, readOnly: true}
        {{- end }}
        {{- end }}
      {{- with .volumes }}
      volumes:
        {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end }}
