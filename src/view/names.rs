//! The words that iproute2 prints for the kernel's numbers, its spelling mistakes included.

use super::Value;

/// `enum rdma_node_type` (`rdma/ib_verbs.h`).
pub fn node_type(value: u8) -> &'static str {
    const NAMES: [&str; 8] = [
        "unknown",
        "ca",
        "switch",
        "router",
        "rnic",
        "usnic",
        "usnic_udp",
        "unspecified",
    ];
    NAMES.get(usize::from(value)).copied().unwrap_or("unknown")
}

/// `enum ib_port_state`.
pub fn port_state(value: u8) -> &'static str {
    const NAMES: [&str; 6] = ["NOP", "DOWN", "INIT", "ARMED", "ACTIVE", "ACTIVE_DEFER"];
    NAMES.get(usize::from(value)).copied().unwrap_or("UNKNOWN")
}

/// `enum ib_port_phys_state`; 4 is PortConfigurationTraining in the InfiniBand specification.
pub fn physical_state(value: u8) -> &'static str {
    const NAMES: [&str; 12] = [
        "NOP",
        "SLEEP",
        "POLLING",
        "DISABLED",
        "ARMED",
        "LINK_UP",
        "LINK_ERROR_RECOVER",
        "PHY_TEST",
        "UNKNOWN",
        "OPA_OFFLINE",
        "UNKNOWN",
        "OPA_TEST",
    ];
    NAMES.get(usize::from(value)).copied().unwrap_or("UNKNOWN")
}

/// As [`physical_state`], where iproute2's word is wrong with the right one.
pub fn physical_state_right(value: u8) -> &'static str {
    match value {
        4 => "TRAINING",
        other => physical_state(other),
    }
}

/// The set bits of a device's capability flags, lowest first.
pub fn device_caps(flags: u64) -> impl Iterator<Item = &'static str> {
    names_of(flags, &DEVICE_CAPS)
}

/// The set bits of a port's capability flags, lowest first.
pub fn port_caps(flags: u64) -> impl Iterator<Item = &'static str> {
    names_of(flags, &PORT_CAPS)
}

/// As [`device_caps`] under their right names, those without one by number.
pub fn device_bits(flags: u64) -> impl Iterator<Item = Value> {
    bits_of(flags, |bit| match bit {
        6 => Some("UD_AV_PORT_ENFORCE"),
        38 => Some("FLUSH_GLOBAL"),
        39 => Some("FLUSH_PERSISTENT"),
        40 => Some("ATOMIC_WRITE"),
        _ => named(&DEVICE_CAPS, bit),
    })
}

/// As [`port_caps`] under their right names, those without one by number.
pub fn port_bits(flags: u64) -> impl Iterator<Item = Value> {
    bits_of(flags, |bit| match bit {
        27 => Some("LINK_SPEED_WIDTH"),
        29 => Some("MULT_PKEY_TRAP"),
        35 => Some("SWITCH_PORT_STATE_TABLE"),
        42 => Some("LINK_SPEED_NDR"),
        43 => Some("EXTENDED_SPEEDS2"),
        44 => Some("LINK_SPEED_XDR"),
        _ => named(&PORT_CAPS, bit),
    })
}

fn bits_of(
    flags: u64,
    name: impl Fn(usize) -> Option<&'static str>,
) -> impl Iterator<Item = Value> {
    let value = move |bit| match name(bit) {
        Some(name) => Value::word(name),
        None => Value::from(format!("BIT_{bit}")),
    };
    set(flags).map(value)
}

fn set(flags: u64) -> impl Iterator<Item = usize> {
    (0..64).filter(move |bit| flags >> bit & 1 == 1)
}

fn named(names: &[&'static str], bit: usize) -> Option<&'static str> {
    names.get(bit).copied().filter(|name| !name.is_empty())
}

fn names_of(flags: u64, names: &'static [&'static str]) -> impl Iterator<Item = &'static str> {
    set(flags).map(|bit| named(names, bit).unwrap_or("UNKNOWN"))
}

