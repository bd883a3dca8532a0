//! `StatisticError`: what can go wrong with counters and with nothing else.

use crate::kernel::Refusal;

/// Why a command about counters did not happen.
#[derive(Debug, thiserror::Error)]
pub enum StatisticError {
    /// A command about one port was given a device that has more.
    #[error("RDMA device \"{device}\" has several ports: write {device}/PORT")]
    SeveralPorts {
        /// The device.
        device: String,
    },
    /// The driver does not count this for the port.
    #[error("{port} has no {kind}")]
    NoCounters {
        /// Device and port.
        port: String,
        /// "hardware counters".
        kind: &'static str,
        /// The kernel's answer.
        refusal: Refusal,
    },
    /// The port has other optional counters, or none.
    #[error("{port} has no optional counter \"{name}\"")]
    NoOptionalCounter {
        /// The name that was given.
        name: String,
        /// Device and port.
        port: String,
        /// Those there are.
        supported: Vec<String>,
    },
    /// The queue pair has a counter, and can have no second.
    #[error("queue pair {lqpn} of {port} is bound to counter {counter} already")]
    AlreadyBound {
        /// The queue pair.
        lqpn: u32,
        /// Device and port.
        port: String,
        /// The counter it is bound to.
        counter: u32,
        /// The kernel's answer.
        refusal: Refusal,
    },
    /// The queue pair is bound to no counter, or to another one.
    #[error("queue pair {lqpn} of {port} is not bound to counter {counter}")]
    NotBound {
        /// The queue pair.
        lqpn: u32,
        /// Device and port.
        port: String,
        /// The counter that was named.
        counter: u32,
        /// The kernel's answer.
        refusal: Refusal,
    },
    /// No queue pair of the port has this number, or the counter that was named is not there.
    #[error("{port} has no queue pair {lqpn}{}", .counter.map_or_else(String::new, |id| format!(", or no counter {id}")))]
    NoQueuePair {
        /// The number.
        lqpn: u32,
        /// Device and port.
        port: String,
        /// The counter that was named.
        counter: Option<u32>,
        /// The kernel's answer.
        refusal: Refusal,
    },
    /// No counter of the port has this number.
    #[error("{port} has no counter {counter}")]
    NoCounter {
        /// The number.
        counter: u32,
        /// Device and port.
        port: String,
        /// The kernel's answer.
        refusal: Refusal,
    },
}

impl StatisticError {
    /// The kernel's answer, where one is behind the error.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::NoCounters { refusal, .. }
            | Self::AlreadyBound { refusal, .. }
            | Self::NotBound { refusal, .. }
            | Self::NoQueuePair { refusal, .. }
            | Self::NoCounter { refusal, .. } => Some(refusal),
            Self::SeveralPorts { .. } | Self::NoOptionalCounter { .. } => None,
        }
    }
}
