//! `FirmwareError`: why a card's settings could not be read or changed.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::kernel::{FileError, NetlinkError};
use crate::types::PciAddr;

/// Why nothing is known of a card's firmware, or nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum FirmwareError {
    /// Neither tool is there.
    #[error("neither mstconfig nor mlxconfig is in {path}")]
    NoTool {
        /// Where they were looked for.
        path: String,
    },
    /// The tool could not be started.
    #[error("cannot run {}", .program.display())]
    CannotRun {
        /// The tool.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The tool has not ended in time. It goes on: ended half-way, it would leave the card's
    /// settings locked.
    #[error("{} has not ended after {} s; it goes on as process {pid}", .program.display(), .limit.as_secs())]
    Slow {
        /// The tool.
        program: PathBuf,
        /// Its process.
        pid: u32,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The tool failed.
    #[error("{program} says of {device}: {said}")]
    Refused {
        /// The tool's name.
        program: String,
        /// The card.
        device: PciAddr,
        /// The last thing it said.
        said: String,
    },
    /// The tool ended well and printed something else.
    #[error("{program} printed no settings of {device}")]
    NoSettings {
        /// The tool's name.
        program: String,
        /// The card.
        device: PciAddr,
    },
    /// A name or value that cannot be passed to the tool.
    #[error("{word} is no setting of a card's firmware")]
    NotAKey {
        /// The word.
        word: String,
    },
    /// The driver accepted a value and kept another.
    #[error("the driver of {device} accepted {key} and did not keep it")]
    NotKept {
        /// The setting.
        key: String,
        /// The card.
        device: PciAddr,
    },
    /// Where the tool is to write, or attempts are recorded.
    #[error(transparent)]
    File(#[from] FileError),
    /// devlink could not be asked.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
}
