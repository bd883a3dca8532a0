//! `Place`: where a command line that is still being typed has come to.

use std::ffi::OsString;

use clap::{Arg, Command};

use super::{Reader, Spelled, is_key};

/// What the next word can be, by the words before it.
pub struct Place<'a> {
    /// The command that the words lead to.
    pub at: &'a Command,
    /// The option or key whose value is next.
    pub awaits: Option<&'a Arg>,
    /// The positional word that is next.
    pub positional: Option<&'a Arg>,
    /// Verbs may be next.
    pub verbs: bool,
    /// Keys of `KEY VALUE` pairs that may be next.
    pub keys: Vec<&'a Arg>,
    /// Options that may be next.
    pub options: Vec<&'a Arg>,
}

/// The place behind `words`, of which the first is the program; `None` where they make no sense.
pub fn place<'a>(root: &'a Command, words: &[OsString]) -> Option<Place<'a>> {
    let mut reader = Reader {
        options: Some(root),
        above: Vec::new(),
        at: root,
        named: 0,
        only_words: false,
        out: Spelled {
            words: Vec::new(),
            object: None,
            sure: true,
        },
    };
    let mut awaits = None;
    let mut used = Vec::new();
    let mut words = words.iter().skip(1).cloned();
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        if text == "--" && !reader.only_words {
            reader.only_words = true;
        } else if text.starts_with('-') && text.len() > 1 && !reader.only_words {
            awaits = reader.option(&text, &mut words);
        } else {
            let (at, count) = (reader.at, reader.named);
            if let Some(key) = reader.word(&text) {
                if words.next().is_none() {
                    let mut all = reader.at.get_arguments();
                    awaits = all.find(|arg| arg.get_long() == Some(&key));
                }
                used.push(key);
            } else if std::ptr::eq(at, reader.at) && count == reader.named {
                // The word is none of this command's, and nothing can follow it.
                return None;
            }
        }
    }
    let positionals: Vec<&Arg> = reader.at.get_positionals().collect();
    let required = positionals.iter().filter(|arg| arg.is_required_set());
    let all_named = reader.named >= positionals.len();
    let keys = reader.at.get_arguments().filter(|arg| is_key(arg));
    let is_new = |arg: &&Arg| !used.iter().any(|key| arg.get_long() == Some(key));
    let options = reader
        .arguments()
        .filter(|arg| !is_key(arg) && !arg.is_positional() && !arg.is_hide_set());
    let options = match reader.only_words || awaits.is_some() {
        true => Vec::new(),
        false => options.collect(),
    };
    let free = awaits.is_none();
    Some(Place {
        at: reader.at,
        awaits,
        positional: positionals.get(reader.named).copied().filter(|_| free),
        verbs: free && reader.at.has_subcommands() && reader.named >= required.count(),
        keys: keys.filter(|_| free && all_named).filter(is_new).collect(),
        options,
    })
}
