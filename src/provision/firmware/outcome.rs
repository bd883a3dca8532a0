//! `Outcome`: what has to happen so that changed settings take effect, as the tool says.

/// The next step after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The machine has to be restarted.
    Reboot,
    /// The card did not agree to be prepared for a restart: its power has to be off for a while.
    PowerCycle,
    /// The tool says nothing of it; a restart is what such cards usually need.
    Unsaid,
}

impl Outcome {
    /// Reads the end of what `set` printed.
    pub fn read(text: &str) -> Self {
        if text.contains("power cycle machine") {
            Self::PowerCycle
        } else if text.contains("reboot machine") {
            Self::Reboot
        } else {
            Self::Unsaid
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_set_prints() {
        for (text, expected) in [
            (
                " Apply new Configuration? (y/n) [n] : y\nApplying... Done!\n-I- Please reboot machine to load new configurations.\n",
                Outcome::Reboot,
            ),
            (
                "Applying... Done!\n-I- Please power cycle machine to load new configurations.\n",
                Outcome::PowerCycle,
            ),
            (
                "Applying... Done!\n-I- Skipped reset preparation\n",
                Outcome::Unsaid,
            ),
        ] {
            assert_eq!(Outcome::read(text), expected);
        }
    }
}
