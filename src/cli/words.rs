//! iproute2's word grammar made plain for clap: abbreviations, options anywhere, `KEY VALUE` pairs.

mod option;

use std::ffi::{OsStr, OsString};

use clap::{Arg, Command};

use crate::types::near::near;

pub mod place;

/// The help heading that marks options which may also stand as `KEY VALUE`, without dashes.
pub const WORDS: &str = "Words";

/// Put before a name that reads like a keyword or an option, so that clap takes it for a name.
/// A private-use character: no command has it, and [`unmarked`] removes it.
const MARK: char = '\u{e000}';

/// The name without the mark that kept clap from reading it as something else.
pub fn unmarked(word: &str) -> &str {
    word.strip_prefix(MARK).unwrap_or(word)
}

/// A command line with every abbreviation written out, but for the program's name.
pub struct Spelled {
    words: Vec<Word>,
    /// The object that it is about.
    pub object: Option<String>,
    /// Each option was found, and could be no other.
    pub sure: bool,
}

struct Word {
    text: OsString,
    /// It is an option that holds for every command, or the value of one.
    everywhere: bool,
}

impl Spelled {
    /// All words in their order.
    pub fn all(&self) -> impl Iterator<Item = &OsString> {
        self.words.iter().map(|word| &word.text)
    }

    /// The options that hold for every command, or the words that are none.
    pub fn apart(&self, everywhere: bool) -> impl Iterator<Item = &OsString> {
        let words = self.words.iter();
        let apart = words.filter(move |word| word.everywhere == everywhere);
        apart.map(|word| &word.text)
    }
}

/// Whether the words need be looked through for options.
pub fn has_options(words: &[OsString]) -> bool {
    let mut words = words.iter().skip(1);
    words.any(|word| word.as_encoded_bytes().starts_with(b"-"))
}

/// Writes out every abbreviation; `options` has those that hold for every command. What cannot be
/// read is left as it is, for clap to refuse with a suggestion.
pub fn spelled_out(options: Option<&Command>, objects: &Command, words: &[OsString]) -> Spelled {
    let mut reader = Reader {
        options,
        above: Vec::new(),
        at: objects,
        named: 0,
        only_words: false,
        out: Spelled {
            words: Vec::with_capacity(words.len()),
            object: None,
            sure: true,
        },
    };
    let mut words = words.iter().skip(1).cloned();
    while let Some(word) = words.next() {
        match word.to_str() {
            Some("--") if !reader.only_words => reader.only_words = true,
            Some(text) if text.starts_with('-') && text.len() > 1 && !reader.only_words => {
                reader.option(text, &mut words);
            }
            Some(text) => {
                if let Some(key) = reader.word(text) {
                    match words.next() {
                        Some(value) => reader.pair(&key, &value),
                        None => reader.push(format!("--{key}")),
                    }
                }
            }
            None => reader.push(word),
        }
    }
    reader.out
}

struct Reader<'a> {
    options: Option<&'a Command>,
    /// The commands above the one below, that of all objects first.
    above: Vec<&'a Command>,
    /// The command that the words so far lead to.
    at: &'a Command,
    /// How many positional words it has been given.
    named: usize,
    /// `--` has been read: nothing is an option any more.
    only_words: bool,
    out: Spelled,
}

impl<'a> Reader<'a> {
    fn push(&mut self, word: impl Into<OsString>) {
        self.put(word, false);
    }

    fn put(&mut self, word: impl Into<OsString>, everywhere: bool) {
        let text = word.into();
        self.out.words.push(Word { text, everywhere });
    }

