{{/* The pod of one run, for the CronJob and for `helm test`. */}}
{{- define "sundial.producer" -}}
{{- include "sundial.pod" . }}
# Deliveries on their way get 5 s.
terminationGracePeriodSeconds: 10
containers:
  - name: producer
    {{- include "sundial.container" (list . "producer") | nindent 4 }}
    args: [once]
    {{- with .Values.producer }}
    env:
      - { name: SUNDIAL_URL, value: "http://{{ include "sundial.name" (list $ "backend") }}:8080" }
      - { name: SUNDIAL_TENANT, value: {{ .tenant | default $.Values.tenant | quote }} }
      - { name: SUNDIAL_TOKEN_FILE, value: /etc/sundial/secret/token }
      - { name: SUNDIAL_NAME, value: {{ .name | quote }} }
      - { name: SUNDIAL_SCHEDULE, value: {{ .schedule | quote }} }
      - { name: SUNDIAL_TIME_ZONE, value: {{ .timeZone | quote }} }
      - { name: SUNDIAL_SOURCE, value: {{ .source }} }
      {{- if eq .source "prometheus" }}
      - { name: SUNDIAL_SCRAPE_URL, value: {{ .scrape.url | quote }} }
      {{- end }}
      - { name: SUNDIAL_SPOOL, value: /tmp/spool }
    resources:
      {{- toYaml .resources | nindent 6 }}
    {{- end }}
    volumeMounts:
      - { name: secret, mountPath: /etc/sundial/secret, readOnly: true }
      - { name: tmp, mountPath: /tmp }
volumes:
  {{- include "sundial.secret" .Values.secrets.producer | nindent 2 }}
  - name: tmp
    # As much as the spool takes, and some room.
    emptyDir: { sizeLimit: 192Mi }
{{- end }}
