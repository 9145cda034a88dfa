#!/usr/bin/env bash
# Checks, without a container engine, the assumptions of the image: bin/usher runs with
# no libraries, no shell and no /etc, as a user that owns nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# A tag can later name another image. A digest cannot.
if grep -inE '^(FROM|# *syntax=)' Dockerfile | grep -viE 'FROM scratch|@sha256:[0-9a-f]{64}( |$)'; then
  echo "Pin the images above in the Dockerfile by digest: name:tag@sha256:…" >&2
  exit 1
fi

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cp bin/usher "$root/usher"
chmod 0755 "$root"

if ((EUID == 0)); then
  run=(chroot --userspec=65532:65532)
elif unshare --map-root-user true 2>/dev/null; then
  # Without root there is no second user to switch to. The empty root is still checked.
  run=(unshare --map-root-user chroot)
else
  echo "SKIPPED: the check of the image needs root or user namespaces" >&2
  exit 0
fi
echo "Runs alone in an empty root: $("${run[@]}" "$root" /usher version)"
