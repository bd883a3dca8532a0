//! `Failure`: why a command did not succeed, with the evidence that explains it.

use std::io;

use super::Context;
use crate::kernel::{Conn, Host, NetnsError};
use crate::rdma::RdmaError;
use crate::rdma::diagnosis::{self, Attempt};
use crate::rdma::mode::ModeError;
use crate::rdma::removal::RemovalError;
use crate::types::Invalid;
use crate::view::explain::{self, Explanation};

/// Why a command did not succeed.
#[derive(Debug)]
pub enum Failure {
    /// An operation failed, and why is known.
    Explained(Box<Explanation>),
    /// Parts of a listing are missing, each for its own reason; the rest has been printed.
    Several(Vec<Explanation>),
    /// What was asked for is not in the one namespace of several that was asked.
    Absent(Box<RdmaError>),
    /// What is wrong has been said: each command of a batch that failed, each finding.
    Told,
    /// The exit status is the answer; there is nothing to say.
    Status(u8),
    /// The words make no command.
    Words(clap::Error),
    /// A word is not the value it should be.
    Usage(Invalid),
    /// The output could not be written.
    Output(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<Invalid> for Failure {
    fn from(error: Invalid) -> Self {
        Self::Usage(error)
    }
}

impl From<Explanation> for Failure {
    fn from(explanation: Explanation) -> Self {
        Self::Explained(Box::new(explanation))
    }
}

impl Context<'_> {
    /// Says why an RDMA operation failed; `conn` is asked for the evidence.
    pub(super) fn explain(
        &self,
        conn: &mut Conn,
        error: RdmaError,
        attempt: Attempt<'_>,
    ) -> Failure {
        let absent = matches!(
            error,
            RdmaError::NoSuchDevice { .. } | RdmaError::NoSuchPort { .. }
        );
        if self.roams && absent {
            return Failure::Absent(Box::new(error));
        }
        let diagnosis = diagnosis::diagnose(self.host, Some(conn), &error, attempt);
        explain::explain(&error, &diagnosis).into()
    }

    /// Says why an operation that needs no more than a connection failed.
    pub(super) fn explain_plain(&self, conn: &mut Conn, error: RdmaError) -> Failure {
        self.explain(conn, error, Attempt::Other)
    }

    /// The end of a listing, of which these devices are missing.
    pub(super) fn missing(&self, conn: &mut Conn, failed: Vec<RdmaError>) -> Result<(), Failure> {
        if failed.is_empty() {
            return Ok(());
        }
        let explained = failed.into_iter().map(|error| {
            let diagnosis = diagnosis::diagnose(self.host, Some(conn), &error, Attempt::Other);
            explain::explain(&error, &diagnosis)
        });
        Err(Failure::Several(explained.collect()))
    }

    /// What a look at every namespace could not see: namespaces that cannot be entered, and
    /// processes that cannot be looked at.
    pub(super) fn gaps(&self, unseen: &[NetnsError], hidden: usize) -> Vec<Explanation> {
        let explained = unseen.iter().map(|error| {
            let diagnosis = diagnosis::diagnose_netns(self.host, error);
            explain::explain_netns(error, &diagnosis)
        });
        explain::gaps(explained.collect(), hidden)
    }

    /// Says why there is no connection.
    pub(super) fn explain_unconnected(&self, error: RdmaError) -> Failure {
        let diagnosis = diagnosis::diagnose(self.host, None, &error, Attempt::Other);
        explain::explain(&error, &diagnosis).into()
    }

    /// Says why the namespace mode is as it was.
    pub(super) fn explain_mode(&self, conn: &mut Conn, error: ModeError) -> Failure {
        match error.into_parts() {
            (error, Some(diagnosis)) => explain::explain(&error, &diagnosis).into(),
            (error, None) => self.explain_plain(conn, error),
        }
    }

    /// Says why a software device is still there.
    pub(super) fn explain_removal(
        &self,
        conn: &mut Conn,
        error: RemovalError,
        device: &str,
    ) -> Failure {
        let headline = error.to_string();
        match error {
            RemovalError::InUse { device, users } => {
                explain::in_use(headline, &device, &users).into()
            }
            RemovalError::Stuck { pid, users, .. } => {
                explain::stuck(headline, pid, users.as_ref()).into()
            }
            RemovalError::Rdma(error) => self.explain(conn, error, Attempt::DeleteLink(device)),
        }
    }

    /// Says why a network namespace cannot be used.
    pub(super) fn explain_netns(&self, error: &NetnsError) -> Failure {
        explain_netns(self.host, error)
    }
}

/// Says why a network namespace of `host` cannot be used.
pub(super) fn explain_netns(host: &Host, error: &NetnsError) -> Failure {
    let diagnosis = diagnosis::diagnose_netns(host, error);
    explain::explain_netns(error, &diagnosis).into()
}

impl Failure {
    /// What is said of it, line by line; nothing of a reader that left early.
    pub fn text(&self) -> String {
        match self {
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => String::new(),
            Self::Output(error) => format!("error: cannot write the output: {error}\n"),
            Self::Words(error) => error.render().to_string(),
            Self::Usage(invalid) => format!("error: {invalid}\n"),
            Self::Explained(explanation) => explanation.to_string(),
            Self::Several(failures) => failures.iter().map(Explanation::to_string).collect(),
            Self::Absent(error) => format!("error: {error}\n"),
            Self::Told | Self::Status(_) => String::new(),
        }
    }

    /// The same, failure by failure.
    pub(super) fn explanations(self) -> Vec<Explanation> {
        match self {
            Self::Explained(explanation) => vec![*explanation],
            Self::Several(failures) => failures,
            other => vec![Explanation {
                headline: other.text().trim_end().to_owned(),
                cause: None,
                cure: None,
            }],
        }
    }
}
