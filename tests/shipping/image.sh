#!/usr/bin/env bash
# Builds the node image without a network and runs it under runc as the DaemonSet does, against a folder of its own.
# image.sh BINARY FOLDER OPTION... [+ OPTION...]: the options are the image's arguments, once for each of its runs.
set -euo pipefail
cd "$(dirname "$0")/../.."
binary=$1 folder=$2
shift 2

work=$(mktemp -d target/shipping/image.XXXXXX)
work=$(realpath "$work")
trap 'rm -rf "$work"' EXIT
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
printf '[storage]\ndriver = "vfs"\ngraphroot = "%s/graph"\nrunroot = "%s/run"\n' "$work" "$work" >"$work/storage.conf"
export CONTAINERS_STORAGE_CONF=$work/storage.conf

unshare --net deployment/build --binary "$binary" --tag test:1 --context "$work/context" -- --quiet --pull-never >&2
container=$(buildah from --pull-never test:1)
mkdir -p "$work/bundle"
rootfs=$(buildah mount "$container")
buildah inspect --type image test:1 >"$work/image.json"

(cd "$rootfs" && find . -not -type d) | sort

start() {
    # What the runtime of a node makes of the image and of deployment/base/daemonset.yaml.
    python3 - "$work" "$rootfs" "$folder" "$@" <<'END' >"$work/bundle/config.json"
import json, sys
work, rootfs, folder, *args = sys.argv[1:]
image = json.load(open(f"{work}/image.json"))["OCIv1"]["config"]
assert not image.get("User") and not image.get("Cmd"), image
bind = {"destination": "/host/opt/cni/bin", "source": folder, "type": "bind", "options": ["rbind", "rw"]}
proc = {"destination": "/proc", "type": "proc", "source": "proc"}
json.dump({
    "ociVersion": "1.0.2",
    "process": {
        "args": image["Entrypoint"] + args, "cwd": "/", "env": image.get("Env", []),
        "user": {"uid": 0, "gid": 0}, "noNewPrivileges": True,
        "capabilities": {key: [] for key in ("bounding", "effective", "inheritable", "permitted", "ambient")},
    },
    "root": {"path": rootfs, "readonly": True},
    "mounts": [proc] + ([bind] if folder else []),
    "linux": {"namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts", "network")]},
}, sys.stdout)
END
    # --no-pivot: here the root is a folder, not the root of a file system.
    local name=rdmactl-test-$$
    runc --root "$work/runc" run --no-pivot --bundle "$work/bundle" "$name" &
    if [[ " $* " != *"-no-sleep "* ]]; then
        # It stays: it is told to stop when its work is seen, as a runtime does that ends a pod.
        for _ in $(seq 300); do
            if [ -e "$folder/ib-sriov" ]; then break; fi
            sleep 0.1
        done
        runc --root "$work/runc" kill "$name" TERM
    fi
    wait $!
}

if ! (($#)); then set -- +; fi
while (($#)); do
    options=()
    while (($#)) && [ "$1" != + ]; do options+=("$1"); shift; done
    if (($#)); then shift; fi
    start "${options[@]}"
    # Each run begins with an empty folder.
    if (($#)) && [ -n "$folder" ]; then rm -f "$folder"/*; fi
done
