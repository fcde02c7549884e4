{{/* The sidecar's container, for initContainers (native) or containers (classic). */}}
{{- define "broker-sidecar.container" -}}
name: broker-sidecar
image: {{ include "broker-sidecar.image" (list .Values.sidecar.image .Chart.AppVersion) | quote }}
imagePullPolicy: {{ .Values.sidecar.image.pullPolicy }}
args: [run, --config, /etc/sidecar/sidecar.yaml]
{{- if eq .Values.sidecar.mode "native" }}
restartPolicy: Always
{{- else }}
# Both containers get SIGTERM at once: the sidecar stays until the bot has had its time.
lifecycle:
  preStop:
    exec:
      command: [python, -c, "import time; time.sleep({{ int .Values.bot.stopSeconds }})"]
{{- end }}
env:
  {{- include "broker-sidecar.env" . | nindent 2 }}
{{- with .Values.sidecar.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - { name: sidecar-scrape, containerPort: {{ int .Values.sidecar.scrape.port }}, protocol: TCP }
startupProbe:
  httpGet: { path: /startupz, port: sidecar-scrape }
  periodSeconds: {{ int .Values.sidecar.probes.startupPeriodSeconds }}
  timeoutSeconds: {{ int .Values.sidecar.probes.timeoutSeconds }}
  failureThreshold: {{ int .Values.sidecar.probes.startupFailureThreshold }}
{{- range $probe, $path := dict "livenessProbe" "/livez" "readinessProbe" "/readyz" }}
{{ $probe }}:
  httpGet: { path: {{ $path }}, port: sidecar-scrape }
  periodSeconds: {{ int $.Values.sidecar.probes.periodSeconds }}
  timeoutSeconds: {{ int $.Values.sidecar.probes.timeoutSeconds }}
  failureThreshold: {{ int $.Values.sidecar.probes.failureThreshold }}
{{- end }}
{{- with .Values.sidecar.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .Values.sidecar.securityContext | nindent 2 }}
volumeMounts:
  - { name: sidecar-config, mountPath: /etc/sidecar, readOnly: true }
  - { name: sidecar-socket, mountPath: /run/sidecar }
  - { name: sidecar-state, mountPath: /var/lib/sidecar }
  {{- if .Values.sidecar.token.secretName }}
  - { name: sidecar-token, mountPath: {{ include "broker-sidecar.secrets" . }}/listen, readOnly: true }
  {{- end }}
  {{- range $name, $_ := .Values.credentials }}
  - { name: sidecar-keys-{{ $name }}, mountPath: {{ include "broker-sidecar.secrets" $ }}/brokers/{{ $name }}, readOnly: true }
  {{- end }}
  {{- with .Values.sidecar.volumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* The sidecar's environment: what the pod knows of itself, then the user's, who wins. */}}
{{- define "broker-sidecar.env" -}}
{{- include "broker-sidecar.variables" (list (include "broker-sidecar.downward" . | fromYamlArray) .Values.sidecar.env) -}}
{{- end }}

{{/* The chart's variables and then others, which take the place of those of the same name: (list variables others). */}}
{{- define "broker-sidecar.variables" -}}
{{- $names := list -}}
{{- range index . 1 }}{{ $names = append $names .name }}{{ end -}}
{{- $env := list -}}
{{- range index . 0 }}{{ if not (has .name $names) }}{{ $env = append $env . }}{{ end }}{{ end -}}
{{- concat $env (index . 1) | toYaml -}}
{{- end }}

{{- define "broker-sidecar.downward" -}}
- { name: SIDECAR_BOT, valueFrom: { fieldRef: { fieldPath: "metadata.labels['bot']" } } }
- { name: POD_NAME, valueFrom: { fieldRef: { fieldPath: metadata.name } } }
- { name: POD_NAMESPACE, valueFrom: { fieldRef: { fieldPath: metadata.namespace } } }
- { name: NODE_NAME, valueFrom: { fieldRef: { fieldPath: spec.nodeName } } }
- name: OTEL_RESOURCE_ATTRIBUTES
  value: k8s.namespace.name=$(POD_NAMESPACE),k8s.pod.name=$(POD_NAME),k8s.node.name=$(NODE_NAME)
{{- if not (dig "alerting" "alertmanager" "labels" "namespace" "" .Values.config) }}
# The operator adds it to every series, and what the sidecar tells Alertmanager must be the rules' own alert.
- { name: SIDECAR_ALERTING__ALERTMANAGER__LABELS__NAMESPACE, valueFrom: { fieldRef: { fieldPath: metadata.namespace } } }
{{- end }}
{{- end }}

{{/* The volumes behind the container's mounts. */}}
{{- define "broker-sidecar.volumes" -}}
- name: sidecar-config
  configMap: { name: {{ include "broker-sidecar.fullname" . }}-config }
- name: sidecar-socket
  emptyDir: { medium: Memory, sizeLimit: 1Mi }
{{- if eq .Values.state.kind "emptyDir" }}
- name: sidecar-state
  emptyDir: { sizeLimit: {{ .Values.state.size }} }
{{- else if eq (include "broker-sidecar.claimEach" .) "" }}
- name: sidecar-state
  persistentVolumeClaim: { claimName: {{ include "broker-sidecar.claim" . | quote }} }
{{- end }}
{{- with .Values.sidecar.token }}
{{- if .secretName }}
- name: sidecar-token
  secret: { secretName: {{ .secretName | quote }}, defaultMode: 0440, items: [{ key: {{ .key | quote }}, path: token }] }
{{- end }}
{{- end }}
{{- range $name, $credentials := .Values.credentials }}
- name: sidecar-keys-{{ $name }}
  secret:
    secretName: {{ $credentials.secretName | quote }}
    defaultMode: 0440
    items:
      {{- range $item, $key := $credentials.items }}
      - { key: {{ $key | quote }}, path: {{ $item }} }
      {{- end }}
{{- end }}
{{- end }}

{{- define "broker-sidecar.claim" -}}
{{- default (printf "%s-state" (include "broker-sidecar.fullname" .)) .Values.state.existingClaim -}}
{{- end }}

{{/* "yes" where each pod of a StatefulSet has a claim of its own. */}}
{{- define "broker-sidecar.claimEach" -}}
{{- $kind := .Values.state.kind -}}
{{- if or (eq $kind "volumeClaimTemplates") (and (eq $kind "persistentVolumeClaim") (eq .Values.workload.kind "StatefulSet")) -}}
yes
{{- end -}}
{{- end }}

{{/*
For `volumeClaimTemplates` of a StatefulSet; an empty list where the pods have no claims of their own. Version and kind are
written out because Kubernetes adds them, and GitOps tools would see a difference for ever.
*/}}
{{- define "broker-sidecar.volumeClaimTemplates" -}}
{{- if include "broker-sidecar.claimEach" . -}}
- apiVersion: v1
  kind: PersistentVolumeClaim
  metadata: { name: sidecar-state }
  spec: {{- include "broker-sidecar.claimSpec" . | nindent 4 }}
{{- else -}}
[]
{{- end -}}
{{- end }}

{{- define "broker-sidecar.claimSpec" -}}
accessModes: [ReadWriteOnce]
{{- with .Values.state.storageClassName }}
storageClassName: {{ . | quote }}
{{- end }}
resources: { requests: { storage: {{ .Values.state.size }} } }
{{- end }}

{{/* What the bot's container is given: where the sidecar is, and what it takes to talk to it. */}}
{{- define "broker-sidecar.botEnv" -}}
- { name: BROKER_SIDECAR_SOCKET, value: {{ include "broker-sidecar.socket" . }} }
{{- with include "broker-sidecar.url" . }}
- { name: BROKER_SIDECAR_URL, value: {{ . | quote }} }
{{- end }}
{{- if .Values.sidecar.token.secretName }}
- { name: BROKER_SIDECAR_TOKEN_FILE, value: {{ include "broker-sidecar.secrets" . }}/listen/token }
{{- end }}
{{- end }}

{{- define "broker-sidecar.botVolumeMounts" -}}
- { name: sidecar-socket, mountPath: /run/sidecar }
{{- if .Values.sidecar.token.secretName }}
- { name: sidecar-token, mountPath: {{ include "broker-sidecar.secrets" . }}/listen, readOnly: true }
{{- end }}
{{- end }}

{{/* Prometheus makes `bot` and `broker_sidecar` labels of the target; the rules go by them. */}}
{{- define "broker-sidecar.podLabels" -}}
bot: {{ include "broker-sidecar.bot" . | quote }}
{{- if .Values.monitoring.expected }}
broker_sidecar: expected
{{- end }}
{{ include "broker-sidecar.podSelector" . }}
{{- end }}

{{/* The checksum lets the pod restart when its configuration changes. */}}
{{- define "broker-sidecar.podAnnotations" -}}
checksum/sidecar-config: {{ include "broker-sidecar.config" . | sha256sum }}
{{- if eq .Values.monitoring.kind "Annotations" }}
prometheus.io/scrape: "true"
prometheus.io/port: {{ int .Values.sidecar.scrape.port | quote }}
prometheus.io/path: /metrics
{{- end }}
{{- end }}

{{/* Seconds from SIGTERM to SIGKILL: the bot ends first, and the sidecar after it. */}}
{{- define "broker-sidecar.graceSeconds" -}}
{{- add (int .Values.bot.stopSeconds) (int .Values.sidecar.stopSeconds) -}}
{{- end }}
