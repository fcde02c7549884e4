{{/* The shipped configuration of Alertmanager, with this release's channel and Secrets, without who is not to be told. */}}
{{- define "broker-sidecar.fragment" -}}
{{- $wanted := .Values.alertmanager.fragment -}}
{{- $slack := .Values.alertmanager.slack -}}
{{- $pagerduty := .Values.alertmanager.pagerduty -}}
{{- $config := .Files.Get "files/alertmanager/alertmanager.yaml" | fromYaml -}}
{{- $_ := set $config "templates" (list (printf "%s/*.tmpl" (trimSuffix "/" $wanted.templatesPath))) -}}
{{- if $slack.secretName -}}
{{- $_ := set $config.global "slack_api_url_file" (include "broker-sidecar.fragmentSecret" (list $wanted $slack)) -}}
{{- else -}}
{{- $_ := unset $config.global "slack_api_url_file" -}}
{{- end -}}
{{- $receivers := list -}}
{{- $told := list -}}
{{- range $receiver := $config.receivers -}}
{{- range $receiver.slack_configs -}}
{{- $_ := set . "channel" $slack.channel -}}
{{- end -}}
{{- range $receiver.pagerduty_configs -}}
{{- $_ := set . "routing_key_file" (include "broker-sidecar.fragmentSecret" (list $wanted $pagerduty)) -}}
{{- end -}}
{{- if not (or (and $receiver.slack_configs (not $slack.secretName)) (and $receiver.pagerduty_configs (not $pagerduty.secretName))) -}}
{{- $receivers = append $receivers $receiver -}}
{{- $told = append $told $receiver.name -}}
{{- end -}}
{{- end -}}
{{- $_ := set $config "receivers" $receivers -}}
{{- $routes := list -}}
{{- range $route := $config.route.routes -}}
{{- if has $route.receiver $told -}}
{{- $routes = append $routes $route -}}
{{- end -}}
{{- end -}}
{{- $_ := set $config.route "routes" $routes -}}
{{- include "broker-sidecar.withPlaces" (list . (toYaml $config)) -}}
{{- end }}

{{/* The file in which Alertmanager finds a Secret's value: (list fragment secret). */}}
{{- define "broker-sidecar.fragmentSecret" -}}
{{- $secret := index . 1 -}}
{{- printf "%s/%s/%s" (trimSuffix "/" (index . 0).secretsPath) $secret.secretName $secret.key -}}
{{- end }}
