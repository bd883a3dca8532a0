#!/usr/bin/python3
"""A kubelet's part in a guest: the few calls of the CRI that cases make, on containerd's socket.

    cri.py image FILE        an image archive: busybox, under the names pause and busybox
    cri.py runp NAME         prints the sandbox's id
    cri.py create POD NAME   a container that sleeps; prints its id
    cri.py exec ID WORD...   in that container
    cri.py down POD          stops and removes the sandbox
"""
import hashlib
import io
import json
import sys
import tarfile

SOCKET = "unix:///run/containerd/containerd.sock"


# ---- messages: fields of the runtime.v1 API, as protocol buffers lay them out ----

def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def fields(data):
    at = 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    found = {}
    while at < len(data):
        tag = number()
        if tag & 7 == 0:
            found[tag >> 3] = number()
        else:
            size = number()
            found[tag >> 3] = data[at:at + size]
            at += size
    return found


def call(method, request):
    import grpc
    channel = grpc.insecure_channel(SOCKET)
    rpc = channel.unary_unary("/runtime.v1.RuntimeService/" + method)
    try:
        return fields(rpc(request, timeout=50))
    except grpc.RpcError as error:
        sys.exit(f"{method}: {error.details()}")


# PodSandboxConfig: metadata (name, uid, namespace), log folder, labels absent, linux empty but there.
def sandbox(name):
    metadata = field(1, name) + field(2, "uid-" + name) + field(3, "default")
    return field(1, metadata) + field(2, name) + field(8, b"")


def run_sandbox(name):
    print(call("RunPodSandbox", field(1, sandbox(name)))[1].decode())


# ContainerConfig: metadata, image, command, linux with its security context left as it is.
def create(pod, name):
    config = field(1, field(1, "c-" + name)) + field(2, field(1, "docker.io/local/busybox:1"))
    config += b"".join(field(3, word) for word in ("/bin/sleep", "100000")) + field(15, b"")
    request = field(1, pod) + field(2, config) + field(3, sandbox(name))
    container = call("CreateContainer", request)[1]
    call("StartContainer", field(1, container))
    print(container.decode())


def execute(container, *words):
    done = call("ExecSync", field(1, container) + b"".join(field(2, word) for word in words) + field(3, 20))
    sys.stdout.write(done.get(1, b"").decode())
    sys.stderr.write(done.get(2, b"").decode())
    sys.exit(done.get(3, 0))


def down(pod):
    call("StopPodSandbox", field(1, pod))
    call("RemovePodSandbox", field(1, pod))


# ---- the image: one layer with a static busybox under several names ----

def archive(entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in entries:
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size, info.mode = len(content), 0o755
                tar.addfile(info, io.BytesIO(content))
            else:
                info.type, info.linkname = tarfile.SYMTYPE, content
                tar.addfile(info)
    return out.getvalue()


def image(path):
    with open("/bin/busybox", "rb") as file:
        busybox = file.read()
    layer = archive([("bin/busybox", busybox)] + [("bin/" + name, "busybox") for name in ("sh", "ls", "sleep", "cat")])
    digest = "sha256:" + hashlib.sha256(layer).hexdigest()
    config = json.dumps({
        "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/bin/sleep", "100000"]},
        "rootfs": {"type": "layers", "diff_ids": [digest]},
    }).encode()
    tags = ["docker.io/local/pause:1", "docker.io/local/busybox:1"]
    manifest = json.dumps([{"Config": "config.json", "RepoTags": tags, "Layers": ["layer.tar"]}]).encode()
    with open(path, "wb") as file:
        file.write(archive([("layer.tar", layer), ("config.json", config), ("manifest.json", manifest)]))


VERBS = {
    "image": image,
    "runp": run_sandbox,
    "create": create,
    "exec": execute,
    "down": down,
}
VERBS[sys.argv[1]](*sys.argv[2:])
