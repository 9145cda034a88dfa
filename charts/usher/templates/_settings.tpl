{{- define "usher.settings" -}}
PORTAL_URL: {{ .Values.portal.url | quote }}
SMTP_URL: {{ .Values.mail.smtpURL | quote }}
MAIL_FROM: {{ .Values.mail.from | quote }}
TRUSTED_PROXIES: {{ join "," .Values.portal.trustedProxies | quote }}
ALLOW_OUTBOUND: {{ join "," .Values.controller.allowOutbound | quote }}
{{- end -}}

{{- define "usher.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}
