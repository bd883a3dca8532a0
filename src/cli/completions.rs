//! `completions SHELL`: the script that teaches a shell to complete our command lines.

use clap::{Args, ValueEnum};

use super::{Context, Failure};

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    /// source <(rdmactl completions bash)
    Bash,
    /// source <(rdmactl completions zsh), when compinit has run
    Zsh,
    /// rdmactl completions fish | source
    Fish,
}

/// Print what makes a shell complete commands, options, and the names that are there
#[derive(Debug, Clone, Args)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self, cx: &mut Context<'_>) -> Result<(), Failure> {
        let script = match self.shell {
            Shell::Bash => include_str!("../../completions/rdmactl.bash"),
            Shell::Zsh => include_str!("../../completions/_rdmactl"),
            Shell::Fish => include_str!("../../completions/rdmactl.fish"),
        };
        Ok(cx.view.raw(script)?)
    }
}
