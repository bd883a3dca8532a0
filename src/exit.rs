//! `Exit`: how a run ended, said once on standard error and left as the process's status.

use std::io::{self, Write};

use crate::cli::Failure;

/// The exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or it was so already.
    Done,
    /// The operation failed.
    Failed,
    /// The words make no command.
    Usage,
    /// A status that a command has beside these.
    Other(u8),
    /// A CNI plugin's status.
    Plugin(u8),
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Other(code) | Self::Plugin(code) => code,
        }
    }

    /// Ends a run of the command line; a reader that left early is no failure.
    pub fn of(outcome: Result<(), Failure>, err: &mut dyn Write) -> Self {
        let Err(failure) = outcome else {
            return Self::Done;
        };
        // Nowhere is left to say that saying it failed.
        let _ = err.write_all(failure.text().as_bytes());
        match failure {
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Self::Done,
            Failure::Output(_)
            | Failure::Explained(_)
            | Failure::Several(_)
            | Failure::Absent(_)
            | Failure::Told => Self::Failed,
            Failure::Status(code) => Self::Other(code),
            Failure::Words(_) | Failure::Usage(_) => Self::Usage,
        }
    }
}
