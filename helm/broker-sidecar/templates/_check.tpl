{{/* Values that are each right and do not go together. All of them are told at once. */}}
{{- define "broker-sidecar.check" -}}
{{- $wrong := list -}}
{{- range $part := list "Workload" "Sidecar" "Config" "Credentials" "State" "Extras" -}}
{{- $wrong = concat $wrong (include (printf "broker-sidecar.check%s" $part) $ | trim | splitList "\n") -}}
{{- end -}}
{{- with compact $wrong -}}
{{- fail (printf "these values do not work together:\n  - %s\n" (join "\n  - " .)) -}}
{{- end -}}
{{- end }}

{{- define "broker-sidecar.checkWorkload" -}}
{{- $workload := .Values.workload }}
{{- $image := .Values.bot.image }}
{{- if ne $workload.kind "None" }}
{{- if not $image.repository }}
bot.image.repository: is missing; give your bot's image, or workload.kind: None where your own chart has the workload
{{- else if not (or $image.tag $image.digest) }}
bot.image: neither tag nor digest is given; give one, so that it is certain which bot trades
{{- end }}
{{- end }}
{{- if and (eq $workload.kind "CronJob") (not $workload.schedule) }}
workload.schedule: is missing; give a CronJob's schedule, such as "*/5 * * * *"
{{- end }}
{{- range $key := list "replicas" "selector" "template" "strategy" "serviceName" "volumeClaimTemplates" "persistentVolumeClaimRetentionPolicy" "schedule" "timeZone" "concurrencyPolicy" "jobTemplate" "backoffLimit" "activeDeadlineSeconds" "ttlSecondsAfterFinished" }}
{{- if hasKey (default dict $workload.spec) $key }}
workload.spec.{{ $key }}: the chart sets it; {{ if hasKey $workload $key }}use workload.{{ $key }}{{ else }}remove it{{ end }}
{{- end }}
{{- end }}
{{- range $key := list "containers" "initContainers" "volumes" "imagePullSecrets" "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" "priorityClassName" "securityContext" "serviceAccountName" }}
{{- if hasKey (default dict $.Values.pod.spec) $key }}
pod.spec.{{ $key }}: the chart sets it; use {{ if eq $key "serviceAccountName" }}serviceAccount.name{{ else }}pod.{{ $key }}{{ end }}
{{- end }}
{{- end }}
{{- $pod := .Values.podDisruptionBudget }}
{{- if $pod.enabled }}
{{- if eq (eq $pod.minAvailable nil) (eq $pod.maxUnavailable nil) }}
podDisruptionBudget: give minAvailable or maxUnavailable, one of the two
{{- end }}
{{- if has $workload.kind (list "Job" "CronJob") }}
podDisruptionBudget: says nothing to a {{ $workload.kind }}; set podDisruptionBudget.enabled: false
{{- end }}
{{- end }}
{{- end }}

{{- define "broker-sidecar.checkSidecar" -}}
{{- $native := eq .Values.sidecar.mode "native" }}
{{- if and $native (semverCompare "< 1.29.0-0" .Capabilities.KubeVersion.Version) }}
sidecar.mode: native needs Kubernetes 1.29 or newer, and this is {{ .Capabilities.KubeVersion.Version }}; use classic
{{- end }}
{{- if and (not $native) (has .Values.workload.kind (list "Job" "CronJob")) }}
sidecar.mode: a classic container never ends, so that the {{ .Values.workload.kind }} would never complete; use native
{{- end }}
{{- range .Values.sidecar.env }}
{{- if and (regexMatch "^SIDECAR_BROKERS__.+__CREDENTIALS__(KEY|SECRET|TOKEN)$" .name) (not .valueFrom) }}
sidecar.env: {{ .name }} is written out; take it from a Secret by valueFrom, or use credentials
{{- else if and (regexMatch "^SIDECAR_ALERTING__CHANNELS__.+__URL$" .name) (not .valueFrom) }}
sidecar.env: {{ .name }} is written out; take it from a Secret by valueFrom
{{- end }}
{{- end }}
{{- $budget := dig "stop" "budget_seconds" 9 .Values.config }}
{{- if ge (float64 $budget) (float64 .Values.sidecar.stopSeconds) }}
sidecar.stopSeconds: is {{ int .Values.sidecar.stopSeconds }}, and config.stop.budget_seconds is {{ $budget }}: the sidecar would be killed while it ends; give {{ add1 (ceil $budget | int) }} or more
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
{{- range $name, $credentials := .Values.credentials }}
{{- if not (hasKey (default dict $.Values.config.brokers) $name) }}
credentials.{{ $name }}: there is no config.brokers.{{ $name }}; {{ with keys (default dict $.Values.config.brokers) | sortAlpha }}one of {{ join ", " . }}{{ else }}add it{{ end }}
{{- end }}
{{- $tcp := include "broker-sidecar.url" $ }}
{{- if and $tcp (ne (default "sign" $credentials.use) "lookup") (not $.Values.sidecar.token.secretName) }}
credentials.{{ $name }}: whatever runs in the pod could trade with these keys by TCP; give sidecar.token.secretName, or config.listen.tcp: null so that only the socket is left
{{- end }}
{{- end }}
{{- end }}

