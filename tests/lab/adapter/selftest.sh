#!/bin/bash
# Tries the adapter in a guest, everything its README promises, and prints a line per check.
#   tests/lab/boot --kernel K --pf both --share tests/lab/adapter:src -- /lab/src/selftest.sh [PART...]
set -u
adapter=/lab/adapter
parts=(ib moves names faults vendor verbs counters subs several many eth end)
params=/sys/module/rdmalab/parameters
failed=0

# ---- checks ----

pass() { echo "PASS $1"; }
fail() { echo "FAIL $1${2:+: $2}"; failed=1; }
is() { if [[ $2 == "$3" ]]; then pass "$1"; else fail "$1" "got '$3', want '$2'"; fi; }
ok() { local name=$1 out; shift; if out=$("$@" 2>&1); then pass "$name"; else fail "$name" "$out"; fi; }
refused() {
    local name=$1 want=$2 out
    shift 2
    if out=$("$@" 2>&1); then fail "$name" "not refused"; elif [[ $out == *$want* ]]; then pass "$name"; else fail "$name" "$out"; fi
}
# Asks until the answer is the wanted one, for the things the kernel does in its own time.
soon() {
    local name=$1 want=$2 got='' i
    shift 2
    for ((i = 0; i < 100; i++)); do
        got=$("$@" 2>&1)
        if [[ $got == "$want" ]]; then pass "$name"; return; fi
        sleep 0.1
    done
    fail "$name" "got '$got', want '$want'"
}

# ---- what is there ----

pci() { basename "$(readlink -f "/sys/class/infiniband/$1/device")"; }
rdmas() { rdma dev | wc -l; }
# Only newer tools show it in a device's line; the link layer says it, too.
protocol() { rdma -j dev show "$pf" | jq -r ".[0].protocol // \"$(sed -e s/InfiniBand/ib/ -e s/Ethernet/roce/ "/sys/class/infiniband/$pf/ports/1/link_layer")\""; }
netdev_of() { ls "/sys/bus/pci/devices/$1/net" 2>/dev/null; }
ibdev_of() { ls "/sys/bus/pci/devices/$1/infiniband" 2>/dev/null; }
vf_pci() { basename "$(readlink -f "/sys/bus/pci/devices/$1/virtfn$2")"; }
vf_key() { ip -j link show "$1" | jq -r ".[0].vfinfo_list[$2].\"$3\""; }
write() { bash -c 'echo "$1" >"$2"' - "$1" "$2"; }
set_param() { echo "$2" >"$params/$1"; }
numvfs() { write "$2" "/sys/bus/pci/devices/$1/sriov_numvfs"; }
rebind() {
    write "$1" /sys/bus/pci/drivers/mlx5_core/unbind && write "$1" /sys/bus/pci/drivers_probe
}
port_state() { awk '{ print $2 }' "/sys/class/infiniband/$1/ports/1/state"; }
moved() { rdma dev set "$1" netns "$2"; }

