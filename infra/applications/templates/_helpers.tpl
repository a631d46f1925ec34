{{/* Where everything comes from; without it nothing could be fetched. */}}
{{- define "applications.repository" -}}
{{- required "repository is empty: infra/bootstrap/root.yaml gives it" .Values.repository -}}
{{- end -}}

{{- define "applications.revision" -}}
{{- required "revision is empty: infra/bootstrap/root.yaml gives it" .Values.revision -}}
{{- end -}}

{{/* Applications that are there once: kept as Git has them, tried again for an hour. */}}
{{- define "applications.syncPolicy" -}}
automated: { prune: true, selfHeal: true }
retry: { limit: 10, backoff: { duration: 10s, factor: 2, maxDuration: 10m } }
{{- end -}}

{{/* Whether the definition of a kind is there is known only once an earlier wave has made it. */}}
{{- define "applications.late" -}}
argocd.argoproj.io/sync-options: SkipDryRunOnMissingResource=true
{{- end -}}

{{/* Ports of the API server, wherever it is. */}}
{{- define "applications.toApiServer" -}}
- ports:
    {{- range .ports }}
    - { port: {{ . }}, protocol: TCP }
    {{- end }}
  to:
    {{- range default (list "0.0.0.0/0" "::/0") .addresses }}
    - ipBlock: { cidr: {{ . | quote }} }
    {{- end }}
{{- end -}}

{{/* The database's port at its addresses; without addresses, everywhere but private networks. */}}
{{- define "applications.toDatabase" -}}
- ports:
    - { port: {{ .port }}, protocol: TCP }
  to:
    {{- range .addresses }}
    - ipBlock: { cidr: {{ . | quote }} }
    {{- else }}
    - ipBlock:
        cidr: 0.0.0.0/0
        except: [10.0.0.0/8, 100.64.0.0/10, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16]
    {{- end }}
{{- end -}}

{{/* The cluster's name servers. */}}
{{- define "applications.toDns" -}}
- ports:
    - { port: 53, protocol: UDP }
    - { port: 53, protocol: TCP }
  to:
    - namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: kube-system } }
      podSelector: { matchLabels: { k8s-app: kube-dns } }
{{- end -}}

{{/* Nothing in, nothing out but questions to the name servers. Takes a namespace. */}}
{{- define "applications.deny" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: default-deny
  namespace: {{ . }}
  annotations: { argocd.argoproj.io/sync-wave: "-4" }
spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: dns
  namespace: {{ . }}
  annotations: { argocd.argoproj.io/sync-wave: "-4" }
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
    {{- include "applications.toDns" nil | nindent 4 }}
{{- end -}}

{{- define "applications.podSecurity" -}}
pod-security.kubernetes.io/enforce: restricted
pod-security.kubernetes.io/warn: restricted
pod-security.kubernetes.io/audit: restricted
{{- end -}}
