#!/usr/bin/env bash
# Checks the English of docs, comments, messages and the English catalogue.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# Vale skips hidden folders unless they are named.
status=0
bin/vale --output=line --glob='!bin/**' . .ci || status=1
bin/vale --output=line --glob='!bin/**' --config=hack/prose/comments.ini . || status=1

# A passage or a file that turns a rule off says why, in a comment on the line above.
without_reason() {
  awk 'FNR == 1 { above = "" }
    (/(^|[^`])<!-- *vale / && !/(YES|on) *-->/ && (above !~ /--> *$/ || above ~ /<!-- *vale /)) ||
    (/^[A-Za-z.]+ *= *(NO)?$/ && above !~ /^#/) { print FILENAME ":" FNR ": say in a comment on the line above why a rule is off here" }
    { above = $0 }' "$@"
}
mapfile -t files < <(git ls-files '*.md' .vale.ini hack/prose/comments.ini)
reasons=$(without_reason "${files[@]}")
if [[ $reasons ]]; then
  echo "$reasons" >&2
  status=1
fi

if ((status)); then
  echo "See CONTRIBUTING.md, English" >&2
fi
exit "$status"
