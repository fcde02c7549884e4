{{/* Contradictions in what others know the release by, and in who watches it. */}}
{{- define "broker-sidecar.checkNames" -}}
{{- if not .Values.enabled }}
enabled: is false, and nothing goes by it; give the dependency in your Chart.yaml condition: {{ .Chart.Name }}.enabled
{{- end }}
{{- $name := include "broker-sidecar.fullname" . }}
{{- if and .Values.service.enabled (not (regexMatch "^[a-z]" $name)) }}
fullnameOverride: is missing; the release's name begins with a digit, which no Service's may: give bot-{{ $name }}, for example
{{- end }}
{{- range $values, $given := dict "commonLabels" .Values.commonLabels "pod.labels" .Values.pod.labels }}
{{- range $label, $_ := $given }}
{{- if or (hasPrefix "app.kubernetes.io/" $label) (has $label (list "helm.sh/chart" "bot" "broker_sidecar" "broker-sidecar/instance")) }}
{{ $values }}.{{ $label }}: the chart sets it; {{ if eq $label "bot" }}use bot.name{{ else }}take another label{{ end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "broker-sidecar.checkMonitoring" -}}
{{- $monitoring := .Values.monitoring }}
{{- if and (eq $monitoring.kind "ServiceMonitor") (not .Values.service.enabled) }}
monitoring.kind: a ServiceMonitor needs the Service; set service.enabled: true, or monitoring.kind: PodMonitor
{{- end }}
{{- range $key := list "port" "path" "interval" "scrapeTimeout" "honorLabels" }}
{{- if hasKey $monitoring.endpoint $key }}
monitoring.endpoint.{{ $key }}: the chart sets it; {{ if hasKey $monitoring $key }}use monitoring.{{ $key }}{{ else }}remove it{{ end }}
{{- end }}
{{- end }}
{{- $seconds := dict }}
{{- range $key := list "interval" "scrapeTimeout" }}
{{- $value := get $monitoring $key }}
{{- $_ := set $seconds $key (mulf (regexFind "^[0-9]+" $value | float64) (get (dict "ms" 0.001 "s" 1.0 "m" 60.0) (regexFind "[a-z]+$" $value))) }}
{{- end }}
{{- if gt $seconds.scrapeTimeout $seconds.interval }}
monitoring.scrapeTimeout: is {{ $monitoring.scrapeTimeout }}, longer than monitoring.interval, which is {{ $monitoring.interval }}: Prometheus takes no such job; give {{ $monitoring.interval }} or less
{{- end }}
{{- end }}

{{- define "broker-sidecar.checkAlertmanager" -}}
{{- $told := or .Values.alertmanager.enabled .Values.alertmanager.fragment.enabled }}
{{- if and $told (not (or .Values.alertmanager.slack.secretName .Values.alertmanager.pagerduty.secretName)) }}
alertmanager: nobody would be told; give slack.secretName, pagerduty.secretName or both
{{- end }}
{{- if and $told .Values.alertmanager.slack.secretName (not .Values.alertmanager.slack.channel) }}
alertmanager.slack.channel: is missing; give a channel, such as "#trading"
{{- end }}
{{- end }}
