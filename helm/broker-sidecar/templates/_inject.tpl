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
{{- $manifest := fromYaml (index . 1) -}}
{{- if $manifest.Error -}}
{{- fail (printf "broker-sidecar.inject: the manifest is no YAML: %s" $manifest.Error) -}}
{{- end -}}
{{- $pod := $manifest -}}
{{- if eq $manifest.kind "CronJob" -}}
{{- $pod = dig "spec" "jobTemplate" "spec" "template" dict $manifest -}}
{{- else if ne $manifest.kind "Pod" -}}
{{- $pod = dig "spec" "template" dict $manifest -}}
{{- end -}}
{{- if not (dig "spec" "containers" list $pod) -}}
{{- fail (printf "broker-sidecar.inject: this %s has no pod with containers" (default "manifest without a kind" $manifest.kind)) -}}
{{- end -}}
{{- include "broker-sidecar.checkStateOf" (list $context $manifest) -}}
{{- include "broker-sidecar.intoMetadata" (list $context $pod) -}}
{{- include "broker-sidecar.intoContainers" (list $context $pod $manifest) -}}
{{- include "broker-sidecar.intoPod" (list $context $pod $manifest) -}}
{{- with include "broker-sidecar.volumeClaimTemplates" $context | fromYamlArray -}}
{{- $_ := set $manifest.spec "volumeClaimTemplates" (concat (default list $manifest.spec.volumeClaimTemplates) .) -}}
{{- end -}}
{{- toYaml $manifest -}}
{{- end }}

{{/* One state file serves one sidecar: a workload whose pods would share a claim is refused. */}}
{{- define "broker-sidecar.checkStateOf" -}}
{{- $context := index . 0 -}}
{{- $manifest := index . 1 -}}
{{- $kind := $manifest.kind -}}
{{- $spec := $manifest.spec -}}
{{- $this := printf "broker-sidecar.inject: %s %s" $kind (dig "metadata" "name" "" $manifest) -}}
{{- if include "broker-sidecar.claimEach" $context -}}
{{- if ne $kind "StatefulSet" -}}
{{- fail (printf "%s: only a StatefulSet has a claim a pod; use another state.kind than %s" $this $context.Values.state.kind) -}}
{{- end -}}
{{- else if ne $context.Values.state.kind "emptyDir" -}}
{{- $each := ternary "state.kind: volumeClaimTemplates" "a StatefulSet with state.kind: volumeClaimTemplates" (eq $kind "StatefulSet") -}}
{{- if eq $kind "DaemonSet" -}}
{{- fail (printf "%s: its pods cannot share one state file; use %s, or state.kind: emptyDir" $this $each) -}}
{{- end -}}
{{- $job := ternary (dig "jobTemplate" "spec" dict $spec) $spec (eq $kind "CronJob") -}}
{{- range $key := list "replicas" "parallelism" -}}
{{- $pods := int (default 1 (get $job $key)) -}}
{{- if gt $pods 1 -}}
{{- fail (printf "%s: %s is %d, and these pods cannot share one state file; use 1, or %s" $this $key $pods $each) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $kind "Deployment") (ne (dig "strategy" "type" "RollingUpdate" $spec) "Recreate") -}}
{{- fail (printf "%s: with RollingUpdate the new pod waits for the old one's state file and never starts; give strategy: { type: Recreate }" $this) -}}
{{- end -}}
{{- if and (eq $kind "CronJob") (ne (dig "concurrencyPolicy" "Allow" $spec) "Forbid") -}}
{{- fail (printf "%s: two runs cannot share one state file; give concurrencyPolicy: Forbid" $this) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "broker-sidecar.intoMetadata" -}}
{{- $context := index . 0 -}}
{{- $pod := index . 1 -}}
{{- $metadata := default dict $pod.metadata -}}
{{- range $key := list "labels" "annotations" -}}
{{- $own := include (printf "broker-sidecar.pod%s" (title $key)) $context | fromYaml -}}
{{- $_ := set $metadata $key (merge $own (default dict (get $metadata $key))) -}}
{{- end -}}
{{- $_ := set $pod "metadata" $metadata -}}
{{- end }}

{{- define "broker-sidecar.intoContainers" -}}
{{- $context := index . 0 -}}
{{- $spec := (index . 1).spec -}}
{{- $kind := (index . 2).kind -}}
{{- $sidecar := include "broker-sidecar.container" $context | fromYaml -}}
{{- range concat $spec.containers (default list $spec.initContainers) -}}
{{- if eq .name $sidecar.name -}}
{{- fail (printf "broker-sidecar.inject: the pod has a container %s already; inject it once" .name) -}}
{{- end -}}
{{- $_ := set . "volumeMounts" (concat (default list .volumeMounts) (include "broker-sidecar.botVolumeMounts" $context | fromYamlArray)) -}}
{{- $_ := set . "env" (concat (include "broker-sidecar.botEnv" $context | fromYamlArray) (default list .env)) -}}
{{- end -}}
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
{{- $manifest := index . 2 -}}
{{- $_ := set $spec "volumes" (concat (default list $spec.volumes) (include "broker-sidecar.volumes" $context | fromYamlArray)) -}}
{{- $security := default dict $spec.securityContext -}}
{{- if and $context.Values.sidecar.fsGroup (not (hasKey $security "fsGroup")) -}}
{{- $_ := set $security "fsGroup" (int $context.Values.sidecar.fsGroup) -}}
{{- end -}}
{{- $_ := set $spec "securityContext" $security -}}
{{- $needed := int (include "broker-sidecar.graceSeconds" $context) -}}
{{- $given := int (default $needed $spec.terminationGracePeriodSeconds) -}}
{{- if lt $given $needed -}}
{{- fail (printf "terminationGracePeriodSeconds of %s %s is %d: the bot may take %d s to end (bot.stopSeconds) and the sidecar %d s after it (sidecar.stopSeconds); give %d, or lower bot.stopSeconds" $manifest.kind (dig "metadata" "name" "" $manifest) $given (int $context.Values.bot.stopSeconds) (int $context.Values.sidecar.stopSeconds) $needed) -}}
{{- end -}}
{{- $_ := set $spec "terminationGracePeriodSeconds" $given -}}
{{- end }}
