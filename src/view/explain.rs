//! `Explanation`: what went wrong, why, and what to type next.

/// An error as a person needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The line that iproute2 prints, or ours where it has none.
    pub headline: String,
    /// Why it happened.
    pub cause: Option<String>,
    /// The next command, as it is typed.
    pub cure: Option<String>,
}
