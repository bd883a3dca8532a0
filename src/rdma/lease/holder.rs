//! `Holder`: who has the name that a device was to have.

use std::fmt;

/// Whose a name is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// A device on the host.
    Host,
    /// A device in this namespace.
    Namespace(String),
    /// A device that is lent to this container under another name, and gets it back at the end.
    Lent(String),
    /// A device that was not found.
    Unknown,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("a device on the host"),
            Self::Namespace(word) => write!(f, "a device in network namespace {word}"),
            Self::Lent(container) => write!(
                f,
                "a device that is lent to container {container} and called so at home"
            ),
            Self::Unknown => f.write_str("a device in a namespace that cannot be found"),
        }
    }
}
