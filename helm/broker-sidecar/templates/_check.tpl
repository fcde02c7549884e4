{{/* Values that are each right and do not go together. All of them are told at once. */}}
{{- define "broker-sidecar.check" -}}
{{- $wrong := list -}}
{{- range $part := list "Names" "Workload" "PodValues" "State" "Sidecar" "Environment" "Config" "Credentials" "Monitoring" "Alertmanager" -}}
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
{{- if and (eq $workload.kind "StatefulSet") (not .Values.service.enabled) }}
service.enabled: a StatefulSet needs the Service; set it to true
{{- end }}
{{- if and (eq $workload.kind "CronJob") (not $workload.schedule) }}
workload.schedule: is missing; give a CronJob's schedule, such as "*/5 * * * *"
{{- end }}
{{- range $key := list "replicas" "selector" "template" "strategy" "serviceName" "volumeClaimTemplates" "persistentVolumeClaimRetentionPolicy" "schedule" "timeZone" "concurrencyPolicy" "jobTemplate" "backoffLimit" "activeDeadlineSeconds" "ttlSecondsAfterFinished" }}
{{- if hasKey (default dict $workload.spec) $key }}
workload.spec.{{ $key }}: the chart sets it; {{ if hasKey $workload $key }}use workload.{{ $key }}{{ else }}remove it{{ end }}
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

{{- define "broker-sidecar.checkPodValues" -}}
{{- range $key := list "containers" "initContainers" "volumes" "imagePullSecrets" "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" "priorityClassName" "securityContext" "serviceAccountName" }}
{{- if hasKey (default dict $.Values.pod.spec) $key }}
pod.spec.{{ $key }}: the chart sets it; use {{ if eq $key "serviceAccountName" }}serviceAccount.name{{ else }}pod.{{ $key }}{{ end }}
{{- end }}
{{- end }}
{{- range $key := list "containers" "initContainers" }}
{{- range get $.Values.pod $key }}
{{- if eq (toString .name) "bot" }}
pod.{{ $key }}: bot is the name of the bot's own container; take another
{{- end }}
{{- end }}
{{- end }}
{{- $volumes := include "broker-sidecar.volumeNames" . | fromYamlArray }}
{{- range .Values.pod.volumes }}{{ $volumes = append $volumes .name }}{{ end }}
{{- if ne .Values.workload.kind "None" }}
{{- range $part := list "bot" "sidecar" }}
{{- range (get $.Values $part).volumeMounts }}
{{- if not (has .name $volumes) }}
{{ $part }}.volumeMounts: there is no volume {{ .name }}; add it to pod.volumes
{{- end }}
{{- end }}
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
