{{/* One line for each part: whether it was wired, and what it takes if not. */}}
{{- define "broker-sidecar.wired" -}}
{{- $rules := len (.Files.Glob "files/rules/*.yaml") -}}
{{- $boards := len (.Files.Glob "files/dashboards/*.json") -}}
{{- $keys := keys .Values.credentials | sortAlpha | join ", " -}}
{{- $told := list -}}
{{- if .Values.alertmanager.enabled }}{{ $told = append $told "AlertmanagerConfig" }}{{ end -}}
{{- if .Values.alertmanager.fragment.enabled -}}
{{- $told = append $told (printf "ConfigMap %s-alertmanager, for you to mount" (include "broker-sidecar.fullname" .)) -}}
{{- end -}}
{{- $ruled := printf "%d PrometheusRules" $rules -}}
{{- if eq .Values.rules.kind "ConfigMap" -}}
{{- $ruled = printf "ConfigMap %s-rules, for you to mount" (include "broker-sidecar.fullname" .) -}}
{{- end -}}
{{- $lines := list
  (list (ne .Values.monitoring.kind "None") (printf "scraping          by %s, every %s" .Values.monitoring.kind .Values.monitoring.interval) "scraping          monitoring.kind is None")
  (list (and .Values.rules.enabled $rules) (printf "alert rules       %s" $ruled) "alert rules       rules.enabled is false")
  (list $told (printf "notifications     %s" (join " and " $told)) "notifications     alertmanager.enabled is false: your Alertmanager decides who is told")
  (list (and .Values.dashboards.enabled $boards) (printf "dashboards        %d ConfigMaps" $boards) "dashboards        dashboards.enabled is false")
  (list .Values.networkPolicy.enabled "network policy    in for scraping; out to brokers, DNS, collector" "network policy    networkPolicy.enabled is false")
  (list .Values.podDisruptionBudget.enabled "disruption budget set" "disruption budget podDisruptionBudget.enabled is false")
  (list (ne .Values.state.kind "emptyDir") (printf "state             %s" .Values.state.kind) "state             emptyDir, see below")
  (list $keys (printf "keys              of %s, from Secrets" $keys) "keys              none: the bot signs for itself")
-}}
{{- range $lines }}
{{ ternary (printf "yes  %s" (index . 1)) (printf "no   %s" (index . 2)) (not (empty (index . 0))) }}
{{- end }}
{{- end }}
