#!/usr/bin/env bash
# Checks that generated files are up to date. It generates everything in a copy of the
# tree. This finds new files as well as changed ones, and does not touch the tree.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
tar --exclude=./.git --exclude=./bin -cf - . | tar -xf - -C "$copy"
ln -s "$PWD/bin" "$copy/bin"

echo "Generating in a copy of the tree"
make --silent -C "$copy" generate
if ! diff --recursive --unified --new-file --exclude=.git --exclude=bin . "$copy"; then
  echo "Generated files are not up to date: run make generate" >&2
  exit 1
fi

for module in . hack/tools hack/control-plane hack/chart-helm; do
  echo "go mod tidy -diff in $module"
  (cd "$module" && go mod tidy -diff)
done

echo "kustomize build config/default"
bin/kustomize build config/default >/dev/null