/// `enum ib_device_cap_flags`; an empty name is a bit that iproute2 calls `UNKNOWN`.
const DEVICE_CAPS: [&str; 37] = [
    "RESIZE_MAX_WR",
    "BAD_PKEY_CNTR",
    "BAD_QKEY_CNTR",
    "RAW_MULTI",
    "AUTO_PATH_MIG",
    "CHANGE_PHY_PORT",
    "UD_AV_PORT_ENFORCE_PORT_ENFORCE",
    "CURR_QP_STATE_MOD",
    "SHUTDOWN_PORT",
    "INIT_TYPE",
    "PORT_ACTIVE_EVENT",
    "SYS_IMAGE_GUID",
    "RC_RNR_NAK_GEN",
    "SRQ_RESIZE",
    "N_NOTIFY_CQ",
    "LOCAL_DMA_LKEY",
    "",
    "MEM_WINDOW",
    "UD_IP_CSUM",
    "UD_TSO",
    "XRC",
    "MEM_MGT_EXTENSIONS",
    "BLOCK_MULTICAST_LOOPBACK",
    "MEM_WINDOW_TYPE_2A",
    "MEM_WINDOW_TYPE_2B",
    "RC_IP_CSUM",
    "RAW_IP_CSUM",
    "CROSS_CHANNEL",
    "",
    "MANAGED_FLOW_STEERING",
    "SIGNATURE_HANDOVER",
    "ON_DEMAND_PAGING",
    "SG_GAPS_REG",
    "VIRTUAL_FUNCTION",
    "RAW_SCATTER_FCS",
    "RDMA_NETDEV_OPA_VNIC",
    "PCI_WRITE_END_PADDING",
];

/// `enum ib_port_capability_mask_bits` and, from bit 32, `ib_port_capability_mask2_bits`.
const PORT_CAPS: [&str; 38] = [
    "RESERVED",
    "SM",
    "NOTICE",
    "TRAP",
    "OPT_IPD",
    "AUTO_MIGR",
    "SL_MAP",
    "MKEY_NVRAM",
    "PKEY_NVRAM",
    "LED_INFO",
    "SM_DISABLED",
    "SYS_IMAGE_GUID",
    "PKEY_SW_EXT_PORT_TRAP",
    "CABLE_INFO",
    "EXTENDED_SPEEDS",
    "CAP_MASK2",
    "CM",
    "SNMP_TUNNEL",
    "REINIT",
    "DEVICE_MGMT",
    "VENDOR_CLASS",
    "DR_NOTICE",
    "CAP_MASK_NOTICE",
    "BOOT_MGMT",
    "LINK_LATENCY",
    "CLIENT_REG",
    "OTHER_LOCAL_CHANGES",
    "LINK_SPPED_WIDTH",
    "VENDOR_SPECIFIC_MADS",
    "MULT_PKER_TRAP",
    "MULT_FDB",
    "HIERARCHY_INFO",
    "SET_NODE_DESC",
    "EXT_INFO",
    "VIRT",
    "SWITCH_POR_STATE_TABLE",
    "LINK_WIDTH_2X",
    "LINK_SPEED_HDR",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(words: impl Iterator<Item = Value>) -> String {
        crate::view::field::plain(&Value::List(words.collect()))
    }

    // `rdma -d dev` of a soft-RoCE device on Linux 6.12, whose flags are 0x1c001223c76.
    #[test]
    fn soft_roce() {
        assert_eq!(
            device_caps(0x1c0_0122_3c76).collect::<Vec<_>>().join(", "),
            "BAD_PKEY_CNTR, BAD_QKEY_CNTR, AUTO_PATH_MIG, CHANGE_PHY_PORT, UD_AV_PORT_ENFORCE_PORT_ENFORCE, \
             PORT_ACTIVE_EVENT, SYS_IMAGE_GUID, RC_RNR_NAK_GEN, SRQ_RESIZE, MEM_WINDOW, MEM_MGT_EXTENSIONS, \
             MEM_WINDOW_TYPE_2B, UNKNOWN, UNKNOWN, UNKNOWN"
        );
        assert_eq!(
            plain(device_bits(0x1c0_0122_3c76 & !0x3c36)),
            "UD_AV_PORT_ENFORCE, MEM_WINDOW, MEM_MGT_EXTENSIONS, MEM_WINDOW_TYPE_2B, \
             FLUSH_GLOBAL, FLUSH_PERSISTENT, ATOMIC_WRITE"
        );
        assert_eq!(
            plain(port_bits(1 << 29 | 1 << 42 | 1 << 63)),
            "MULT_PKEY_TRAP, LINK_SPEED_NDR, BIT_63"
        );
        assert_eq!(DEVICE_CAPS[36], "PCI_WRITE_END_PADDING");
        assert_eq!(
            (PORT_CAPS[32], PORT_CAPS[37]),
            ("SET_NODE_DESC", "LINK_SPEED_HDR")
        );
    }
}
