//! `-batch FILE`: commands of a file, one a line, over one socket and in one process.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::Path;

use super::reader::Reader;
use super::{
    Cli, Common, Context, Dialect, Failure, Object, all_netns, drawable, perform, suggest,
};
use crate::kernel::file;
use crate::view::Format;
use crate::view::explain::Explanation;

/// A file longer than this is no list of commands.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// The commands of a file.
pub(super) struct Batch {
    name: String,
    lines: Vec<Line>,
    /// What to do when a command fails.
    goes_on: bool,
    /// The output is a terminal.
    on_terminal: bool,
}

/// One command, and the number of the line on which it ends.
struct Line {
    number: usize,
    words: Vec<String>,
}

impl Line {
    fn read(&self, reader: &mut Reader) -> Result<Cli, clap::Error> {
        if let Some(object) = Object::plainly(&self.words) {
            return Ok(Cli {
                common: Common::default(),
                object: Some(object),
            });
        }
        let argv = std::iter::once("rdmactl").chain(self.words.iter().map(String::as_str));
        let argv: Vec<OsString> = argv.map(OsString::from).collect();
        reader.read(&argv)
    }
}

impl Batch {
    /// Reads a file, or standard input for `-`.
    pub(super) fn open(
        name: &str,
        input: &mut dyn Read,
        goes_on: bool,
        on_terminal: bool,
    ) -> Result<Self, Failure> {
        let bytes = if name == "-" {
            let mut bytes = Vec::new();
            let read = input.take(MAX_FILE + 1).read_to_end(&mut bytes);
            read.map_err(|error| unreadable(name, &error.to_string()))?;
            bytes
        } else {
            let read = file::read(Path::new(name), MAX_FILE + 1);
            let read = read.map_err(|error| unreadable(name, &error.source.to_string()))?;
            read.ok_or_else(|| unreadable(name, "No such file or directory"))?
        };
        if bytes.len() as u64 > MAX_FILE {
            return Err(unreadable(name, "it is larger than 16 MiB"));
        }
        let lines = lines(&String::from_utf8_lossy(&bytes));
        Ok(Self {
            name: name.to_owned(),
            lines,
            goes_on,
            on_terminal,
        })
    }

    /// Runs the commands in turn; each failure is said where it happens.
    ///
    /// # Errors
    /// [`Failure::Told`] when one failed, [`Failure::Output`].
    pub(super) fn run(
        self,
        cx: &mut Context<'_>,
        mut reader: Reader,
        err: &mut (dyn Write + Send),
    ) -> Result<(), Failure> {
        // iproute2 prints a document a line; under our own name the batch is one.
        let joined = cx.dialect == Dialect::Own && cx.view.style().format == Format::Json;
        if joined {
            cx.view.join()?;
        }
        // Somebody who looks on sees each line's as it comes.
        if !self.on_terminal {
            cx.view.gather();
        }
        let mut conn = None;
        let mut failed = false;
        for line in &self.lines {
            let outcome = match line.read(&mut reader) {
                Ok(cli) => match command(cli, &mut reader, cx) {
                    Ok(object) => perform(object, cx, &mut conn),
                    Err(error) => Err(Failure::Words(error)),
                },
                Err(help) if !help.use_stderr() => Ok(cx.view.raw(&help.render().to_string())?),
                Err(error) => Err(Failure::Words(error)),
            };
            let failure = match outcome {
                Ok(()) => continue,
                Err(failure @ Failure::Output(_)) => return Err(failure),
                Err(failure) => failure,
            };
            failed = true;
            cx.view.print_gathered()?;
            // Nowhere is left to say that saying it failed.
            let _ = writeln!(
                err,
                "{}Command failed {}:{}",
                failure.text(),
                self.name,
                line.number
            );
            if !self.goes_on {
                break;
            }
        }
        if joined {
            cx.view.end()?;
        }
        cx.view.print_gathered()?;
        if failed { Err(Failure::Told) } else { Ok(()) }
    }
}

fn unreadable(name: &str, why: &str) -> Failure {
    let headline = format!("Cannot open file \"{name}\" for reading: {why}");
    Explanation {
        headline,
        cause: None,
        cure: None,
    }
    .into()
}

