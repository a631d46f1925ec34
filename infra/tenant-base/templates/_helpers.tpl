{{/* The tenant's host, which must be one that gateway and certificate are there for. */}}
{{- define "tenant.host" -}}
{{- if ne (regexReplaceAll "^[^.]+\\." .Values.tenant.host "") .Values.domain -}}
{{- fail (printf "host %s is not one label below %s: neither the gateway nor its certificate serve it" .Values.tenant.host .Values.domain) -}}
{{- end -}}
{{- if eq .Values.tenant.host (printf "argocd.%s" .Values.domain) -}}
{{- fail (printf "host %s is Argo CD's own" .Values.tenant.host) -}}
{{- end -}}
{{- .Values.tenant.host -}}
{{- end -}}

{{- define "tenant.labels" -}}
app.kubernetes.io/name: sundial
app.kubernetes.io/instance: {{ .Values.tenant.slug | quote }}
app.kubernetes.io/part-of: sundial
app.kubernetes.io/managed-by: {{ .Release.Service }}
sundial.io/tenant: {{ .Values.tenant.slug | quote }}
{{- end -}}

{{- define "tenant.image" -}}
{{- with .Values.images.backend -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}
{{- else }}{{ .repository }}:{{ required "images.backend has neither digest nor tag: the environment's file names one" .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What `sundial onboard` is given: the tenant's part of its file. */}}
{{- define "tenant.file" -}}
{{- $tenant := pick .Values.tenant "slug" "name" "group" "environment" "access" -}}
{{- with .Values.tenant.quota -}}
{{- /* Helm reads numbers as fractions and would write 1e+08. */ -}}
{{- $quota := dict -}}
{{- range $what, $most := . }}{{ $_ := set $quota $what (int64 $most) }}{{ end -}}
{{- $_ := set $tenant "quota" $quota -}}
{{- end -}}
{{- with .Values.tenant.retentionDays }}{{ $_ := set $tenant "retentionDays" (int .) }}{{ end -}}
{{- /* So that the server misses its runs from the first one on. */ -}}
{{- $_ := set $tenant "producers" (list (merge (dict "name" "clock") .Values.tenant.producer)) -}}
{{- dict "tenants" (list $tenant) | toYaml -}}
{{- end -}}

{{/* The pod that onboards, for the Job and the CronJob alike. */}}
{{- define "tenant.onboarding" -}}
metadata:
  labels:
    {{- include "tenant.labels" . | nindent 4 }}
    app.kubernetes.io/component: onboarding
spec:
  restartPolicy: Never
  serviceAccountName: onboard-{{ .Values.tenant.slug }}
  # It writes the two Secrets by the Kubernetes API.
  automountServiceAccountToken: true
  enableServiceLinks: false
  {{- with .Values.images.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    seccompProfile: { type: RuntimeDefault }
  containers:
    - name: onboard
      image: {{ include "tenant.image" . }}
      imagePullPolicy: {{ .Values.images.pullPolicy }}
      args: [onboard, /etc/sundial/tenant/tenants.yaml, --namespace, {{ .Values.tenant.slug | quote }}]
      env:
        - name: SUNDIAL_DATABASE_URL
          valueFrom: { secretKeyRef: { name: sundial-owner, key: database-url } }
        - { name: SUNDIAL_DATABASE_CA_FILE, value: /etc/sundial/secret/database-ca.crt }
        - { name: SUNDIAL_ONBOARDING_KEY_FILE, value: /etc/sundial/secret/onboarding-key }
        - { name: SUNDIAL_GITHUB_CLIENT_SECRET_FILE, value: /etc/sundial/secret/github-client-secret }
        - { name: SUNDIAL_GITHUB_WEBHOOK_SECRET_FILE, value: /etc/sundial/secret/github-webhook-secret }
      resources:
        requests: { cpu: 50m, memory: 64Mi, ephemeral-storage: 16Mi }
        limits: { memory: 256Mi, ephemeral-storage: 64Mi }
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: { drop: [ALL] }
      volumeMounts:
        - { name: tenant, mountPath: /etc/sundial/tenant, readOnly: true }
        - { name: secret, mountPath: /etc/sundial/secret, readOnly: true }
  volumes:
    - name: tenant
      configMap: { name: onboard-{{ .Values.tenant.slug }} }
    - name: secret
      secret: { secretName: sundial-owner, defaultMode: 0440 }
{{- end -}}
