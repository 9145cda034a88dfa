#!/usr/bin/env bash
# Checks the English of docs, comments, messages and the English catalogue.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

status=0
bin/vale --output=line --glob='!bin/**' . || status=1
bin/vale --output=line --glob='!bin/**' --config=hack/prose/functions.ini . || status=1

# A passage that turns a rule off says why, in a comment on the line above.
while IFS=: read -r file line _; do
  if ! sed -n "$((line - 1))p" "$file" | grep -q '<!-- .* -->'; then
    echo "$file:$line: say in a comment on the line above why a rule is off here" >&2
    status=1
  fi
done < <(grep -rn --include='*.md' --include='*.go' --exclude-dir=bin '^[/[:space:]]*<!-- vale .*\(= NO\|off\) -->' . || true)

if ((status)); then
  echo "See CONTRIBUTING.md, English" >&2
fi
exit "$status"
