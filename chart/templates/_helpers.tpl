{{/* Names, labels, and what all pods have in common. A component is: backend, frontend, producer, migration, test. */}}

{{/* NAME-COMPONENT of a release. Takes a list: root, component. */}}
{{- define "sundial.name" -}}
{{ (index . 0).Release.Name }}-{{ index . 1 }}
{{- end }}

{{/* Labels that pods are found by; they never change. Takes a list: root, component. */}}
{{- define "sundial.selector" -}}
app.kubernetes.io/name: sundial
app.kubernetes.io/instance: {{ (index . 0).Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* All labels of an object or a pod. Takes a list: root, component. */}}
{{- define "sundial.labels" -}}
{{ include "sundial.selector" . }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
app.kubernetes.io/part-of: sundial
{{- end }}

{{/* name, namespace and labels of an object. Takes a list: root, component, and a name where it is not the component's. */}}
{{- define "sundial.metadata" -}}
name: {{ include "sundial.name" (list (index . 0) (last .)) }}
namespace: {{ (index . 0).Release.Namespace | quote }}
labels:
  {{- include "sundial.labels" . | nindent 2 }}
{{- end }}

{{/* An image by digest or tag. Takes a list: root, component. */}}
{{- define "sundial.image" -}}
{{- $image := index (index . 0).Values.images (index . 1) -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default (index . 0).Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* What each pod has: no access to the API server, no root, no help for whoever breaks in. */}}
{{- define "sundial.pod" -}}
automountServiceAccountToken: false
# Else each Service of the namespace becomes a variable, some of which begin like Sundial's own.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: { type: RuntimeDefault }
{{- with .Values.images.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What each container has. Takes a list: root, component. */}}
{{- define "sundial.container" -}}
image: {{ include "sundial.image" . }}
imagePullPolicy: {{ (index . 0).Values.images.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end }}

{{/* Replicas on different nodes and in different zones, as far as there are some. Takes a list: root, component. */}}
{{- define "sundial.spread" -}}
topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "sundial.selector" $ | nindent 8 }}
    # Each version for itself, or the old pods of an update would decide where the new ones go.
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}

{{/* How replicas give way to new ones: one more first, then one fewer. */}}
{{- define "sundial.strategy" -}}
revisionHistoryLimit: 3
strategy:
  type: RollingUpdate
  rollingUpdate: { maxSurge: 1, maxUnavailable: 0 }
{{- end }}

{{/* The server's settings, and its secrets by reference. */}}
{{- define "sundial.server" -}}
envFrom:
  - configMapRef: { name: {{ include "sundial.name" (list . "backend") }} }
env:
  - name: SUNDIAL_DATABASE_URL
    valueFrom: { secretKeyRef: { name: {{ .Values.secrets.backend | quote }}, key: database-url } }
volumeMounts:
  - { name: secret, mountPath: /etc/sundial/secret, readOnly: true }
{{- end }}

{{/* A Secret as files that the group may read. Takes its name. */}}
{{- define "sundial.secret" -}}
- name: secret
  secret: { secretName: {{ . | quote }}, defaultMode: 0440 }
{{- end }}

{{/* Name of the Secret with the host's certificate. */}}
{{- define "sundial.certificate" -}}
{{ .Values.route.tls.secretName | default (include "sundial.name" (list . "tls")) }}
{{- end }}

{{/* Namespace of the proxies that pass requests on. */}}
{{- define "sundial.proxies" -}}
{{- if eq .Values.route.kind "HTTPRoute" -}}
{{ .Values.route.gateway.namespace }}
{{- else if eq .Values.route.kind "Ingress" -}}
{{ .Values.route.ingress.namespace }}
{{- end -}}
{{- end }}

{{/* A processor amount in thousandths, or one of bytes in Ki, to compare it. */}}
{{- define "sundial.amount" -}}
{{- $unit := dict "m" 1 "" 1000 "Ki" 1 "Mi" 1024 "Gi" 1048576 -}}
{{- mulf (regexFind "^[0-9.]+" (toString .) | float64) (get $unit (regexFind "[A-Za-z]*$" (toString .))) | int64 -}}
{{- end }}