    /// Takes one word; the key of a `KEY VALUE` pair is returned, its value comes next.
    ///
    /// Verbs come behind the positional words that must be there and before those that may be:
    /// `resource show qp` is about queue pairs, `resource show rxe0` about a device.
    fn word(&mut self, text: &str) -> Option<String> {
        let positionals = self.at.get_positionals().count();
        let required = self
            .at
            .get_positionals()
            .filter(|arg| arg.is_required_set());
        let verbs = self.at.has_subcommands() && self.named >= required.count();
        if verbs && let Some(verb) = self.verb(text) {
            self.push(verb.get_name());
            let object = &mut self.out.object;
            object.get_or_insert_with(|| verb.get_name().to_owned());
            self.above.push(std::mem::replace(&mut self.at, verb));
            self.named = 0;
            return None;
        }
        let all_named = self.named >= positionals;
        if all_named && let Some(key) = self.key(text) {
            return Some(key);
        }
        let takes_words = positionals > 0 || self.at.get_arguments().any(is_key);
        let wants_help = match verbs {
            true => text == "help" || all_named && "help".starts_with(text),
            false => !takes_words && "help".starts_with(text),
        };
        if wants_help {
            self.push("--help");
            return None;
        }
        if all_named {
            // Where only pairs are possible, clap finds the key that was meant; behind a
            // positional word it would take what is near to none for one more of these.
            let keys = self.at.get_arguments().filter(|arg| is_key(arg));
            let mut keys = keys.filter_map(Arg::get_long).peekable();
            let meant = match positionals {
                0 => keys.peek().is_some(),
                _ => !near(text, keys).is_empty(),
            };
            let dashes = if meant { "--" } else { "" };
            self.push(format!("{dashes}{text}"));
            return None;
        }
        self.named += 1;
        let reads_as_keyword = self.at.has_subcommands() && self.at.find_subcommand(text).is_some();
        if reads_as_keyword || text.starts_with('-') {
            self.push(format!("{MARK}{text}"));
        } else {
            self.push(text);
        }
        None
    }

    /// The first verb that begins with the word, in the order of iproute2's tables.
    fn verb(&self, text: &str) -> Option<&'a Command> {
        let whole = self.at.find_subcommand(text);
        let begun = || {
            self.at.get_subcommands().find(|verb| {
                verb.get_name_and_visible_aliases()
                    .iter()
                    .any(|name| name.starts_with(text))
            })
        };
        whole.or_else(|| begun().filter(|_| !text.is_empty()))
    }

    /// The first key of a pair that begins with the word, and that key alone; an alias counts
    /// whole.
    fn key(&self, text: &str) -> Option<String> {
        let marked = || self.at.get_arguments().filter(|arg| is_key(arg));
        let keys = || marked().filter_map(Arg::get_long);
        let whole = keys().find(|key| *key == text);
        let begun = || keys().find(|key| key.starts_with(text) && !text.is_empty());
        let also = || {
            let aliased = |arg: &&Arg| {
                let aliases = arg.get_all_aliases().unwrap_or_default();
                aliases.contains(&text)
            };
            marked().find(aliased).and_then(Arg::get_long)
        };
        whole.or_else(also).or_else(begun).map(str::to_owned)
    }

    fn pair(&mut self, key: &str, value: &OsStr) {
        let mut joined = OsString::from(format!("--{key}="));
        joined.push(value);
        self.push(joined);
    }
}

/// Whether the option may stand without dashes.
fn is_key(arg: &Arg) -> bool {
    arg.get_help_heading() == Some(WORDS)
}

