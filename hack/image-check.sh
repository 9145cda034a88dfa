#!/usr/bin/env bash
# Checks without a container engine what the image relies on: bin/usher runs with
# nothing around it (no libraries, no shell, no /etc) as a user that owns nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cp bin/usher "$root/usher"
chmod 0755 "$root"

if ((EUID == 0)); then
  run=(chroot --userspec=65532:65532)
elif unshare --map-root-user true 2>/dev/null; then
  # Without root there is no second user to become; the empty root is still a check.
  run=(unshare --map-root-user chroot)
else
  echo "SKIPPED: the check of the image needs root or user namespaces" >&2
  exit 0
fi
echo "Runs alone in an empty root: $("${run[@]}" "$root" /usher version)"
