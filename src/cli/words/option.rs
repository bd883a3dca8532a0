//! Options in every form: clusters, one dash or two, beginnings of names, values behind `=`.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command};

use super::Reader;

impl<'a> Reader<'a> {
    /// Takes an option, and the word behind it when that is its value.
    pub(super) fn option(&mut self, text: &str, words: &mut impl Iterator<Item = OsString>) {
        let letters = text[1..].chars().map(|letter| self.short(letter));
        let letters: Option<Vec<&Arg>> = letters.collect();
        let (written, args) = match (text.strip_prefix("--"), letters) {
            // A cluster of short options, else a long one with a single dash.
            (None, Some(letters)) => (text.to_owned(), letters),
            (None, None) => self.long(&text[1..], |name| name.to_lowercase()),
            (Some(long), _) => self.long(long, str::to_owned),
        };
        if args.is_empty() {
            self.out.sure = false;
            self.push(text);
            return;
        }
        let everywhere = |arg: &&Arg| {
            let mut options = self.options.into_iter().flat_map(Command::get_arguments);
            options.any(|each| std::ptr::eq(each, *arg))
        };
        let everywhere = args.iter().all(everywhere);
        let has_value = written.starts_with("--") && written.contains('=');
        let value = match args.last() {
            Some(arg) if takes_value(arg) && !has_value => words.next(),
            _ => None,
        };
        self.put(written, everywhere);
        if let Some(value) = value {
            self.put(value, everywhere);
        }
    }

    fn short(&self, letter: char) -> Option<&'a Arg> {
        self.arguments().find(|arg| arg.get_short() == Some(letter))
    }

    /// The one long option that begins with the word, `=VALUE` apart, and how it is written.
    fn long(&self, word: &str, name_of: impl Fn(&str) -> String) -> (String, Vec<&'a Arg>) {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name_of(name), Some(value)),
            None => (name_of(word), None),
        };
        let whole = self.arguments().find(|arg| arg.get_long() == Some(&name));
        let mut begun = self.arguments().filter(|arg| {
            let long = arg.get_long();
            !name.is_empty() && long.is_some_and(|long| long.starts_with(&name))
        });
        let only = match (begun.next(), begun.next()) {
            (Some(arg), None) => Some(arg),
            _ => None,
        };
        let Some(arg) = whole.or(only) else {
            return (String::new(), Vec::new());
        };
        let long = arg.get_long().unwrap_or_default();
        let written = match value {
            Some(value) => format!("--{long}={value}"),
            None => format!("--{long}"),
        };
        (written, vec![arg])
    }

    /// What stands for help is left to clap.
    fn arguments(&self) -> impl Iterator<Item = &'a Arg> {
        let own = (!std::ptr::eq(self.objects, self.at)).then_some(self.at);
        let all = self.options.into_iter().chain(own);
        all.flat_map(Command::get_arguments)
            .filter(|arg| !matches!(arg.get_action(), ArgAction::Help))
    }
}

fn takes_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
}
