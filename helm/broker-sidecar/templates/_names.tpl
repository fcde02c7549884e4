{{/* Name of every object; a release that is called like the chart says it once. A Service's name takes no dots. */}}
{{- define "broker-sidecar.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- regexReplaceAll "-+$" (default $full .Values.fullnameOverride | replace "." "-" | trunc 52) "" -}}
{{- end }}

{{- define "broker-sidecar.bot" -}}
{{- default (.Release.Name | trunc 63 | trimSuffix "-") .Values.bot.name -}}
{{- end }}

{{- define "broker-sidecar.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "broker-sidecar.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{/* Labels of every object. */}}
{{- define "broker-sidecar.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") }}
{{ include "broker-sidecar.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The same beside further ones, which go before: (list context labels). */}}
{{- define "broker-sidecar.labelsWith" -}}
{{- merge (deepCopy (default dict (index . 1))) (include "broker-sidecar.labels" (index . 0) | fromYaml) | toYaml -}}
{{- end }}

{{/* Labels by which the chart's own workload knows its pods: they can never change. */}}
{{- define "broker-sidecar.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/* The label that the sidecar brings into a pod, also one of somebody else's chart: monitors and policies go by it. */}}
{{- define "broker-sidecar.podSelector" -}}
broker-sidecar/instance: {{ include "broker-sidecar.fullname" . | quote }}
{{- end }}

{{/* An image's reference: (list image defaultTag). */}}
{{- define "broker-sidecar.image" -}}
{{- $image := index . 0 -}}
{{- $tag := default (index . 1) $image.tag -}}
{{- if $image.digest -}}
{{ printf "%s@%s" $image.repository $image.digest }}
{{- else -}}
{{ printf "%s:%s" $image.repository $tag }}
{{- end -}}
{{- end }}
