{{/*
Puts the sidecar into a workload: (list context manifest), where the manifest is the text of a Deployment, StatefulSet,
DaemonSet, ReplicaSet, Job, CronJob or Pod. From a chart that depends on this one:

  include "broker-sidecar.inject" (list (index .Subcharts "broker-sidecar") (include "mine.deployment" .))
*/}}
{{- define "broker-sidecar.inject" -}}
{{- $context := index . 0 -}}
{{- if not $context -}}
{{- fail "broker-sidecar.inject: its first argument is empty; give (index .Subcharts \"broker-sidecar\"), by the dependency's name or alias in your Chart.yaml" -}}
{{- end -}}
{{- $manifest := include "broker-sidecar.onlyObject" (index . 1) | fromYaml -}}
{{- include "broker-sidecar.checkShape" (list "" $manifest (include "broker-sidecar.shape" . | fromYaml)) -}}
{{- if not $manifest.kind -}}
{{- fail "broker-sidecar.inject: the manifest has no kind; give a Deployment, for example" -}}
{{- end -}}
{{- $pod := $manifest -}}
{{- range splitList "." (include "broker-sidecar.podPath" $manifest) | compact -}}
{{- $pod = get $pod . | default dict -}}
{{- end -}}
{{- $this := printf "%s %s" $manifest.kind (default "" (default dict $manifest.metadata).name) | trim -}}
{{- include "broker-sidecar.checkPod" (list $context $pod $this) -}}
{{- include "broker-sidecar.checkStateOf" (list $context $manifest $this) -}}
{{- include "broker-sidecar.intoMetadata" (list $context $pod $manifest) -}}
{{- include "broker-sidecar.intoContainers" (list $context $pod $manifest) -}}
{{- include "broker-sidecar.intoPod" (list $context $pod $this) -}}
{{- include "broker-sidecar.intoClaims" (list $context $manifest $this) -}}
{{- toYaml $manifest -}}
{{- end }}

{{/* Where the pod is in a manifest of this kind. */}}
{{- define "broker-sidecar.podPath" -}}
{{- if eq .kind "CronJob" -}}spec.jobTemplate.spec.template
{{- else if ne .kind "Pod" -}}spec.template
{{- end -}}
{{- end }}

{{- define "broker-sidecar.intoMetadata" -}}
{{- $context := index . 0 -}}
{{- $pod := index . 1 -}}
{{- $metadata := default dict $pod.metadata -}}
{{- range $key := list "labels" "annotations" -}}
{{- $own := include (printf "broker-sidecar.pod%s" (title $key)) $context | fromYaml -}}
{{- if has (index $ 2).kind (list "Job" "CronJob") -}}
{{- /* It ends, and nobody is to miss it. */ -}}
{{- $own = omit $own "broker_sidecar" -}}
{{- end -}}
{{- $_ := set $metadata $key (merge $own (default dict (get $metadata $key))) -}}
{{- end -}}
{{- $_ := set $pod "metadata" $metadata -}}
{{- end }}

{{- define "broker-sidecar.intoContainers" -}}
{{- $context := index . 0 -}}
{{- $spec := (index . 1).spec -}}
{{- $kind := (index . 2).kind -}}
{{- range concat $spec.containers (default list $spec.initContainers) -}}
{{- $_ := set . "volumeMounts" (concat (default list .volumeMounts) (include "broker-sidecar.botVolumeMounts" $context | fromYamlArray)) -}}
{{- $env := include "broker-sidecar.botEnv" $context | fromYamlArray -}}
{{- $_ := set . "env" (include "broker-sidecar.variables" (list $env (default list .env)) | fromYamlArray) -}}
{{- end -}}
{{- $sidecar := include "broker-sidecar.container" $context | fromYaml -}}
{{- if eq $context.Values.sidecar.mode "native" -}}
{{- /* First, so that every other container can use it. */ -}}
{{- $_ := set $spec "initContainers" (prepend (default list $spec.initContainers) $sidecar) -}}
{{- else if has $kind (list "Job" "CronJob") -}}
{{- fail (printf "sidecar.mode: a classic container never ends, so that the %s would never complete; use native (Kubernetes 1.29 or newer)" $kind) -}}
{{- else -}}
{{- $_ := set $spec "containers" (prepend $spec.containers $sidecar) -}}
{{- end -}}
{{- end }}

{{- define "broker-sidecar.intoPod" -}}
{{- $context := index . 0 -}}
{{- $spec := (index . 1).spec -}}
{{- $_ := set $spec "volumes" (concat (default list $spec.volumes) (include "broker-sidecar.volumes" $context | fromYamlArray)) -}}
{{- $security := default dict $spec.securityContext -}}
{{- if and $context.Values.sidecar.fsGroup (not (hasKey $security "fsGroup")) -}}
{{- $_ := set $security "fsGroup" (int $context.Values.sidecar.fsGroup) -}}
{{- end -}}
{{- $_ := set $spec "securityContext" $security -}}
{{- $needed := int (include "broker-sidecar.graceSeconds" $context) -}}
{{- $given := int (default $needed $spec.terminationGracePeriodSeconds) -}}
{{- if lt $given $needed -}}
{{- fail (printf "terminationGracePeriodSeconds of %s is %d: the bot may take %d s to end (bot.stopSeconds) and the sidecar %d s after it (sidecar.stopSeconds); give %d, or lower bot.stopSeconds" (index . 2) $given (int $context.Values.bot.stopSeconds) (int $context.Values.sidecar.stopSeconds) $needed) -}}
{{- end -}}
{{- $_ := set $spec "terminationGracePeriodSeconds" $given -}}
{{- end }}

{{/* A claim for each pod of a StatefulSet, and what becomes of all its claims when it is removed. */}}
{{- define "broker-sidecar.intoClaims" -}}
{{- $context := index . 0 -}}
{{- $spec := (index . 1).spec -}}
{{- with include "broker-sidecar.volumeClaimTemplates" $context | fromYamlArray -}}
{{- $keep := $context.Values.state.keep -}}
{{- $wanted := ternary "Retain" "Delete" $keep -}}
{{- $others := default list $spec.volumeClaimTemplates -}}
{{- $policy := default dict $spec.persistentVolumeClaimRetentionPolicy -}}
{{- if and $others (not $keep) (not $policy.whenDeleted) -}}
{{- fail (printf "broker-sidecar.inject: %s: state.keep is false, and its other claims would go with the sidecar's; give persistentVolumeClaimRetentionPolicy: { whenDeleted: Delete } if they may, or state.keep: true" (index $ 2)) -}}
{{- else if ne (default $wanted $policy.whenDeleted) $wanted -}}
{{- fail (printf "broker-sidecar.inject: %s: persistentVolumeClaimRetentionPolicy.whenDeleted is %s, and state.keep is %t; give state.keep: %t" (index $ 2) $policy.whenDeleted $keep (not $keep)) -}}
{{- end -}}
{{- $_ := set $spec "persistentVolumeClaimRetentionPolicy" (merge $policy (dict "whenDeleted" $wanted "whenScaled" "Retain")) -}}
{{- $_ := set $spec "volumeClaimTemplates" (concat $others .) -}}
{{- end -}}
{{- end }}
