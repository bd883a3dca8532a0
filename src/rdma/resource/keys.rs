//! Which properties of each kind of object can be filtered by, in iproute2's order.

use crate::wire::nldev::resource::Kind;

/// A property that can be filtered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The word.
    pub name: &'static str,
    /// What is compared with it.
    pub takes: Takes,
    /// What the property is.
    pub help: &'static str,
}

/// What a filter compares a property with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Numbers and ranges of numbers.
    Numbers,
    /// Words.
    Words,
    /// Anything: iproute2 accepts the key, and no kernel reports the property.
    Anything,
}

const fn numbers(name: &'static str, help: &'static str) -> Key {
    let takes = Takes::Numbers;
    Key { name, takes, help }
}

const fn words(name: &'static str, help: &'static str) -> Key {
    let takes = Takes::Words;
    Key { name, takes, help }
}

const fn anything(name: &'static str) -> Key {
    let takes = Takes::Anything;
    let help = "Accepted as iproute2 accepts it; no kernel tells it";
    Key { name, takes, help }
}

const PID: Key = numbers("pid", "Process");
const PDN: Key = numbers("pdn", "Protection domain");
const CTXN: Key = numbers("ctxn", "Context");
const CQN: Key = numbers("cqn", "Completion queue");
const LQPN: Key = numbers("lqpn", "Queue pair");
const USERS: Key = numbers("users", "How many objects use it");

const QP: &[Key] = &[
    LQPN,
    numbers("rqpn", "Queue pair at the other end"),
    PID,
    numbers("sq-psn", "Packet sequence number of the send queue"),
    numbers("rq-psn", "Packet sequence number of the receive queue"),
    words("type", "Type: RC, UD, GSI, ..."),
    words("path-mig-state", "Path migration: MIGRATED, REARM, ARMED"),
    words("state", "State: RESET, INIT, RTR, RTS, SQD, SQE, ERR"),
    PDN,
];

const CM_ID: &[Key] = &[
    LQPN,
    words("qp-type", "Type of the queue pair: RC, UD, ..."),
    words("state", "State: LISTEN, CONNECT, ..."),
    words("ps", "Port space: TCP, UDP, IPoIB"),
    anything("dev-type"),
    anything("transport-type"),
    PID,
    words("src-addr", "Its own IP address"),
    numbers("src-port", "Its own port"),
    words("dst-addr", "IP address at the other end"),
    numbers("dst-port", "Port at the other end"),
    numbers("cm-idn", "Its number"),
];

const CQ: &[Key] = &[
    USERS,
    words(
        "poll-ctx",
        "Where the kernel polls: DIRECT, SOFTIRQ, WORKQUEUE, ...",
    ),
    PID,
    CQN,
    CTXN,
];

const MR: &[Key] = &[
    numbers("rkey", "Remote key"),
    numbers("lkey", "Local key"),
    numbers("mrlen", "Bytes"),
    PID,
    numbers("mrn", "Its number"),
    PDN,
];

const PD: &[Key] = &[USERS, PID, CTXN, PDN];

const CTX: &[Key] = &[PID, CTXN];

const SRQ: &[Key] = &[
    PID,
    numbers("srqn", "Its number"),
    words("type", "Type: BASIC, XRC, TM"),
    PDN,
    CQN,
    numbers(
        "lqpn",
        "Queue pair that receives from it; others are not shown",
    ),
];

const FRMR_POOLS: &[Key] = &[
    numbers("ats", "Address translation by the device: 0 or 1"),
    numbers("access_flags", "Access flags"),
    numbers("vendor_key", "Number of the driver"),
    numbers("num_dma_blocks", "DMA blocks of a region"),
    numbers("queue", "Handles that wait to be used"),
    numbers("in_use", "Handles in use"),
    numbers("max_in_use", "The most handles that ever were in use"),
    numbers("pinned", "Handles kept for good"),
];

/// The properties of a kind, in the order in which a shortened word is looked for.
pub fn keys(kind: Kind) -> &'static [Key] {
    match kind {
        Kind::Qp => QP,
        Kind::CmId => CM_ID,
        Kind::Cq => CQ,
        Kind::Mr => MR,
        Kind::Pd => PD,
        Kind::Ctx => CTX,
        Kind::Srq => SRQ,
        Kind::FrmrPools => FRMR_POOLS,
    }
}

/// The property by which the kernel itself finds one object.
pub(super) fn id_key(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Qp => Some("lqpn"),
        Kind::CmId => Some("cm-idn"),
        Kind::Cq => Some("cqn"),
        Kind::Mr => Some("mrn"),
        Kind::Pd => Some("pdn"),
        Kind::Ctx => Some("ctxn"),
        Kind::Srq => Some("srqn"),
        Kind::FrmrPools => None,
    }
}