{{- define "broker-sidecar.checkState" -}}
{{- $state := .Values.state }}
{{- $workload := .Values.workload }}
{{- if and (eq $state.kind "existingClaim") (not $state.existingClaim) }}
state.existingClaim: is missing; give the claim's name
{{- end }}
{{- if and (ne $state.kind "existingClaim") $state.existingClaim }}
state.existingClaim: is given, and state.kind is {{ $state.kind }}; set state.kind: existingClaim
{{- end }}
{{- if and (eq $state.kind "volumeClaimTemplates") (not (has $workload.kind (list "StatefulSet" "None"))) }}
state.kind: only a StatefulSet has a claim a pod, and workload.kind is {{ $workload.kind }}; use persistentVolumeClaim
{{- end }}
{{- if and (ne $state.kind "emptyDir") (eq (include "broker-sidecar.claimEach" $) "") }}
{{- if and (has $workload.kind (list "Deployment" "StatefulSet")) (gt (int $workload.replicas) 1) }}
workload.replicas: {{ int $workload.replicas }} pods cannot share one state file; use 1, or a StatefulSet with state.kind: persistentVolumeClaim
{{- end }}
{{- if and (eq $workload.kind "Deployment") (eq $workload.strategy "RollingUpdate") }}
workload.strategy: with RollingUpdate the new pod waits for the old one's state file and never starts; use Recreate
{{- end }}
{{- if and (eq $workload.kind "CronJob") (ne $workload.concurrencyPolicy "Forbid") }}
workload.concurrencyPolicy: two runs cannot share one state file; use Forbid
{{- end }}
{{- end }}
{{- end }}

{{- define "broker-sidecar.checkExtras" -}}
{{- $told := or .Values.alertmanager.enabled .Values.alertmanager.fragment.enabled }}
{{- if and $told (not (or .Values.alertmanager.slack.secretName .Values.alertmanager.pagerduty.secretName)) }}
alertmanager: nobody would be told; give slack.secretName, pagerduty.secretName or both
{{- end }}
{{- if and $told .Values.alertmanager.slack.secretName (not .Values.alertmanager.slack.channel) }}
alertmanager.slack.channel: is missing; give a channel, such as "#trading"
{{- end }}
{{- range $label, $_ := .Values.commonLabels }}
{{- if or (hasPrefix "app.kubernetes.io/" $label) (has $label (list "helm.sh/chart" "bot" "broker_sidecar" "broker-sidecar/instance")) }}
commonLabels.{{ $label }}: the chart sets it; take another label
{{- end }}
{{- end }}
{{- if and (eq .Values.monitoring.kind "ServiceMonitor") (not .Values.service.enabled) }}
monitoring.kind: a ServiceMonitor needs the Service; set service.enabled: true, or monitoring.kind: PodMonitor
{{- end }}
{{- if and (eq .Values.workload.kind "StatefulSet") (not .Values.service.enabled) }}
service.enabled: a StatefulSet needs the Service; set it to true
{{- end }}
{{- end }}
