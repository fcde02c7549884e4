{{/* Where things are in the pod. */}}
{{- define "broker-sidecar.socket" -}}/run/sidecar/sidecar.sock{{- end }}
{{- define "broker-sidecar.secrets" -}}/etc/sidecar-secrets{{- end }}

{{/* Where the bot finds the sidecar by TCP; empty when nowhere. */}}
{{- define "broker-sidecar.url" -}}
{{- $listen := default dict .Values.config.listen -}}
{{- $tcp := ternary $listen.tcp "127.0.0.1:8787" (hasKey $listen "tcp") -}}
{{- if $tcp }}http://{{ $tcp }}{{ end -}}
{{- end }}

{{/* The sidecar's configuration: the user's, and what the chart knows better. */}}
{{- define "broker-sidecar.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $listen := merge (dict "unix" (include "broker-sidecar.socket" .)) (default dict $config.listen) -}}
{{- /* merge takes an explicit null for unset, and null says: no TCP. */ -}}
{{- if hasKey (default dict .Values.config.listen) "tcp" -}}
{{- $_ := set $listen "tcp" .Values.config.listen.tcp -}}
{{- end -}}
{{- if .Values.sidecar.token.secretName -}}
{{- $_ := set $listen "token_file" (printf "%s/listen/token" (include "broker-sidecar.secrets" .)) -}}
{{- end -}}
{{- $_ := set $config "listen" $listen -}}
{{- $_ := set $config "scrape" (dict "address" (printf "%s:%d" .Values.sidecar.scrape.host (int .Values.sidecar.scrape.port))) -}}
{{- $_ := set $config "state" (merge (dict "path" "/var/lib/sidecar/state.db") (default dict $config.state)) -}}
{{- $_ := set $config "audit" (merge (dict "directory" "/var/lib/sidecar/audit") (default dict $config.audit)) -}}
{{- if and .Values.rules.runbookUrl (not (dig "alerting" "alertmanager" "runbook_url" "" $config)) -}}
{{- $page := dict "runbook_url" (trimSuffix "/" .Values.rules.runbookUrl) -}}
{{- $config = mergeOverwrite $config (dict "alerting" (dict "alertmanager" $page)) -}}
{{- end -}}
{{- range $name, $credentials := .Values.credentials -}}
{{- $broker := get $config.brokers $name -}}
{{- $keys := merge (dict "use" (default "sign" $credentials.use)) (default dict $broker.credentials) -}}
{{- range $item, $_ := $credentials.items -}}
{{- $_ := set $keys (printf "%s_file" (snakecase $item)) (printf "%s/brokers/%s/%s" (include "broker-sidecar.secrets" $) $name $item) -}}
{{- end -}}
{{- $_ := set $broker "credentials" $keys -}}
{{- end -}}
{{- toYaml $config -}}
{{- end }}

{{/* The ports at which the brokers are called, as a JSON list. */}}
{{- define "broker-sidecar.brokerPorts" -}}
{{- $urls := list -}}
{{- range $broker := .Values.config.brokers -}}
{{- $urls = concat $urls (compact (list $broker.base_url $broker.stream_url)) -}}
{{- end -}}
{{- include "broker-sidecar.ports" $urls -}}
{{- end }}

{{/* The ports of a list of URLs, as a JSON list without doubles. */}}
{{- define "broker-sidecar.ports" -}}
{{- $ports := list -}}
{{- range $url := . -}}
{{- $ports = append $ports (int (include "broker-sidecar.port" $url)) -}}
{{- end -}}
{{- uniq $ports | toJson -}}
{{- end }}

{{/* The port of a URL. */}}
{{- define "broker-sidecar.port" -}}
{{- $url := urlParse . -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" -}}
{{- default (ternary "80" "443" (eq (lower $url.scheme) "http")) $port -}}
{{- end }}