#[cfg(test)]
mod tests {
    fn read(line: &str) -> String {
        let words = line.split(' ').map(Into::into);
        let out = crate::cli::spelled_out(words);
        out.iter()
            .skip(1)
            .map(|word| word.to_string_lossy())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn abbreviations_in_the_order_of_iproute2() {
        for (line, plain) in [
            ("rdma d", "dev"),
            ("rdma d s", "dev show"),
            ("rdma dev li", "dev show"),
            ("rdma d se mlx5_0 ne 1", "dev set mlx5_0 netns 1"),
            ("rdma dev set x a o", "dev set x adaptive-moderation o"),
            ("rdma l", "link"),
            ("rdma l d rxe0", "link delete rxe0"),
            ("rdma s", "system"),
            ("rdma sy se n exclusive", "system set netns exclusive"),
            ("rdma sys set p on", "system set privileged-qkey on"),
            ("rdma dev help", "dev --help"),
            ("rdma h", "--help"),
            ("rdma mon h", "monitor --help"),
            ("rdma devi", "devi"),
            ("rdma dev bogus", "dev bogus"),
        ] {
            assert_eq!(read(line), plain, "{line}");
        }
    }

    #[test]
    fn options_in_every_form_and_place() {
        for (line, plain) in [
            ("rdma -jp dev", "-jp dev"),
            ("rdma dev show -j", "dev show -j"),
            ("rdma -json -details d", "--json --details dev"),
            ("rdma -Version", "--version"),
            ("rdma -oneline l", "--oneline link"),
            ("rdma --netns pod1 d s", "--netns pod1 dev show"),
            ("rdma --netn show d s", "--netns show dev show"),
            ("rdma d s -netns=Pod -d", "dev show --netns=Pod -d"),
            ("rdma mon -ker -j --all", "monitor --kernel -j --all-netns"),
            ("rdma --netns=pod1 d", "--netns=pod1 dev"),
            ("rdma -dd dev", "-dd dev"),
            ("rdma dev show -- -x", "dev show \u{e000}-x"),
            ("rdma dev set -- -x na y", "dev set \u{e000}-x name y"),
            ("rdma stat qp show -rate", "statistic qp show --rate"),
            ("rdma stat --r", "statistic --raw"),
            ("rdma stat --ra --rate", "statistic --raw --rate"),
            ("rdma -watch 2 dev", "--watch 2 dev"),
            ("rdma -x dev", "-x dev"),
            ("rdma - dev", "- dev"),
        ] {
            assert_eq!(read(line), plain, "{line}");
        }
    }

    #[test]
    fn key_value_pairs_become_options() {
        for (line, plain) in [
            (
                "rdma link add rxe0 type rxe netdev eth0",
                "link add rxe0 --type=rxe --netdev=eth0",
            ),
            (
                "rdma l a rxe0 t rxe n eth0",
                "link add rxe0 --type=rxe --netdev=eth0",
            ),
            (
                "rdma link add type type type netdev netdev",
                "link add type --type=type --netdev=netdev",
            ),
            ("rdma link add rxe0 type", "link add rxe0 --type"),
            ("rdma link add rxe0 bogus 1", "link add rxe0 bogus 1"),
            (
                "rdma dev add smi1 type SMI parent mlx5_0",
                "dev add smi1 --type=SMI --parent=mlx5_0",
            ),
        ] {
            assert_eq!(read(line), plain, "{line}");
        }
    }

    #[test]
    fn resources_are_filtered_by_pairs() {
        for (line, plain) in [
            ("rdma r", "resource"),
            ("rdma res s", "resource show"),
            ("rdma res l q", "resource show qp"),
            ("rdma res show rxe0", "resource show rxe0"),
            ("rdma res show c", "resource show cm_id"),
            ("rdma res show help", "resource show --help"),
            ("rdma res show h", "resource show h"),
            (
                "rdma res show qp li rxe0/- l 5 p 1-3",
                "resource show qp --link=rxe0/- --link=5 --pid=1-3",
            ),
            (
                "rdma res show mr d rxe0 l 5",
                "resource show mr --dev=rxe0 --link=5",
            ),
            (
                "rdma res show mr lk 5 pdn 7",
                "resource show mr --lkey=5 --pdn=7",
            ),
            ("rdma res show qp bogus 5", "resource show qp --bogus --5"),
            ("rdma res show qp lqpn", "resource show qp --lqpn"),
            (
                "rdma res se f d rxe0 a 10",
                "resource set frmr_pools --dev=rxe0 aging 10",
            ),
        ] {
            assert_eq!(read(line), plain, "{line}");
        }
    }

    #[test]
    fn vfs_are_set_by_pairs() {
        for (line, plain) in [
            ("rdma v", "vf"),
            ("rdma vf sh ib0/1", "vf show ib0/1"),
            (
                "rdma vf set ib0/0 guid 1 state auto --rebind",
                "vf set ib0/0 --guid=1 --state=auto --rebind",
            ),
            (
                "rdma vf set ib0/0 node_guid 1 po 2 min_tx_rate 3 max-rate 4 query_rss on",
                "vf set ib0/0 --node-guid=1 --port-guid=2 --min-rate=3 --max-rate=4 --query-rss=on",
            ),
            ("rdma vf set guid guid 1", "vf set guid --guid=1"),
            ("rdma vf set ib0/0 gid 1", "vf set ib0/0 --gid 1"),
        ] {
            assert_eq!(read(line), plain, "{line}");
        }
    }

    #[test]
    fn a_device_may_be_called_like_a_keyword() {
        assert_eq!(
            read("rdma dev set netns netns 1"),
            "dev set \u{e000}netns netns 1"
        );
        assert_eq!(super::unmarked("\u{e000}netns"), "netns");
    }
}
