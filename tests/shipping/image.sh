#!/usr/bin/env bash
# Builds the node image without a network and runs it under runc as the DaemonSet does, against a folder of its own.
# image.sh BINARY FOLDER OPTION... [+ OPTION...]: the options are the image's arguments, once for each of its runs.
# POD=FILE image.sh BINARY FOLDER: the init container of that pod, JSON, instead; what it has of the host is below FOLDER.
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

init_container() {
    # What the runtime of a node makes of it, but for seccomp.
    python3 - "$rootfs" "$folder" "$POD" <<'END' >"$work/bundle/config.json"
import json, os, sys
rootfs, folder, pod = sys.argv[1:]
pod = json.load(open(pod))
container = pod["initContainers"][0]
security = container["securityContext"]
volumes = {volume["name"]: volume for volume in pod["volumes"]}
mounts = [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
]
for mount in container["volumeMounts"]:
    host = volumes[mount["name"]].get("hostPath", {}).get("path", "/document")
    source = host if host == "/sys" else folder + host
    os.makedirs(source, exist_ok=True)
    mode = "ro" if mount.get("readOnly") else "rw"
    mounts.append({"destination": mount["mountPath"], "source": source, "type": "bind", "options": ["rbind", mode]})
kept = ["CAP_" + name for name in security["capabilities"]["add"]]
shared = {"network": pod.get("hostNetwork"), "pid": pod.get("hostPID"), "ipc": pod.get("hostIPC")}
own = ["mount", "uts"] + [kind for kind in shared if not shared[kind]]
json.dump({
    "ociVersion": "1.0.2",
    "process": {
        "args": container["command"] + container["args"], "cwd": "/",
        "user": {"uid": security["runAsUser"], "gid": security["runAsGroup"]},
        "capabilities": {key: kept for key in ("bounding", "effective", "permitted")},
    },
    "root": {"path": rootfs, "readonly": security["readOnlyRootFilesystem"]},
    "mounts": mounts,
    "linux": {"namespaces": [{"type": kind} for kind in own]},
}, sys.stdout)
END
    runc --root "$work/runc" run --no-pivot --bundle "$work/bundle" "rdmactl-test-$$"
}

if [ -n "${POD-}" ]; then
    init_container
    exit
fi
if ! (($#)); then set -- +; fi
while (($#)); do
    options=()
    while (($#)) && [ "$1" != + ]; do options+=("$1"); shift; done
    if (($#)); then shift; fi
    start "${options[@]}"
    # Each run begins with an empty folder.
    if (($#)) && [ -n "$folder" ]; then rm -f "$folder"/*; fi
done