/// The command of a line. Options hold for the whole batch: one on a line would be taken for
/// granted by its writer (`--dry-run`, `--netns`) and must not be passed over.
fn command(cli: Cli, reader: &mut Reader, cx: &Context<'_>) -> Result<Object, clap::Error> {
    let why = match cli.object {
        _ if cli.common != Common::default() => {
            "options stand on the command line, not on the lines of a batch"
        }
        None => "a line of a batch names a command",
        Some(Object::Monitor(_)) => "monitor never ends, and no line after it would be run",
        Some(object) => {
            match all_netns::allowed(&object, cx.all_netns).and(drawable(&object, cx.diagram)) {
                Ok(()) => return Ok(object),
                Err(why) => why,
            }
        }
    };
    Err(suggest::refused(reader.whole(), why))
}

/// The commands: `#` begins a comment, `\` before the end of a line joins it with the next, words
/// are parted by blanks and tabs, and quotes of either kind keep them together.
fn lines(text: &str) -> Vec<Line> {
    let mut found = Vec::new();
    let mut joined = String::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        joined.push_str(line.strip_suffix('\\').unwrap_or(line));
        if line.ends_with('\\') {
            continue;
        }
        let words = words(&std::mem::take(&mut joined));
        if !words.is_empty() {
            found.push(Line {
                number: at + 1,
                words,
            });
        }
    }
    let words = words(&joined);
    if !words.is_empty() {
        found.push(Line {
            number: text.lines().count(),
            words,
        });
    }
    found
}

fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start_matches([' ', '\t']);
    while let Some(first) = rest.chars().next() {
        let (word, behind) = match first {
            '"' | '\'' => {
                let inside = &rest[1..];
                inside.split_once(first).unwrap_or((inside, ""))
            }
            _ => rest.split_once([' ', '\t']).unwrap_or((rest, "")),
        };
        words.push(word.to_owned());
        rest = behind.trim_start_matches([' ', '\t']);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(usize, String)> {
        lines(text)
            .into_iter()
            .map(|line| (line.number, line.words.join("|")))
            .collect()
    }

    /// What is read without clap is what clap reads.
    #[test]
    fn plain_lines_are_what_they_are_elsewhere() {
        let mut plain = 0;
        for object in ["dev", "link", "d", "resource", "system"] {
            for verb in ["show", "list", "s", "set", "add"] {
                for name in [
                    "mlx5_0",
                    "mlx5_0/1",
                    "show",
                    "list",
                    "help",
                    "h",
                    "dev",
                    "netns",
                    "",
                    "-",
                    "-x",
                    "--",
                    "--json",
                    "\u{e000}x",
                    "a b",
                    "a=b",
                    "\u{fffd}",
                    "?",
                ] {
                    let words = [object, verb, name].map(str::to_owned);
                    let Some(object) = Object::plainly(&words) else {
                        continue;
                    };
                    let argv: Vec<OsString> = ["rdmactl", words[0].as_str(), verb, name]
                        .map(Into::into)
                        .into();
                    let cli = Reader::new().read(&argv).unwrap();
                    assert_eq!(cli.common, Common::default(), "{words:?}");
                    assert_eq!(
                        format!("{:?}", cli.object),
                        format!("{:?}", Some(object)),
                        "{words:?}"
                    );
                    plain += 1;
                }
            }
        }
        assert_eq!(plain, 2 * 2 * 13);
    }

    #[test]
    fn comments_joints_and_quotes() {
        let text = "# nothing\ndev show # all\n\n  link\tshow  \\\n rxe0/1\ndev set \"a b\" name 'x'\nsystem\\";
        let expected = [
            (2, "dev|show"),
            (5, "link|show|rxe0/1"),
            (6, "dev|set|a b|name|x"),
            (7, "system"),
        ];
        assert_eq!(
            read(text),
            expected.map(|(number, words)| (number, words.to_owned()))
        );
        assert_eq!(read(""), []);
        assert_eq!(read("\"open"), [(1, "open".to_owned())]);
    }
}
