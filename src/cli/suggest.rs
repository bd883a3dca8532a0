//! Refusing words as clap does, with the word that was meant where clap sees none near enough.

use std::ffi::OsString;

use clap::Command;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

use crate::types::near::near;

/// The error with the verbs near to a word that is none.
pub fn suggesting(mut error: Error, root: &Command, argv: &[&OsString]) -> Error {
    let wrong = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(wrong)) if error.kind() == ErrorKind::InvalidSubcommand => {
            wrong.clone()
        }
        _ => return error,
    };
    if error.get(ContextKind::SuggestedSubcommand).is_some() {
        return error;
    }
    // The words before the wrong one lead to the command whose verbs were to choose from.
    let mut at = root;
    for word in argv
        .iter()
        .skip(1)
        .filter_map(|word| word.to_str())
        .take_while(|word| *word != wrong)
    {
        at = at.find_subcommand(word).unwrap_or(at);
    }
    let verbs = near(&wrong, at.get_subcommands().map(Command::get_name));
    if !verbs.is_empty() {
        error.insert(
            ContextKind::SuggestedSubcommand,
            ContextValue::Strings(verbs),
        );
    }
    error
}

/// Words that make no command here.
pub(super) fn refused(command: &mut Command, why: &str) -> Error {
    command.error(ErrorKind::ArgumentConflict, why)
}
