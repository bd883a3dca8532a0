//! Options in every form: clusters, one dash or two, beginnings of names, values behind `=`.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command};

use super::Reader;

impl<'a> Reader<'a> {
    /// Takes an option, and the word behind it when that is its value; returned where that word is
    /// still to come.
    pub(super) fn option(
        &mut self,
        text: &str,
        words: &mut impl Iterator<Item = OsString>,
    ) -> Option<&'a Arg> {
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
            return None;
        }
        let everywhere = |arg: &&Arg| self.common().any(|each| std::ptr::eq(each, *arg));
        let everywhere = args.iter().all(everywhere);
        let has_value = written.starts_with("--") && written.contains('=');
        let wants = |arg: &&Arg| takes_value(arg) && !has_value;
        let wanting = args.last().copied().filter(wants);
        let value = wanting.and_then(|_| words.next());
        self.put(written, everywhere);
        match value {
            Some(value) => {
                self.put(value, everywhere);
                None
            }
            None => wanting,
        }
    }

    fn short(&self, letter: char) -> Option<&'a Arg> {
        self.arguments().find(|arg| arg.get_short() == Some(letter))
    }

    /// The long option that begins with the word, `=VALUE` apart, and how it is written. Of several
    /// it is the one that every command has: iproute2's abbreviations stay what they are.
    fn long(&self, word: &str, name_of: impl Fn(&str) -> String) -> (String, Vec<&'a Arg>) {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name_of(name), Some(value)),
            None => (name_of(word), None),
        };
        let whole = self.arguments().find(|arg| arg.get_long() == Some(&name));
        let begins = |arg: &&'a Arg| {
            let long = arg.get_long();
            !name.is_empty() && long.is_some_and(|long| long.starts_with(&name))
        };
        let common = || only(self.common().filter(begins));
        let any = || only(self.arguments().filter(begins));
        let Some(arg) = whole.or_else(any).or_else(common) else {
            return (String::new(), Vec::new());
        };
        let long = arg.get_long().unwrap_or_default();
        let written = match value {
            Some(value) => format!("--{long}={value}"),
            None => format!("--{long}"),
        };
        (written, vec![arg])
    }

    /// Those that may stand here. What stands for help is left to clap.
    pub(super) fn arguments(&self) -> impl Iterator<Item = &'a Arg> {
        // The first above is that of all objects.
        let above = self.above.iter().skip(1);
        let above = above.flat_map(|command| command.get_arguments());
        let above = above.filter(|arg| arg.is_global_set());
        let own = (!self.above.is_empty()).then(|| self.at.get_arguments());
        let all = self.common().chain(above).chain(own.into_iter().flatten());
        all.filter(|arg| !matches!(arg.get_action(), ArgAction::Help))
    }

    /// Those that every command has.
    fn common(&self) -> impl Iterator<Item = &'a Arg> {
        let options = self.options.into_iter();
        options.flat_map(Command::get_arguments)
    }
}

fn only<'a>(mut args: impl Iterator<Item = &'a Arg>) -> Option<&'a Arg> {
    let first = args.next();
    first.filter(|_| args.next().is_none())
}

fn takes_value(arg: &Arg) -> bool {
    // Where the value stands behind a `=` or not at all, the next word is another one.
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append) && !arg.is_require_equals_set()
}
