{{/* The bot's workload, as it would be without the sidecar. */}}
{{- define "broker-sidecar.workload" -}}
{{- $kind := .Values.workload.kind -}}
{{- $bare := include "broker-sidecar.botPod" . | fromYaml -}}
{{- $pod := merge (dict "spec" (merge (deepCopy (default dict .Values.pod.spec)) $bare.spec)) $bare | toYaml -}}
apiVersion: {{ ternary "batch/v1" "apps/v1" (has $kind (list "Job" "CronJob")) }}
kind: {{ $kind }}
metadata:
  name: {{ include "broker-sidecar.fullname" . | quote }}
  namespace: {{ .Release.Namespace }}
  labels: {{- include "broker-sidecar.labelsWith" (list . .Values.workload.labels) | nindent 4 }}
  {{- with .Values.workload.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- if eq $kind "CronJob" }}
  schedule: {{ .Values.workload.schedule | quote }}
  {{- with .Values.workload.timeZone }}
  timeZone: {{ . | quote }}
  {{- end }}
  concurrencyPolicy: {{ .Values.workload.concurrencyPolicy }}
  jobTemplate:
    spec:
      {{- include "broker-sidecar.jobLimits" . | nindent 6 }}
      template: {{- $pod | nindent 8 }}
  {{- else if eq $kind "Job" }}
  {{- include "broker-sidecar.jobLimits" . | nindent 2 }}
  template: {{- $pod | nindent 4 }}
  {{- else }}
  replicas: {{ int .Values.workload.replicas }}
  selector:
    matchLabels: {{- include "broker-sidecar.selector" . | nindent 6 }}
  {{- if eq $kind "Deployment" }}
  strategy: { type: {{ .Values.workload.strategy }} }
  {{- else }}
  serviceName: {{ include "broker-sidecar.fullname" . | quote }}
  {{- end }}
  template: {{- $pod | nindent 4 }}
  {{- end }}
  {{- with .Values.workload.spec }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "broker-sidecar.jobLimits" -}}
{{- if not (hasKey .Values.workload.spec "podReplacementPolicy") }}
# The last try's pod has ended before the next one's bot trades.
podReplacementPolicy: Failed
{{- end }}
backoffLimit: {{ int .Values.workload.backoffLimit }}
{{- with int .Values.workload.activeDeadlineSeconds }}
activeDeadlineSeconds: {{ . }}
{{- end }}
{{- with int .Values.workload.ttlSecondsAfterFinished }}
ttlSecondsAfterFinished: {{ . }}
{{- end }}
{{- end }}

{{- define "broker-sidecar.botPod" -}}
metadata:
  labels: {{- merge (include "broker-sidecar.selector" . | fromYaml) .Values.pod.labels .Values.commonLabels | toYaml | nindent 4 }}
  {{- with .Values.pod.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "broker-sidecar.serviceAccount" . | quote }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- if has .Values.workload.kind (list "Job" "CronJob") }}
  restartPolicy: Never
  {{- end }}
  {{- range $key := list "imagePullSecrets" "initContainers" "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" "priorityClassName" "volumes" "securityContext" }}
  {{- with get $.Values.pod $key }}
  {{ $key }}: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  containers:
    - name: bot
      image: {{ include "broker-sidecar.image" (list .Values.bot.image "latest") | quote }}
      imagePullPolicy: {{ .Values.bot.image.pullPolicy }}
      {{- range $key := list "command" "args" "env" "envFrom" "ports" "resources" "volumeMounts" "startupProbe" "livenessProbe" "readinessProbe" "lifecycle" "securityContext" }}
      {{- with get $.Values.bot $key }}
      {{ $key }}: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- end }}
    {{- with .Values.pod.containers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
