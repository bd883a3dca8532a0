//! The words that iproute2 prints for the kernel's numbers of objects; filters compare with them.

use crate::wire::nldev::resource::Kind;

/// `enum ib_qp_type`; 255 is a type of the driver's own.
pub fn qp_type(value: u8) -> &'static str {
    const NAMES: [&str; 11] = [
        "SMI",
        "GSI",
        "RC",
        "UC",
        "UD",
        "RAW_IPV6",
        "RAW_ETHERTYPE",
        "UNKNOWN",
        "RAW_PACKET",
        "XRC_INI",
        "XRC_TGT",
    ];
    if value == 255 {
        return "DRIVER";
    }
    NAMES.get(usize::from(value)).copied().unwrap_or("UNKNOWN")
}

/// `enum ib_qp_state`.
pub fn qp_state(value: u8) -> &'static str {
    const NAMES: [&str; 7] = ["RESET", "INIT", "RTR", "RTS", "SQD", "SQE", "ERR"];
    NAMES.get(usize::from(value)).copied().unwrap_or("UNKNOWN")
}

/// `enum ib_mig_state`.
pub fn path_mig_state(value: u8) -> &'static str {
    const NAMES: [&str; 3] = ["MIGRATED", "REARM", "ARMED"];
    NAMES.get(usize::from(value)).copied().unwrap_or("UNKNOWN")
}

/// `enum rdma_cm_state`.
pub fn cm_state(value: u8) -> &'static str {
    const NAMES: [&str; 11] = [
        "IDLE",
        "ADDR_QUERY",
        "ADDR_RESOLVED",
        "ROUTE_QUERY",
        "ROUTE_RESOLVED",
        "CONNECT",
        "DISCONNECT",
        "ADDR_BOUND",
        "LISTEN",
        "DEVICE_REMOVAL",
        "DESTROYING",
    ];
    NAMES.get(usize::from(value)).copied().unwrap_or("UNKNOWN")
}

/// `enum rdma_ucm_port_space`; iproute2 has one word for RDMA_PS_IPOIB and RDMA_PS_IB.
pub fn port_space(value: u32) -> &'static str {
    match value {
        0x0002 | 0x013f => "IPoIB",
        0x0106 => "TCP",
        0x0111 => "UDP",
        _ => "---",
    }
}

/// As [`port_space`], each under its own name, those without one by number.
pub fn port_space_right(value: u32) -> String {
    match value {
        0x013f => "IB".to_owned(),
        0x0002 | 0x0106 | 0x0111 => port_space(value).to_owned(),
        _ => format!("0x{value:04x}"),
    }
}

/// `enum ib_poll_context`.
pub fn poll_ctx(value: u8) -> &'static str {
    const NAMES: [&str; 4] = ["DIRECT", "SOFTIRQ", "WORKQUEUE", "UNBOUND_WORKQUEUE"];
    NAMES.get(usize::from(value)).copied().unwrap_or("UNKNOWN")
}

/// `enum ib_srq_type`.
pub fn srq_type(value: u8) -> &'static str {
    const NAMES: [&str; 3] = ["BASIC", "XRC", "TM"];
    NAMES.get(usize::from(value)).copied().unwrap_or("UNKNOWN")
}

/// What a message about objects calls them.
pub(super) fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::Qp => "queue pairs",
        Kind::CmId => "connections",
        Kind::Cq => "completion queues",
        Kind::Mr => "memory regions",
        Kind::Pd => "protection domains",
        Kind::Ctx => "contexts",
        Kind::Srq => "shared receive queues",
        Kind::FrmrPools => "FRMR pools",
    }
}
