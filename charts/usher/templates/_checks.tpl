{{/*
What the schema cannot say in words that help. Each sentence tells what to do.
*/}}

{{- define "usher.checks" -}}
{{- $ns := .Release.Namespace -}}
{{- if or (eq $ns "default") (hasPrefix "kube-" $ns) -}}
{{- fail (printf "Usher needs a namespace of its own, since its portal can read every Secret there, and %s is not one: add --namespace usher-system --create-namespace." $ns) -}}
{{- end -}}
{{- if not .Values.image.repository -}}
{{- fail "Set image.repository to where your cluster finds the image, such as registry.example.com/platform/usher." -}}
{{- end -}}
{{- if not (regexMatch "^https://[^/?#@\\s]+(/[^?#\\s]*)?$" .Values.portal.url) -}}
{{- fail "Set portal.url to where people reach the portal, such as https://accounts.example.com: people send their passwords there, so it begins with https://." -}}
{{- end -}}
{{- if regexMatch "://[^/]*:[^/]*@" .Values.mail.smtpURL -}}
{{- fail "Take the password out of mail.smtpURL: it belongs into the Secret that mail.passwordSecret names, under the key password." -}}
{{- end -}}
{{- if not (regexMatch "^((smtp|smtps)://([^@/\\s]+@)?|smtp\\+plaintext://)[^@/\\s]+/?$" .Values.mail.smtpURL) -}}
{{- fail "Set mail.smtpURL to your mail server, such as smtp://usher@mail.example.com:587: smtp:// is STARTTLS, smtps:// is TLS, and smtp+plaintext:// has neither TLS nor a user." -}}
{{- end -}}
{{- if not (regexMatch "^[^<>@\\r\\n]*<[^<>@\\s]+@[^<>@\\s]+>$|^[^<>@\\s]+@[^<>@\\s]+$" .Values.mail.from) -}}
{{- fail "Set mail.from to the sender of all mail, such as Usher <usher@example.com>." -}}
{{- end -}}
{{- end -}}

{{/* RBAC takes an empty list of names for every name there is. */}}
{{- define "usher.grantableClusterRoles" -}}
{{- if not .Values.grantableClusterRoles -}}
{{- fail "Name one ClusterRole at least in grantableClusterRoles, such as view: RBAC takes an empty list for all ClusterRoles there are." -}}
{{- end -}}
{{- toJson .Values.grantableClusterRoles -}}
{{- end -}}