load() {
    insmod $adapter/rdmalab.ko "$@" || exit 1
    igb=$(grep -l 0x10c9 /sys/bus/pci/devices/*/device | head -n 1 | cut -d / -f 6)
    nvme=$(for d in /sys/bus/pci/devices/*; do if [[ $(cat "$d/vendor") == 0x1b36 && $(cat "$d/device") == 0x0010 ]]; then basename "$d"; break; fi; done)
    pf=$(ibdev_of "$igb")
}
unload() { ok "rmmod ($1)" rmmod rdmalab; is "no device left ($1)" 0 "$(rdmas)"; }
back() { ip netns exec "$1" rdma dev set "$2" netns ../../proc/1/ns/net; } # the tool puts /run/netns/ in front

# ---- parts ----

part_ib() {
    load mode=ib
    is "PF of igb and of NVMe" 2 "$(rdmas)"
    is "driver's name" mlx5_core "$(basename "$(readlink -f "/sys/bus/pci/devices/$igb/driver")")"
    is "protocol ib" ib "$(protocol)"
    is "subnet prefix" fe80:0000:0000:0000 "$(rdma -j link show "$pf/1" | jq -r '.[0].subnet_prefix')"
    is "state" ACTIVE "$(rdma -j link show "$pf/1" | jq -r '.[0].state')"
    is "link layer" InfiniBand "$(cat "/sys/class/infiniband/$pf/ports/1/link_layer")"
    is "IPoIB netdev is of type 32" 32 "$(cat "/sys/class/net/$(netdev_of "$igb")/type")"
    local guid address
    guid=$(cat "/sys/class/infiniband/$pf/node_guid")
    address=$(cat "/sys/class/net/$(netdev_of "$igb")/address")
    is "its address ends in the port GUID" "${guid//:/}" "$(cut -d : -f 13- <<<"$address" | tr -d :)"
    ok "uverbs character device" test -c /dev/infiniband/uverbs0

    ok "7 VFs" numvfs "$igb" 7
    is "9 devices" 9 "$(rdmas)"
    refused "another number needs 0 first" "busy" numvfs "$igb" 3
    refused "more than there are" "" numvfs "$igb" 200
    local vf net ib
    vf=$(vf_pci "$igb" 2) net=$(netdev_of "$igb")
    is "fresh GUID is zero" 0000:0000:0000:0000 "$(cat "/sys/class/infiniband/$(ibdev_of "$vf")/node_guid")"
    ok "set node GUID" ip link set "$net" vf 2 node_guid 00:11:22:33:44:55:66:77
    ok "set port GUID" ip link set "$net" vf 2 port_guid 00:11:22:33:44:55:66:88
    is "node GUID reads back" 00:11:22:33:44:55:66:77 "$(vf_key "$net" 2 'node guid')"
    is "port GUID reads back" 00:11:22:33:44:55:66:88 "$(vf_key "$net" 2 'port guid')"
    is "not before a rebind" 0000:0000:0000:0000 "$(cat "/sys/class/infiniband/$(ibdev_of "$vf")/node_guid")"
    ok "rebind" rebind "$vf"
    ib=$(ibdev_of "$vf")
    is "node GUID after a rebind" 0011:2233:4455:6677 "$(cat "/sys/class/infiniband/$ib/node_guid")"
    is "port GUID in the GID" fe80:0000:0000:0000:0011:2233:4455:6688 "$(cat "/sys/class/infiniband/$ib/ports/1/gids/0")"
    is "port GUID in the address" 00:11:22:33:44:55:66:88 "$(cut -d : -f 13- "/sys/class/net/$(netdev_of "$vf")/address")"
    is "VF's address is the PF's own" "$(cat "/sys/class/net/$net/address")" "$(vf_key "$net" 2 address)"
    refused "no MAC on an IB VF" "not supported" ip link set "$net" vf 2 mac "$(cat "/sys/class/net/$net/address")"
    refused "no such VF" "Invalid" ip link set "$net" vf 9 state enable
    ok "link state disable" ip link set "$net" vf 2 state disable
    is "port follows" DOWN "$(port_state "$ib")"
    ok "link state enable" ip link set "$net" vf 2 state enable
    is "port follows again" ACTIVE "$(port_state "$ib")"
    is "statistics" 1002 "$(ip -s -j link show "$net" | jq '.[0].vfinfo_list[2].stats.rx.packets')"
    ok "no VFs" numvfs "$igb" 0
    ok "7 VFs again" numvfs "$igb" 7
    is "GUIDs are gone" 00:00:00:00:00:00:00:00 "$(vf_key "$net" 2 'node guid')"
    ok "no VFs again" numvfs "$igb" 0
    set_param vf_guids 1
    ok "7 VFs with GUIDs" numvfs "$igb" 7
    is "derived from the PF's" "${guid%0}4" "$(cat "/sys/class/infiniband/$(ibdev_of "$(vf_pci "$igb" 3)")/node_guid")"
    unload ib
}

part_moves() {
    load mode=ib vf_guids=1
    numvfs "$igb" 7
    local vf ib model net
    vf=$(vf_pci "$igb" 0) ib=$(ibdev_of "$vf")
    for model in init device; do
        set_param ipoib_netns $model
        ip netns add pod
        net=$(netdev_of "$vf")
        echo "$(cat "/sys/class/net/$net/ifindex")" >/tmp/before
        ok "move in ($model)" moved "$ib" pod
        is "gone here ($model)" "" "$(ibdev_of "$vf")"
        is "seen there ($model)" "$ib" "$(ip netns exec pod rdma -j dev | jq -r '.[].ifname')"
        if [[ $model == device ]]; then
            is "IPoIB there" 1 "$(ip netns exec pod ls /sys/class/net | grep -c ib)"
            is "IPoIB not here" "" "$(netdev_of "$vf")"
        else
            is "IPoIB not there" 0 "$(ip netns exec pod ls /sys/class/net | grep -c ib)"
            net=$(netdev_of "$vf")
            ok "IPoIB made anew here" test "$(cat "/sys/class/net/$net/ifindex")" -gt "$(cat /tmp/before)"
        fi
        ok "move back ($model)" back pod "$ib"
        is "here again ($model)" "$ib" "$(ibdev_of "$vf")"
        ok "and its netdev ($model)" test -n "$(netdev_of "$vf")"
        moved "$ib" pod
        ip netns del pod
        soon "comes home with the namespace's end ($model)" "$ib" ibdev_of "$vf"
        soon "and its netdev ($model)" 1 sh -c "ls /sys/bus/pci/devices/$vf/net | wc -l"
    done

    ip netns add pod
    moved "$ib" pod
    rebind "$vf"
    ok "a rebind brings a new device here" test -n "$(ibdev_of "$vf")"
    ip netns exec pod sleep 100 & local holder=$!
    moved "$(ibdev_of "$vf")" pod
    ip netns del pod
    sleep 1
    is "a process keeps the namespace" "" "$(ibdev_of "$vf")"
    ok "no VFs while one is away" numvfs "$igb" 0
    kill $holder
    wait $holder 2>/dev/null

    set_param nomove 1
    numvfs "$igb" 7
    ip netns add pod
    refused "nomove" "not supported" moved "$(ibdev_of "$(vf_pci "$igb" 1)")" pod
    set_param nomove 0
    numvfs "$igb" 0
    numvfs "$igb" 7
    vf=$(vf_pci "$igb" 1)
    set_param fail_move 1,16,1
    refused "fail_move once" "busy" moved "$(ibdev_of "$vf")" pod
    is "still here" 1 "$(ibdev_of "$vf" | wc -l)"
    ok "then it moves" moved "$(ibdev_of "$vf")" pod
    ok "another VF was never concerned" moved "$(ibdev_of "$(vf_pci "$igb" 2)")" pod
    set_param fail_move off
    ip netns del pod
    soon "both are home" 9 rdmas
    unload moves
}

# Names unique per namespace, and what becomes of a device whose name is taken at home.
part_names() {
    load mode=ib
    numvfs "$igb" 2
    local a b
    a=$(ibdev_of "$(vf_pci "$igb" 0)") b=$(ibdev_of "$(vf_pci "$igb" 1)")
    ip netns add pod
    moved "$a" pod
    if rdma dev set "$b" name "$a" 2>/dev/null; then
        pass "names are unique per namespace on this kernel"
        ip netns del pod
        soon "the clashing device comes home as ibdevN" ibdev sh -c "ls /sys/bus/pci/devices/$(vf_pci "$igb" 0)/infiniband | tr -d 0-9"
    else
        pass "names are unique in the system on this kernel"
        ip netns del pod
        soon "comes home under its name" "$a" ibdev_of "$(vf_pci "$igb" 0)"
    fi
    unload names
}

part_faults() {
    load mode=ib
    set_param fail_probe_vf 3,5
    ok "VFs with one that fails" numvfs "$igb" 7
    is "no driver on it" "" "$(readlink "/sys/bus/pci/devices/$(vf_pci "$igb" 3)/driver")"
    is "the others have" 8 "$(rdmas)"
    set_param fail_probe_vf off
    ok "a later probe" write "$(vf_pci "$igb" 3)" /sys/bus/pci/drivers_probe
    is "then all have" 9 "$(rdmas)"
    local net
    net=$(netdev_of "$igb")
    set_param fail_guid_vf 2,110,1
    refused "GUID fails once" "timed out" ip link set "$net" vf 2 node_guid 00:11:22:33:44:55:66:77
    is "and turns itself off" off "$(cat $params/fail_guid_vf)"
    ok "then works" ip link set "$net" vf 2 node_guid 00:11:22:33:44:55:66:77
    set_param fail_guid_vf all,5
    refused "GUID fails always" "Input/output" ip link set "$net" vf 4 port_guid 00:11:22:33:44:55:66:77
    refused "GUID fails always" "Input/output" ip link set "$net" vf 4 port_guid 00:11:22:33:44:55:66:77
    set_param fail_guid_vf off
    set_param fail_link_vf 1,1
    refused "link state fails" "not permitted" ip link set "$net" vf 1 state enable
    set_param fail_link_vf off
    set_param fail_port_vf 5
    refused "port cannot be asked" "Input/output" rdma link show "$(ibdev_of "$(vf_pci "$igb" 5)")/1"
    set_param fail_port_vf off
    set_param port_down_vf 5
    is "port forced down" DOWN "$(port_state "$(ibdev_of "$(vf_pci "$igb" 5)")")"
    set_param port_down_vf pf
    is "VFs follow the PF's port" DOWN "$(port_state "$(ibdev_of "$(vf_pci "$igb" 5)")")"
    set_param port_down_vf off
    is "port up again" ACTIVE "$(port_state "$(ibdev_of "$(vf_pci "$igb" 5)")")"
    ok "no VFs" numvfs "$igb" 0
    set_param fail_numvfs pf,12,1
    refused "enabling fails" "allocate memory" numvfs "$igb" 7
    set_param probe_delay_ms 200
    local start=${EPOCHREALTIME/./}
    ok "3 VFs, 200 ms each" numvfs "$igb" 3
    ok "took its time" test $((${EPOCHREALTIME/./} - start)) -ge 600000
    set_param probe_delay_ms 0
    set_param ipoib 0
    is "no IPoIB" "" "$(netdev_of "$igb")"
    set_param ipoib module
    is "none without ib_ipoib" "" "$(netdev_of "$igb")"
    modprobe ib_ipoib
    ok "one with ib_ipoib" test -n "$(netdev_of "$igb")"
    modprobe -r ib_ipoib
    is "none without again" "" "$(netdev_of "$igb")"
    set_param keep_guids 1
    set_param ipoib 1
    net=$(netdev_of "$igb")
    ip link set "$net" vf 1 port_guid 00:11:22:33:44:55:66:99
    numvfs "$igb" 0
    numvfs "$igb" 2
    is "GUIDs survive when asked" 00:11:22:33:44:55:66:99 "$(vf_key "$net" 1 'port guid')"
    unload faults
}

part_vendor() {
    load mode=ib vendor_sysfs=1
    numvfs "$igb" 2
    local dir
    dir=/sys/class/net/$(netdev_of "$igb")/device/sriov/1
    is "vendor files" "node policy port" "$(ls "$dir" | xargs)"
    ok "vendor node" write 00:11:22:33:44:55:66:77 "$dir/node"
    is "vendor node reads back" 00:11:22:33:44:55:66:77 "$(cat "$dir/node")"
    is "as by netlink" 00:11:22:33:44:55:66:77 "$(vf_key "$(netdev_of "$igb")" 1 'node guid')"
    refused "vendor node, wrong" "Invalid" write 0011:2233 "$dir/node"
    ok "vendor policy" write Down "$dir/policy"
    is "port follows" DOWN "$(port_state "$(ibdev_of "$(vf_pci "$igb" 1)")")"
    numvfs "$igb" 0
    is "gone with the VFs" "" "$(ls -d "/sys/bus/pci/devices/$igb/sriov" 2>/dev/null)"
    unload vendor
}

client() { # UVERBS QPS: starts one, its line in /tmp/client
    rm -f /tmp/stay /tmp/client
    mkfifo /tmp/stay
    $adapter/uverbs-client "/dev/infiniband/$1" "$2" </tmp/stay >/tmp/client &
    client=$!
    exec 8>/tmp/stay
    for _ in {1..50}; do if [[ -s /tmp/client ]]; then break; fi; sleep 0.1; done
}
client_ends() { exec 8>&-; wait $client; }

part_verbs() {
    load mode=ib
    numvfs "$igb" 1
    local vf ib uverbs
    vf=$(vf_pci "$igb" 0) ib=$(ibdev_of "$vf") uverbs=$(ls "/sys/bus/pci/devices/$vf/infiniband_verbs")
    client "$uverbs" 2
    is "objects made" "" "$(grep -v 'qpn [0-9]' /tmp/client)"
    is "context shows its process" "$client" "$(rdma -j res show ctx dev "$ib" | jq '.[0].pid')"
    is "QPs" 2 "$(rdma -j res show qp link "$ib/1" | jq '[.[] | select(.state == "INIT")] | length')"
    is "pd cq mr srq" "1 1 1 1" "$(for o in pd cq mr srq; do rdma -j res show $o dev "$ib" | jq 'length'; done | xargs)"
    ok "MR's length" test "$(rdma -j res show mr dev "$ib" | jq '.[0].mrlen')" = 8192
    ok "driver details" grep -q 2147483649 <<<"$(rdma -dd res show cq dev "$ib")"
    ok "raw" test -n "$(rdma -r res show cq dev "$ib")"
    if rdma res help | grep -q frmr_pools; then
        is "MR in a pool" "0:2:1:0 1" "$(rdma -j res show frmr_pools dev "$ib" | jq -r '.[0] | "\(.key) \(.in_use)"')"
        is "the kernel's own pool" 5555 "$(rdma -dd -j res show frmr_pools dev "$ib" | jq '.[1].kernel_vendor_key')"
        ok "pin handles" rdma res set frmr_pools dev "$ib" pinned 1:2:0:1 3
        ok "age handles" rdma res set frmr_pools dev "$ib" aging 100
    fi
    ip netns add pod
    ok "a move takes the context away" moved "$ib" pod
    is "context gone" 0 "$(ip netns exec pod rdma -j res show ctx dev "$ib" | jq 'length')"
    client_ends
    refused "open from here" "not permitted" $adapter/uverbs-client "/dev/infiniband/$(ls /dev/infiniband | tail -n 1)"
    ip netns del pod
    soon "home" "$ib" ibdev_of "$vf"
    client "$(ls "/sys/bus/pci/devices/$vf/infiniband_verbs")" 1
    ok "unbind with a context open" write "$vf" /sys/bus/pci/drivers/mlx5_core/unbind
    client_ends
    write "$vf" /sys/bus/pci/drivers_probe
    unload verbs
}

moderation() { rdma -d dev show "$1" | grep -o 'adaptive-moderation [a-z]*' | cut -d ' ' -f 2; }

part_counters() {
    load mode=ib
    local ib=$pf
    ok "port counters" test "$(rdma -j stat show link "$ib/1" | jq '.[0].out_of_sequence')" -gt 0
    ok "in sysfs" test -e "/sys/class/infiniband/$ib/ports/1/hw_counters/out_of_sequence"
    is "optional one is off" null "$(rdma -j stat show link "$ib/1" | jq '.[0].cc_rx_ce_pkts')"
    ok "optional counters on" rdma stat set link "$ib/1" optional-counters cc_rx_ce_pkts,cc_tx_cnp_pkts
    ok "optional one shows" test "$(rdma -j stat show link "$ib/1" | jq '.[0].cc_rx_ce_pkts')" -gt 0
    ok "optional counters off" rdma stat unset link "$ib/1" optional-counters
    client "$(ls "/sys/class/infiniband/$ib/device/infiniband_verbs")" 1
    local qpn
    qpn=$(rdma -j res show qp link "$ib/1" | jq '.[0].lqpn')
    ok "bind a QP" rdma stat qp bind link "$ib/1" lqpn "$qpn"
    is "its counter" "$qpn" "$(rdma -j stat qp show link "$ib/1" | jq -r '.[0].lqpn[0] // .[0].lqpn')"
    ok "unbind it" rdma stat qp unbind link "$ib/1" cntn "$(rdma -j stat qp show link "$ib/1" | jq '.[0].cntn')" lqpn "$qpn"
    client_ends
    ok "automatic mode" rdma stat qp set link "$ib/1" auto type on
    client "$(ls "/sys/class/infiniband/$ib/device/infiniband_verbs")" 2
    is "one counter for the type" 1 "$(rdma -j stat qp show link "$ib/1" | jq 'length')"
    is "MR statistics" 3 "$(rdma -j stat show mr | jq '.[0].page_faults')"
    client_ends
    ok "automatic mode off" rdma stat qp set link "$ib/1" auto off
    is "adaptive moderation" on "$(moderation "$ib")"
    ok "set it off" rdma dev set "$ib" adaptive-moderation off
    is "it is off" off "$(moderation "$ib")"
    unload counters
}

part_subs() {
    load mode=ib sfs=2
    is "auxiliary devices" 4 "$(ls /sys/bus/auxiliary/devices | grep -c mlx5_core.sf)"
    local sf ib
    sf=$(ls -d /sys/bus/auxiliary/devices/mlx5_core.sf.* | head -n 1) ib=$(ls "$sf/infiniband")
    ok "each with an RDMA device" test -n "$ib"
    ok "and a netdev" test -n "$(ls "$sf/net")"
    is "driver's name" mlx5_core.sf "$(basename "$(readlink -f "$sf/driver")")"
    ip netns add pod
    ok "it moves" moved "$ib" pod
    ip netns del pod
    soon "and comes home" "$ib" ls "$sf/infiniband"
    local why
    if why=$(rdma dev add smi0 type SMI parent "$pf" 2>&1) && [[ -e /sys/class/infiniband/smi0 ]]; then
        is "sub-device" "$pf" "$(rdma -d -j dev show smi0 | jq -r '.[0].parent')"
        ok "sub-device ends" rdma dev delete smi0
        rdma dev add smi1 type SMI parent "$pf"
    else
        pass "no sub-devices with this kernel or this rdma (${why%%$'\n'*})"
    fi
    unload subs
    is "no auxiliary device left" 0 "$(ls /sys/bus/auxiliary/devices | grep -c mlx5_core.sf)"
}

part_several() {
    load mode=ib ibdevs=2
    numvfs "$igb" 2
    local vf first second
    vf=$(vf_pci "$igb" 0)
    is "RDMA devices of a VF" 2 "$(ibdev_of "$vf" | wc -l)"
    is "the PF has one" 1 "$(ibdev_of "$igb" | wc -l)"
    is "IPoIB netdevs of a VF" 2 "$(netdev_of "$vf" | wc -l)"
    first=$(ibdev_of "$vf" | head -n 1) second=$(ibdev_of "$vf" | tail -n 1)
    is "one identity" "$(cat "/sys/class/infiniband/$first/node_guid")" "$(cat "/sys/class/infiniband/$second/node_guid")"
    ip netns add pod
    ok "one moves" moved "$second" pod
    is "the other stays" "$first" "$(ibdev_of "$vf")"
    ok "then it moves too" moved "$first" pod
    ip netns del pod
    soon "both come home" "$first $second" eval "ibdev_of $vf | xargs"
    rebind "$vf"
    is "two again after a rebind" 2 "$(ibdev_of "$vf" | wc -l)"
    set_param ibdevs 1
    rebind "$vf"
    is "one, when asked for one" 1 "$(ibdev_of "$vf" | wc -l)"
    unload several
    load mode=eth ibdevs=4
    numvfs "$igb" 1
    is "four on Ethernet" 4 "$(ibdev_of "$(vf_pci "$igb" 0)" | wc -l)"
    is "with one netdev" 1 "$(netdev_of "$(vf_pci "$igb" 0)" | wc -l)"
    unload "several on Ethernet"
}

part_many() {
    load mode=ib vf_guids=1
    local start=${EPOCHREALTIME/./} i ib
    ok "120 VFs" numvfs "$nvme" 120
    echo "INFO 120 VFs in $(((${EPOCHREALTIME/./} - start) / 1000)) ms"
    is "122 devices" 122 "$(rdmas)"
    ip link show "$(netdev_of "$nvme")" >/tmp/vfs 2>&1
    is "120 in the VF list" 120 "$(grep -c 'vf [0-9]' /tmp/vfs)"
    for i in {0..19}; do
        ip netns add "pod$i"
        moved "$(ibdev_of "$(vf_pci "$nvme" "$i")")" "pod$i" &
    done
    wait $(jobs -p)
    is "20 moved at once" 102 "$(rdmas)"
    for i in {0..9}; do ip netns del "pod$i" & done
    wait $(jobs -p)
    soon "10 came home at once" 112 rdmas
    for i in {0..9}; do rebind "$(vf_pci "$nvme" $((30 + i)))" & done
    wait $(jobs -p)
    is "10 rebound at once" 112 "$(rdmas)"
    # Unloading and dying namespaces at the same time.
    for i in {10..19}; do ip netns del "pod$i" & done
    start=${EPOCHREALTIME/./}
    unload "while namespaces die"
    echo "INFO 120 VFs and all removed in $(((${EPOCHREALTIME/./} - start) / 1000)) ms"
    wait $(jobs -p)
}

part_eth() {
    load mode=eth vendor_sysfs=1
    numvfs "$igb" 7
    local net vf ib
    net=$(netdev_of "$igb") vf=$(vf_pci "$igb" 1)
    is "protocol roce" roce "$(protocol)"
    is "link shows its netdev" "$net" "$(rdma -j link show "$pf/1" | jq -r '.[0].netdev')"
    is "down while its netdev is" DOWN "$(rdma -j link show "$pf/1" | jq -r '.[0].state')"
    ok "netdev up" ip link set "$net" up
    is "then active" ACTIVE "$(rdma -j link show "$pf/1" | jq -r '.[0].state')"
    soon "a RoCE GID" 1 sh -c "grep -c '^fe80' /sys/class/infiniband/$pf/ports/1/gids/0"
    is "fresh VF's node GUID is zero" 0000:0000:0000:0000 "$(cat "/sys/class/infiniband/$(ibdev_of "$vf")/node_guid")"
    ok "VF settings" ip link set "$net" vf 1 mac 02:aa:bb:cc:dd:ee vlan 100 qos 3 max_tx_rate 500 min_tx_rate 100 spoofchk on trust on state disable query_rss on
    is "read back" '02:aa:bb:cc:dd:ee 100 3 500 100 true true disable' \
        "$(ip -j link show "$net" | jq -r '.[0].vfinfo_list[1] | "\(.address) \(.vlan_list[0].vlan) \(.vlan_list[0].qos) \(.rate.max_tx) \(.rate.min_tx) \(.spoofchk) \(.trust) \(.link_state)"')"
    refused "802.1ad" "rotocol" ip link set "$net" vf 1 vlan 5 proto 802.1ad
    refused "multicast MAC" "Invalid" ip link set "$net" vf 1 mac 01:00:00:00:00:01
    refused "no GUIDs on Ethernet" "not supported" ip link set "$net" vf 1 node_guid 00:11:22:33:44:55:66:77
    set_param fail_mac_vf 2,5,1
    refused "MAC fails once" "Input/output" ip link set "$net" vf 2 mac 02:aa:bb:cc:dd:01
    ip link set "$net" vf 1 state auto
    rebind "$vf"
    ib=$(ibdev_of "$vf")
    is "MAC after a rebind" 02:aa:bb:cc:dd:ee "$(cat "/sys/class/net/$(netdev_of "$vf")/address")"
    is "node GUID of the MAC" 02aa:bbff:fecc:ddee "$(cat "/sys/class/infiniband/$ib/node_guid")"
    is "vendor files" "link_state mac node trust" "$(ls "/sys/bus/pci/devices/$igb/sriov/1" | xargs)"
    ip netns add pod
    ok "move" moved "$ib" pod
    ok "netdev stays" test -n "$(netdev_of "$vf")"
    ok "netdev moves too" ip link set "$(netdev_of "$vf")" netns pod
    is "together there" 1 "$(ip netns exec pod rdma -j link | jq '[.[] | select(.netdev)] | length')"
    ip netns del pod
    soon "home" "$ib" ibdev_of "$vf"
    soon "netdev home" 1 sh -c "ls /sys/bus/pci/devices/$vf/net | wc -l"
    numvfs "$nvme" 20
    is "and 20 more" 29 "$(rdmas)"
    unload eth
}

part_end() {
    is "netdevs are gone" lo "$(ls /sys/class/net | grep -v -e sit0 -e ip6tnl0 | xargs)"
    is "kernel log" "" "$(dmesg | grep -i -e 'WARNING:' -e 'BUG:' -e 'Oops:' -e 'leak' -e 'refcount' -e 'Couldn' -e 'unregister_netdevice: waiting' -e 'lockdep' | head -n 5)"
}

modprobe ib_core netns_mode=0
modprobe ib_uverbs
uname -r
for part in "${@:-${parts[@]}}"; do "part_$part"; done
exit $failed
