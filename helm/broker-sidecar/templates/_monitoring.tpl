{{/* What PodMonitor and ServiceMonitor share. */}}
{{- define "broker-sidecar.endpoint" -}}
port: sidecar-scrape
path: /metrics
interval: {{ .Values.monitoring.interval }}
scrapeTimeout: {{ .Values.monitoring.scrapeTimeout }}
# sidecar_info carries the bot's name itself; it is the same one.
honorLabels: true
{{- end }}
