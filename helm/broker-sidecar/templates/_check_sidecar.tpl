{{/* Contradictions in what the sidecar is told, and by whom. */}}
{{- define "broker-sidecar.checkSidecar" -}}
{{- $native := eq .Values.sidecar.mode "native" }}
{{- if and $native (semverCompare "< 1.29.0-0" .Capabilities.KubeVersion.Version) }}
sidecar.mode: native needs Kubernetes 1.29 or newer, and this is {{ .Capabilities.KubeVersion.Version }}; use classic
{{- end }}
{{- if and (not $native) (has .Values.workload.kind (list "Job" "CronJob")) }}
sidecar.mode: a classic container never ends, so that the {{ .Values.workload.kind }} would never complete; use native
{{- end }}
{{- if not .Values.sidecar.image.repository }}
sidecar.image.repository: is missing; give the image that was built from this repository's Dockerfile
{{- end }}
{{- range .Values.bot.ports }}
{{- if or (eq (toString .name) "sidecar-scrape") (eq (toString .containerPort) (toString (int $.Values.sidecar.scrape.port))) }}
bot.ports: {{ with .name }}{{ . }}, {{ end }}{{ .containerPort }}, is the sidecar's; give the bot another, or the sidecar by sidecar.scrape.port
{{- end }}
{{- end }}
{{- $budget := dig "stop" "budget_seconds" 9 .Values.config }}
{{- if ge (float64 $budget) (float64 .Values.sidecar.stopSeconds) }}
sidecar.stopSeconds: is {{ int .Values.sidecar.stopSeconds }}, and config.stop.budget_seconds is {{ $budget }}: the sidecar would be killed while it ends; give {{ add1 (ceil $budget | int) }} or more
{{- end }}
{{- end }}

{{- define "broker-sidecar.checkEnvironment" -}}
{{- $owned := dict "BOT" "bot.name" "LISTEN__UNIX" "nothing: the chart shares its own socket" "LISTEN__TCP" "config.listen.tcp" "LISTEN__TOKEN_FILE" "sidecar.token" "SCRAPE__ADDRESS" "sidecar.scrape" "STATE__PATH" "state" "AUDIT__DIRECTORY" "state" "STOP__BUDGET_SECONDS" "config.stop.budget_seconds" }}
{{- range .Values.sidecar.env }}
{{- $name := .name }}
{{- with ternary (get $owned (trimPrefix "SIDECAR_" $name)) "" (hasPrefix "SIDECAR_" $name) }}
sidecar.env: {{ $name }} goes before what the chart sets; use {{ . }}
{{- end }}
{{- if and (regexMatch "^SIDECAR_BROKERS__.+__CREDENTIALS__(KEY|SECRET|TOKEN)$" .name) (not .valueFrom) }}
sidecar.env: {{ .name }} is written out; take it from a Secret by valueFrom, or use credentials
{{- else if and (regexMatch "^SIDECAR_ALERTING__CHANNELS__.+__URL$" .name) (not .valueFrom) }}
sidecar.env: {{ .name }} is written out; take it from a Secret by valueFrom
{{- end }}
{{- end }}
{{- end }}

{{- define "broker-sidecar.checkConfig" -}}
{{- $config := .Values.config }}
{{- if not $config.brokers }}
config.brokers: names no broker; give at least one, such as config.brokers.binance with profile: binance-usdm and base_url: https://fapi.binance.com
{{- end }}
{{- $owned := dict "bot" "bot.name" "scrape" "sidecar.scrape" "listen.unix" "nothing: the chart shares its own socket" "listen.token_file" "sidecar.token" "state.path" "state" "audit.directory" "state" }}
{{- range $key, $instead := $owned }}
{{- $parts := splitList "." $key }}
{{- $section := ternary $config (default dict (get $config (first $parts))) (eq (len $parts) 1) }}
{{- if hasKey $section (last $parts) }}
config.{{ $key }}: the chart sets it; use {{ $instead }}
{{- end }}
{{- end }}
{{- $url := include "broker-sidecar.url" . }}
{{- if and $url (not (regexMatch "^http://(127\\.|localhost:|\\[::1\\])" $url)) (not (dig "listen" "allow_orders_from_the_network" false $config)) }}
config.listen.tcp: is no loopback address, so that the whole cluster could trade; give 127.0.0.1 or [::1] as its host
{{- end }}
{{- if and $url (eq (include "broker-sidecar.port" $url) (toString (int .Values.sidecar.scrape.port))) }}
sidecar.scrape.port: is config.listen.tcp's port too; give one of them another
{{- end }}
{{- range $name, $channel := dig "alerting" "channels" dict $config }}
{{- if (default dict $channel).url }}
config.alerting.channels.{{ $name }}.url: a secret does not belong into values; put it into a Secret, and that into sidecar.env as SIDECAR_ALERTING__CHANNELS__{{ upper $name }}__URL
{{- end }}
{{- end }}
{{- range $name, $broker := $config.brokers }}
{{- range $key, $value := default dict $broker.credentials }}
{{- if and $value (has $key (list "key" "secret" "token")) }}
config.brokers.{{ $name }}.credentials.{{ $key }}: a secret does not belong into values; put it into a Secret and name that under credentials.{{ $name }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "broker-sidecar.checkCredentials" -}}
{{- $items := dict "binance" "key secret privateKey" "oanda" "token" "projectx" "key userName" "openalgo" "key" }}
{{- range $name, $credentials := .Values.credentials }}
{{- if not (hasKey (default dict $.Values.config.brokers) $name) }}
credentials.{{ $name }}: there is no config.brokers.{{ $name }}; {{ with keys (default dict $.Values.config.brokers) | sortAlpha }}one of {{ join ", " . }}{{ else }}add it{{ end }}
{{- end }}
{{- $profile := dig $name "profile" "" (default dict $.Values.config.brokers) }}
{{- $known := get $items (splitList "-" $profile | first) | splitList " " | compact }}
{{- range $item, $_ := $credentials.items }}
{{- if and $profile (not (has $item $known)) }}
credentials.{{ $name }}.items.{{ $item }}: says nothing to profile {{ $profile }}; {{ with $known }}it takes {{ join ", " . }}{{ else }}remove credentials.{{ $name }}, and let the bot sign{{ end }}
{{- end }}
{{- end }}
{{- $tcp := include "broker-sidecar.url" $ }}
{{- if and $tcp (ne (default "sign" $credentials.use) "lookup") (not $.Values.sidecar.token.secretName) }}
credentials.{{ $name }}: whatever runs in the pod could trade with these keys by TCP; give sidecar.token.secretName, or config.listen.tcp: null so that only the socket is left
{{- end }}
{{- end }}
{{- end }}
