//! `Exit`: how a run ended, said once on standard error and left as the process's status.

use std::io::{self, Write};

use crate::cli::Failure;
use crate::view::explain::Explanation;

/// The exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or it was so already.
    Done,
    /// The operation failed.
    Failed,
    /// The words make no command.
    Usage,
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
            Self::Plugin(code) => code,
        }
    }

    /// Ends a run of the command line; a reader that left early is no failure.
    pub fn of(outcome: Result<(), Failure>, err: &mut dyn Write) -> Self {
        let (text, exit) = match outcome {
            Ok(()) => return Self::Done,
            Err(failure) => told(failure),
        };
        // Nowhere is left to say that saying it failed.
        let _ = err.write_all(text.as_bytes());
        exit
    }
}

/// What is said of a failure, and how it ends the run.
fn told(failure: Failure) -> (String, Exit) {
    match failure {
        Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            (String::new(), Exit::Done)
        }
        Failure::Output(error) => (
            format!("error: cannot write the output: {error}\n"),
            Exit::Failed,
        ),
        Failure::Words(error) => (error.render().to_string(), Exit::Usage),
        Failure::Usage(invalid) => (format!("error: {invalid}\n"), Exit::Usage),
        Failure::Explained(explanation) => (said(&explanation), Exit::Failed),
        Failure::Several(failures) => (failures.iter().map(said).collect(), Exit::Failed),
    }
}

fn said(explanation: &Explanation) -> String {
    let mut text = format!("{}\n", explanation.headline);
    for (label, line) in [("cause", &explanation.cause), ("  fix", &explanation.cure)] {
        if let Some(line) = line {
            text.push_str(&format!("{label}: {line}\n"));
        }
    }
    text
}
