{{/* What PodMonitor and ServiceMonitor share. */}}
{{- define "broker-sidecar.endpoint" -}}
{{- $own := dict "port" "sidecar-scrape" "path" "/metrics" "interval" .Values.monitoring.interval "scrapeTimeout" .Values.monitoring.scrapeTimeout -}}
{{- /* sidecar_info carries the bot's name itself; it is the same one. */ -}}
{{- $_ := set $own "honorLabels" true -}}
{{- merge $own (default dict .Values.monitoring.endpoint) | toYaml -}}
{{- end }}

{{/* What a notification says of each of its alerts; Alertmanager fills it in. */}}
{{- define "broker-sidecar.alertText" -}}
{{ `{{ range .Alerts }}{{ if eq .Status "resolved" }}Over: {{ end }}{{ .Annotations.summary }}. {{ .Annotations.description }}
{{ .Annotations.action }} {{ .Annotations.runbook_url }}
{{ end }}` }}
{{- end }}

{{/* A text with the places that are the user's: (list context text). */}}
{{- define "broker-sidecar.withPlaces" -}}
{{- $values := (index . 0).Values -}}
{{- $text := index . 1 -}}
{{- with $values.rules.runbookUrl -}}
{{- $text = $text | replace "https://runbooks.example/broker-sidecar" (trimSuffix "/" .) -}}
{{- end -}}
{{- with $values.alertmanager.fragment.grafanaUrl -}}
{{- $text = $text | replace "https://grafana.example" (trimSuffix "/" .) -}}
{{- end -}}
{{- $text -}}
{{- end }}
