//! `Reader`: command lines read into what they ask for.

use std::ffi::OsString;

use clap::{Command, CommandFactory, Error, FromArgMatches};

use super::{Cli, Object, batch, suggest, words};

/// Reads command lines; the trees of words are made once for all lines of a batch.
pub(super) struct Reader {
    /// As declared: what abbreviations are written out by.
    pub declared: Command,
    /// With what clap adds while it reads.
    built: Command,
}

impl Reader {
    pub fn new() -> Self {
        let declared = Cli::command();
        Self {
            built: declared.clone(),
            declared,
        }
    }

    pub fn read(&mut self, words: Vec<OsString>) -> Result<Cli, Error> {
        let argv = words::spelled_out(&self.declared, words);
        let matches = self.built.try_get_matches_from_mut(&argv);
        let parsed = matches.and_then(|matches| Cli::from_arg_matches(&matches));
        let cli = parsed.map_err(|error| suggest::suggesting(error, &self.declared, &argv))?;
        match &cli.object {
            Some(Object::Statistic(statistic)) if statistic.has_no_rate() => {
                const WHERE: &str = "--rate goes with statistic show, qp show and mr";
                Err(batch::refused(&mut self.declared, WHERE))
            }
            _ => Ok(cli),
        }
    }
}

/// The whole command line as clap has it, for man pages, completions and their tests.
pub fn command() -> Command {
    Cli::command()
}

/// The words of a command line with every abbreviation written out.
pub fn spelled_out(words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    words::spelled_out(&Cli::command(), words)
}
