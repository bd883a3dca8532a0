#!/bin/bash
# The show that tests/demo runs in the guest: what is typed, and what comes back.

export PATH=/lab/demo:$PATH

say() {
    printf '\n\033[1m# %s\033[0m\n' "$*"
}

# Prints a command as a person would type it, then runs it. Commands that are meant to fail go through `fails`.
run() {
    printf '\033[32m$ %s\033[0m\n' "$*"
    bash -c "$*" || { printf '\033[31mdemo: exit status %s\033[0m\n' $?; exit 1; }
}

fails() {
    printf '\033[32m$ %s\033[0m\n' "$*"
    if bash -c "$*"; then
        printf '\033[31mdemo: this should have failed\033[0m\n'
        exit 1
    fi
}

modprobe -a ib_core ib_uverbs
insmod /lab/adapter/rdmalab.ko mode=ib vf_guids=1
pf=$(basename "$(dirname "$(ls -d /sys/bus/pci/drivers/mlx5_core/0000:*/sriov_totalvfs)")")

say "A host on Linux $(uname -r) with one SR-IOV adapter (simulated). RDMA devices are shared by all."
run rdmactl system show
run rdmactl dev show

say 'Exclusive mode: from now on a device belongs to one network namespace.'
run rdmactl system set netns exclusive
run rdmactl system show

say 'Four virtual functions.'
run "echo 4 > /sys/bus/pci/devices/$pf/sriov_numvfs"
run rdmactl dev show

say 'A device moves into a namespace, and nothing else sees it any more.'
run ip netns add blue
run rdmactl dev set mlx5_2 netns blue
run rdmactl link show
run rdmactl --netns blue link show
fails rdmactl dev show mlx5_2

say 'Home again.'
run rdmactl --netns blue dev set mlx5_2 netns 1
run rdmactl dev show mlx5_2

say 'The mode cannot change while the namespace is there; the error says what to do.'
fails rdmactl system set netns shared

say 'The same through the CNI plugin: a runtime asks for VF 0 in the namespace of a container.'
vf=$(basename "$(readlink "/sys/bus/pci/devices/$pf/virtfn0")")
cat >/tmp/add.json <<END
{
  "cniVersion": "1.0.0", "name": "rdmanet", "type": "rdma", "deviceID": "$vf",
  "prevResult": { "cniVersion": "1.0.0", "interfaces": [ { "name": "net1", "sandbox": "/run/netns/blue" } ] }
}
END
run cat /tmp/add.json
export CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/blue CNI_IFNAME=net1 CNI_PATH=/lab/demo
run 'CNI_COMMAND=ADD rdma < /tmp/add.json; echo'
run rdmactl --netns blue dev show
run 'cat /var/lib/cni/rdma/*; echo'
run 'CNI_COMMAND=CHECK rdma < /tmp/add.json'

say 'The container ends; the device comes home, under its own name.'
run 'CNI_COMMAND=DEL rdma < /tmp/add.json'
run ip netns del blue
run rdmactl dev show
