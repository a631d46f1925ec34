{{/* Rules of network policies. */}}

{{/* Egress to the cluster's DNS. */}}
{{- define "sundial.egress.dns" -}}
{{- with .Values.networkPolicy.dns -}}
- to:
    - namespaceSelector:
        matchLabels: { kubernetes.io/metadata.name: {{ .namespace | quote }} }
      podSelector:
        matchLabels:
          {{- toYaml .podLabels | nindent 10 }}
  ports:
    - { protocol: UDP, port: {{ .port }} }
    - { protocol: TCP, port: {{ .port }} }
{{- end }}
{{- end }}

{{/* Egress to one port of some networks. Takes a list: root, something with `addresses` and `port`. */}}
{{- define "sundial.egress.networks" -}}
{{- $to := index . 1 -}}
- to:
    {{- range $to.addresses }}
    - ipBlock: { cidr: {{ . | quote }} }
    {{- else }}
    - ipBlock:
        cidr: 0.0.0.0/0
        {{- $policy := (index $ 0).Values.networkPolicy }}
        {{- $except := $policy.except }}
        {{- range $policy.apiServer }}
        {{- /* There is no IPv6 in what they are taken out of. */}}
        {{- if not (contains ":" .) }}{{ $except = append $except . }}{{ end }}
        {{- end }}
        {{- with uniq $except }}
        except:
          {{- toYaml . | nindent 10 }}
        {{- end }}
    {{- end }}
  ports:
    - { protocol: TCP, port: {{ $to.port }} }
{{- end }}

{{/* Egress to the database. */}}
{{- define "sundial.egress.database" -}}
{{- with .Values.database.namespace -}}
- to:
    - namespaceSelector:
        matchLabels: { kubernetes.io/metadata.name: {{ . | quote }} }
  ports:
    - { protocol: TCP, port: {{ $.Values.database.port }} }
{{- else -}}
{{ include "sundial.egress.networks" (list . .Values.database) }}
{{- end }}
{{- end }}

{{/* Ingress from the proxies that pass requests on. */}}
{{- define "sundial.ingress.proxies" -}}
{{- with include "sundial.proxies" . -}}
- namespaceSelector:
    matchLabels: { kubernetes.io/metadata.name: {{ . | quote }} }
{{- end }}
{{- end }}

{{/* Pods of one component of this release, as a peer. Takes a list: root, component. */}}
{{- define "sundial.peer" -}}
- podSelector:
    matchLabels:
      {{- include "sundial.selector" . | nindent 6 }}
{{- end }}
