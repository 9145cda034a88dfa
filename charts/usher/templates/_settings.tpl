{{- define "usher.settings" -}}
PORTAL_URL: {{ .Values.portal.url | quote }}
SMTP_URL: {{ .Values.mail.smtpURL | quote }}
MAIL_FROM: {{ .Values.mail.from | quote }}
TRUSTED_PROXIES: {{ join "," .Values.portal.trustedProxies | quote }}
ALLOW_OUTBOUND: {{ join "," .Values.controller.allowOutbound | quote }}
CLUSTER_SERVER: {{ .Values.cluster.server | quote }}
CLUSTER_NAME: {{ .Values.cluster.name | quote }}
CLUSTER_CA_FILE: {{ include "usher.clusterCAFile" . | quote }}
PORTAL_CA_FILE: {{ ternary "/etc/usher/ca/portal.pem" "" (ne .Values.portal.ca "") | quote }}
PLUGIN_URL: {{ .Values.cluster.pluginURL | quote }}
{{- end -}}

{{- define "usher.clusterCAFile" -}}
{{- if eq .Values.cluster.ca "" -}}
/var/run/secrets/kubernetes.io/serviceaccount/ca.crt
{{- else if ne .Values.cluster.ca "system" -}}
/etc/usher/ca/cluster.pem
{{- end -}}
{{- end -}}

{{/* The data of the ConfigMap usher-ca. */}}
{{- define "usher.ca" -}}
{{- with .Values.portal.ca }}
portal.pem: {{ . | quote }}
{{- end }}
{{- if not (has .Values.cluster.ca (list "" "system")) }}
cluster.pem: {{ .Values.cluster.ca | quote }}
{{- end }}
{{- end -}}

{{- define "usher.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}
