{{/* What a workload must be like, so that the sidecar can be put into it. */}}

{{/* The one object of a text: of several only the first would be left, and nobody would know. */}}
{{- define "broker-sidecar.onlyObject" -}}
{{- $found := list -}}
{{- range regexSplit "(?m)^---([ \\t].*)?$" . -1 -}}
{{- with fromYaml . }}{{ $found = append $found . }}{{ end -}}
{{- end -}}
{{- if gt (len $found) 1 -}}
{{- fail (printf "broker-sidecar.inject: the manifest holds %d objects; give the workload alone, and leave the others outside" (len $found)) -}}
{{- end -}}
{{- range $found -}}
{{- if .Error -}}
{{- fail (printf "broker-sidecar.inject: the manifest is no YAML: %s" .Error) -}}
{{- end -}}
{{- toYaml . -}}
{{- end -}}
{{- end }}

{{/* What is read of a manifest. In a Pod the pod's own keys are where a Deployment has the workload's. */}}
{{- define "broker-sidecar.shape" -}}
kind: text
metadata: { name: text }
spec:
  concurrencyPolicy: text
  persistentVolumeClaimRetentionPolicy: { whenDeleted: text }
  strategy: { type: text }
  volumeClaimTemplates: [{}]
  containers: &containers [{ name: text, env: [{ name: text }], volumeMounts: [{}] }]
  initContainers: *containers
  securityContext: {}
  volumes: [{ name: text }]
  template: &pod
    metadata: { annotations: {}, labels: {} }
    spec: { containers: *containers, initContainers: *containers, securityContext: {}, volumes: [{ name: text }] }
  jobTemplate: { spec: { template: *pod } }
{{- end }}

{{/* A value is of the kind that Kubernetes wants, and so is all in it that is read, where it is given: (list path value shape). */}}
{{- define "broker-sidecar.checkShape" -}}
{{- $path := index . 0 -}}
{{- $value := index . 1 -}}
{{- $shape := index . 2 -}}
{{- if $value -}}
{{- if not (kindIs (kindOf $shape) $value) -}}
{{- $wanted := get (dict "map" "an object" "slice" "a list" "string" "text") (kindOf $shape) -}}
{{- fail (printf "broker-sidecar.inject: %s is not %s, but: %v" $path $wanted $value) -}}
{{- end -}}
{{- if kindIs "map" $shape -}}
{{- range $key, $inner := $shape -}}
{{- include "broker-sidecar.checkShape" (list (printf "%s.%s" $path $key | trimPrefix ".") (get $value $key) $inner) -}}
{{- end -}}
{{- else if kindIs "slice" $shape -}}
{{- range $number, $one := $value -}}
{{- include "broker-sidecar.checkShape" (list (printf "%s[%d]" $path $number) (default "nothing" $one) (first $shape)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* It has a pod with containers, into which nobody has put a sidecar yet: (list context pod name). */}}
{{- define "broker-sidecar.checkPod" -}}
{{- $context := index . 0 -}}
{{- $pod := index . 1 -}}
{{- $this := index . 2 -}}
{{- $spec := default dict $pod.spec -}}
{{- if not $spec.containers -}}
{{- fail (printf "broker-sidecar.inject: %s has no pod with containers" $this) -}}
{{- end -}}
{{- range $key := list "containers" "initContainers" "volumes" -}}
{{- range default list (get $spec $key) -}}
{{- if or (eq (toString .name) "broker-sidecar") (and (eq $key "volumes") (hasPrefix "sidecar-" (toString .name)) (has .name (include "broker-sidecar.volumeNames" $context | fromYamlArray))) -}}
{{- fail (printf "broker-sidecar.inject: %s has %s already, among its %s; inject it once" $this .name $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $kind := list "label" "annotation" -}}
{{- $pods := get (default dict $pod.metadata) (printf "%ss" $kind) | default dict -}}
{{- range $key, $own := include (printf "broker-sidecar.pod%ss" (title $kind)) $context | fromYaml -}}
{{- $given := toString (default $own (get $pods $key)) -}}
{{- if ne $given $own -}}
{{- $mend := dict "bot" (printf "give bot.name: %s, or call the label something else" $given) "prometheus.io/port" "Prometheus can go by one only: use another monitoring.kind than Annotations" -}}
{{- fail (printf "broker-sidecar.inject: %s: its pods' %s %s is %s, and the sidecar's is %s; %s" $this $kind $key $given $own (default "remove it" (get $mend $key))) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "broker-sidecar.volumeNames" -}}
{{- $names := list "sidecar-state" -}}
{{- range include "broker-sidecar.volumes" . | fromYamlArray }}{{ $names = append $names .name }}{{ end -}}
{{- toYaml $names -}}
{{- end }}

{{/* One state file serves one sidecar: a workload whose pods would share a claim is refused: (list context manifest name). */}}
{{- define "broker-sidecar.checkStateOf" -}}
{{- $context := index . 0 -}}
{{- $kind := (index . 1).kind -}}
{{- $spec := (index . 1).spec -}}
{{- $this := printf "broker-sidecar.inject: %s" (index . 2) -}}
{{- if include "broker-sidecar.claimEach" $context -}}
{{- if ne $kind "StatefulSet" -}}
{{- fail (printf "%s: only a StatefulSet has a claim a pod; use another state.kind than %s" $this $context.Values.state.kind) -}}
{{- end -}}
{{- else if ne $context.Values.state.kind "emptyDir" -}}
{{- $each := ternary "state.kind: volumeClaimTemplates" "a StatefulSet with state.kind: volumeClaimTemplates" (eq $kind "StatefulSet") -}}
{{- if eq $kind "DaemonSet" -}}
{{- fail (printf "%s: its pods cannot share one state file; use %s, or state.kind: emptyDir" $this $each) -}}
{{- end -}}
{{- $job := ternary (default dict (default dict $spec.jobTemplate).spec) $spec (eq $kind "CronJob") -}}
{{- range $key := list "replicas" "parallelism" -}}
{{- $pods := int (default 1 (get $job $key)) -}}
{{- if gt $pods 1 -}}
{{- fail (printf "%s: %s is %d, and these pods cannot share one state file; use 1, or %s" $this $key $pods $each) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $kind "Deployment") (ne (default "RollingUpdate" (default dict $spec.strategy).type) "Recreate") -}}
{{- fail (printf "%s: with RollingUpdate the new pod waits for the old one's state file and never starts; give strategy: { type: Recreate }" $this) -}}
{{- end -}}
{{- if and (eq $kind "CronJob") (ne (default "Allow" $spec.concurrencyPolicy) "Forbid") -}}
{{- fail (printf "%s: two runs cannot share one state file; give concurrencyPolicy: Forbid" $this) -}}
{{- end -}}
{{- end -}}
{{- end }}
