{{/*
Checks whose failures the schema could not explain well. Each message says what to do.
*/}}

{{- define "usher.checks" -}}
{{- $ns := .Release.Namespace -}}
{{- if or (eq $ns "default") (hasPrefix "kube-" $ns) -}}
{{- fail (printf "Usher cannot be installed in the namespace %s, because its portal can create Secrets in its namespace: add --namespace usher-system --create-namespace." $ns) -}}
{{- end -}}
{{- if not .Values.image.repository -}}
{{- fail "Set image.repository to the repository of the image, such as registry.example.com/platform/usher." -}}
{{- end -}}
{{- if not (regexMatch "^https://[^/?#@\\s]+(/[^?#\\s]*)?$" .Values.portal.url) -}}
{{- fail "Set portal.url to the URL of the portal, such as https://accounts.example.com: it must begin with https://, because people send their passwords there." -}}
{{- end -}}
{{- if regexMatch "://[^/]*:[^/]*@" .Values.mail.smtpURL -}}
{{- fail "Remove the password from mail.smtpURL: put it into the Secret that mail.passwordSecret names, under the key password." -}}
{{- end -}}
{{- if not (regexMatch "^((smtp|smtps)://([^@/\\s]+@)?|smtp\\+plaintext://)[^@/\\s]+/?$" .Values.mail.smtpURL) -}}
{{- fail "Set mail.smtpURL to your mail server, such as smtp://usher@mail.example.com:587: smtp:// is STARTTLS, smtps:// is TLS, and smtp+plaintext:// has neither TLS nor a user." -}}
{{- end -}}
{{- if not (regexMatch "^[^<>@\\r\\n]*<[^<>@\\s]+@[^<>@\\s]+>$|^[^<>@\\s]+@[^<>@\\s]+$" .Values.mail.from) -}}
{{- fail "Set mail.from to the sender of all mail, such as Usher <usher@example.com>." -}}
{{- end -}}
{{- end -}}

{{/* In RBAC, an empty list of names allows all names. */}}
{{- define "usher.grantableClusterRoles" -}}
{{- if not .Values.grantableClusterRoles -}}
{{- fail "Name at least one ClusterRole in grantableClusterRoles, such as view: in RBAC, an empty list allows all ClusterRoles." -}}
{{- end -}}
{{- toJson .Values.grantableClusterRoles -}}
{{- end -}}
