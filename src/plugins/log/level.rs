//! `Level`: how much a plugin tells.

use std::str::FromStr;

use crate::types::Invalid;

/// From least to most. The names are those that `sriov-cni` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Level {
    /// Nothing but the last words of a plugin that breaks, which it says on stderr.
    Panic,
    /// What ends a call.
    Error,
    /// What an operator should know though the call goes on.
    Warning,
    /// What was done.
    #[default]
    Info,
    /// What is looked at.
    Debug,
}

impl Level {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

impl FromStr for Level {
    type Err = Invalid;

    fn from_str(word: &str) -> Result<Self, Invalid> {
        [
            Self::Panic,
            Self::Error,
            Self::Warning,
            Self::Info,
            Self::Debug,
        ]
        .into_iter()
        .find(|level| word.eq_ignore_ascii_case(level.as_str()))
        .ok_or_else(|| Invalid::new(word, "logLevel", "debug, info, warning, error or panic"))
    }
}
