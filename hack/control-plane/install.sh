#!/usr/bin/env bash
# Puts the control plane of the tests and the demo (kube-apiserver, etcd,
# kube-controller-manager, kubectl) into bin/. It copies the programs from
# $KUBEBUILDER_ASSETS, downloads them with setup-envtest, or builds them from Go modules.
# Each step fetches only what the previous one left missing.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=$(cd "$here/../.." && pwd)/bin
programs=(etcd kube-apiserver kube-controller-manager kubectl)

version_of() { awk -v module="$1" '$1 == module && $2 { print $2; exit }' "$here/go.mod"; }
kubernetes=$(version_of k8s.io/kubernetes)
wanted="kubernetes $kubernetes, etcd $(version_of go.etcd.io/etcd/server/v3)"

missing() {
  local program
  for program in "${programs[@]}"; do
    [[ -x $bin/$program ]] || echo "$program"
  done
}

# The temporary directory is inside bin/ so that mv is a rename. A program is therefore
# complete or absent, whenever the script is stopped.
place() { mv -f "$1" "$bin/$(basename "$1")"; }

copy_from() {
  local program
  for program in $(missing); do
    if [[ -x $1/$program ]]; then
      cp -L "$1/$program" "$tmp/$program"
      place "$tmp/$program"
    fi
  done
}

download() {
  local setup=$bin/setup-envtest series=${kubernetes#v} path
  series=${series%.*}.x
  # The index answers within a second or not at all. Only if it answers is it worth waiting
  # for the archive.
  timeout 10 "$setup" list "$series" >/dev/null 2>&1 || return 1
  echo "Downloading Kubernetes $series with setup-envtest: less than a minute"
  path=$(timeout 180 "$setup" use "$series" --bin-dir "$tmp/envtest" --print path 2>/dev/null) || return 1
  copy_from "$path"
}

# compile builds packages and shows the progress. go build names each package that it
# compiles, but none that is in its cache.
compile() (
  cd "$here"
  flags=$1
  shift
  echo "Downloading the modules"
  total=$(go list -deps "$@" 2>"$tmp/downloads" | wc -l) || { cat "$tmp/downloads" >&2; exit 1; }
  CGO_ENABLED=0 go build -v -trimpath -ldflags "$flags" -o "$tmp/built/" "$@" 2>&1 | progress "$total"
)

# progress counts the packages that go build names, and passes on all other lines.
progress() {
  local total=$1 done=0 shown=$SECONDS line
  while IFS= read -r line; do
    if [[ $line == *" "* || $line == "#"* ]]; then
      echo "$line" >&2
      continue
    fi
    done=$((done + 1))
    ((SECONDS - shown < 5)) && continue
    shown=$SECONDS
    echo "  $done of at most $total packages, ${SECONDS} s"
  done
  echo "  $done packages compiled, linking done after ${SECONDS} s"
}

build() {
  local program
  local packages=()
  for program in "$@"; do
    case $program in
      etcd) packages+=(go.etcd.io/etcd/server/v3) ;;
      *) packages+=("k8s.io/kubernetes/cmd/$program") ;;
    esac
  done
  local base=k8s.io/component-base/version minor=${kubernetes#*.}
  local flags="-s -w -X $base.gitVersion=$kubernetes"
  flags+=" -X $base.gitMajor=${kubernetes:1:1} -X $base.gitMinor=${minor%.*}"
  mkdir "$tmp/built"
  compile "$flags" "${packages[@]}"
  # go build names a program after its directory.
  [[ ! -e $tmp/built/server ]] || mv "$tmp/built/server" "$tmp/built/etcd"
  for program in "$@"; do place "$tmp/built/$program"; done
}

mkdir -p "$bin"
record=$bin/control-plane.version
if [[ "$(cat "$record" 2>/dev/null)" != "$wanted" ]]; then
  for program in "${programs[@]}"; do rm -f "$bin/$program"; done
  echo "$wanted" >"$record"
fi
if [[ -z $(missing) ]]; then
  echo "The control plane is in bin/ ($wanted)"
  exit 0
fi

tmp=$(mktemp -d "$bin/.control-plane.XXXXXX")
# setup-envtest makes its directories read-only.
trap 'chmod -R u+w "$tmp"; rm -rf "$tmp"' EXIT

if [[ -n ${KUBEBUILDER_ASSETS:-} ]]; then
  echo "Copying the control plane from KUBEBUILDER_ASSETS"
  copy_from "$KUBEBUILDER_ASSETS"
else
  download || echo "setup-envtest cannot download the control plane"
fi

mapfile -t rest < <(missing)
if ((${#rest[@]})); then
  echo "Building ${rest[*]} from Go modules. The first time, this takes about five minutes on two cores"
  build "${rest[@]}"
fi
echo "The control plane is in bin/ ($wanted), ready after ${SECONDS} s"
