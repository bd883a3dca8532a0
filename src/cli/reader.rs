//! `Reader`: words to a command, by a tree of words that holds only what the line asks for.

use std::ffi::OsString;

use clap::error::{Error, ErrorKind};
use clap::{ArgMatches, Args, Command, CommandFactory, FromArgMatches, Subcommand};

use super::words::{self, Spelled};
use super::{Cli, Common, Object, suggest};

/// An object whose words come into the tree when a line asks for them: most lines are about one.
#[derive(Debug, Clone)]
pub(super) struct Later<T>(pub(super) T);

impl<T: Args> Args for Later<T> {
    fn augment_args(object: Command) -> Command {
        object
    }

    fn augment_args_for_update(object: Command) -> Command {
        object
    }
}

impl<T: FromArgMatches> FromArgMatches for Later<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches(matches).map(Self)
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches_mut(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}

/// How the words of an object are read.
pub(super) struct Grammar {
    words: fn(Command) -> Command,
    read: Box<Read>,
}

type Read = dyn Fn(&mut ArgMatches) -> Result<Object, Error> + Send;

impl Grammar {
    /// That of the object that `wrap` makes.
    pub(super) fn of<T: Args + 'static>(wrap: fn(Later<T>) -> Object) -> Self {
        Self {
            words: T::augment_args,
            read: Box::new(move |matches| Later::from_arg_matches_mut(matches).map(wrap)),
        }
    }
}

/// Reads command lines; what it has learned for one serves all lines of a batch.
///
/// Clap reads the options that hold for every command, and the words of an object, apart from each
/// other and by trees that hold no more than the line asks for. What they refuse is read again by
/// the whole tree, which also has all help to give.
pub(super) struct Reader {
    /// Once a line has some.
    options: Option<Command>,
    /// The objects that lines have asked for, the others by name.
    objects: Command,
    /// The objects asked for.
    grown: Vec<(String, Grammar)>,
    whole: Option<Command>,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self {
            options: None,
            objects: Object::augment_subcommands(Command::new("rdmactl")),
            grown: Vec::new(),
            whole: None,
        }
    }

    pub(super) fn read(&mut self, words: &[OsString]) -> Result<Cli, Error> {
        let cli = self.read_words(words)?;
        match &cli.object {
            Some(Object::Statistic(Later(statistic))) if statistic.has_no_rate() => {
                const WHERE: &str = "--rate goes with statistic show, qp show and mr";
                Err(suggest::refused(self.whole(), WHERE))
            }
            _ => Ok(cli),
        }
    }

    fn read_words(&mut self, words: &[OsString]) -> Result<Cli, Error> {
        let spelled = self.spelled_out(words);
        let read = spelled.sure.then(|| self.read_apart(&spelled));
        if let Some(Ok(cli)) = read {
            return Ok(cli);
        }
        let argv: Vec<&OsString> = words.iter().take(1).chain(spelled.all()).collect();
        let whole = self.whole();
        let matches = whole.try_get_matches_from_mut(&argv);
        let read = matches.and_then(|mut matches| Cli::from_arg_matches_mut(&mut matches));
        read.map_err(|error| suggest::suggesting(error, whole, &argv))
    }

    fn read_apart(&mut self, spelled: &Spelled) -> Result<Cli, Error> {
        let mut common = Common::default();
        let mut options = spelled.apart(true).peekable();
        if let (Some(_), Some(command)) = (options.peek(), &mut self.options) {
            let mut matches = command.try_get_matches_from_mut(options)?;
            common = Common::from_arg_matches_mut(&mut matches)?;
        }
        let mut words = spelled.apart(false);
        let Some(name) = words.next() else {
            let object = None;
            return Ok(Cli { common, object });
        };
        let mut grown = self.grown.iter();
        let grammar = grown.find(|(object, _)| name == object.as_str());
        let object = self.objects.find_subcommand_mut(name);
        let (Some((_, grammar)), Some(object)) = (grammar, object) else {
            return Err(Error::new(ErrorKind::InvalidSubcommand));
        };
        let mut matches = object.try_get_matches_from_mut(words)?;
        let object = Some((grammar.read)(&mut matches)?);
        Ok(Cli { common, object })
    }

    /// The words written out, with the tree grown to where they lead.
    fn spelled_out(&mut self, words: &[OsString]) -> Spelled {
        if self.options.is_none() && words::has_options(words) {
            let alone = Command::new("rdmactl").no_binary_name(true);
            self.options = Some(Common::augment_args(alone));
        }
        let spelled = words::spelled_out(self.options.as_ref(), &self.objects, words);
        match &spelled.object {
            Some(object) if self.grow(object) => {
                words::spelled_out(self.options.as_ref(), &self.objects, words)
            }
            _ => spelled,
        }
    }

    /// The tree with everything in it.
    pub(super) fn whole(&mut self) -> &mut Command {
        self.whole.get_or_insert_with(command)
    }

    /// Puts the words of the object into the tree; true when they were not there.
    fn grow(&mut self, name: &str) -> bool {
        let known = self.grown.iter().any(|(object, _)| object == name);
        let object = self.objects.find_subcommand_mut(name);
        let (false, Some(object), Some(grammar)) = (known, object, Object::grammar(name)) else {
            return false;
        };
        let alone = std::mem::take(object)
            .no_binary_name(true)
            .disable_help_subcommand(true);
        *object = (grammar.words)(alone);
        self.grown.push((name.to_owned(), grammar));
        true
    }
}

/// The whole command line as clap has it, for man pages, completions and their tests.
pub fn command() -> Command {
    let with_words = |object: Command| match Object::grammar(object.get_name()) {
        Some(grammar) => (grammar.words)(object),
        None => object,
    };
    Cli::command().mut_subcommands(with_words)
}

/// The words of a command line with every abbreviation written out.
pub fn spelled_out(words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let words: Vec<OsString> = words.into_iter().collect();
    let whole = command();
    let spelled = words::spelled_out(Some(&whole), &whole, &words);
    words.iter().take(1).chain(spelled.all()).cloned().collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn every_object_has_a_grammar() {
        for object in Cli::command().get_subcommands() {
            let name = object.get_name();
            assert!(Object::grammar(name).is_some(), "{name}");
        }
    }

    #[test]
    fn no_options_are_what_clap_makes_of_none() {
        let read = Cli::try_parse_from(["rdma"]).unwrap();
        assert_eq!(read.common, Common::default());
    }

    /// The small trees take nothing that the whole tree does not take in the same way.
    #[test]
    fn all_trees_read_alike() {
        for line in [
            "rdma",
            "rdma dev",
            "rdma -j dev show -p",
            "rdma dev -dd show mlx5_0 -j",
            "rdma link show mlx5_0/1 --netns pod",
            "rdma res show qp -d lqpn 5 -r",
            "rdma --dry-run dev set mlx5_0 name roce0 --format json",
            "rdma stat qp show link mlx5_0 pid 5",
            "rdma monitor --kernel -j",
            "rdma system set netns exclusive --wait 3 -o",
            "rdma stat qp show --rate -j --watch 0.5 link mlx5_0",
            "rdma dev reclaim mlx5_0 --dry-run",
            "rdma vf set ib0/0 guid 0011:2233:4455:6677 state auto --rebind --netns pod",
            "rdma map ib0 --format dot --all-netns",
            "rdma cni gc --dry-run",
            "rdma doc -j",
        ] {
            let line: Vec<OsString> = line.split(' ').map(Into::into).collect();
            let mut reader = Reader::new();
            let spelled = reader.spelled_out(&line);
            let small = reader.read_apart(&spelled).unwrap();
            let whole = command()
                .try_get_matches_from(spelled_out(line.clone()))
                .and_then(|matches| Cli::from_arg_matches(&matches))
                .unwrap();
            assert_eq!(format!("{small:?}"), format!("{whole:?}"), "{line:?}");
        }
    }
}
