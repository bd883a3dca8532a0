//! The command line: words to operations, one arm an object.

use std::ffi::OsString;
use std::io::{self, Read, Write};

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use self::batch::Batch;
use self::reader::{Grammar, Later, Reader};
use crate::kernel::{Conn, Host, Netns};
use crate::rdma::RdmaError;
use crate::view::{Field, Format, Style, View};

mod batch;
mod dev;
mod failure;
mod link;
mod monitor;
mod reader;
mod resource;
mod statistic;
mod suggest;
mod system;
mod words;

pub use failure::Failure;
pub use reader::{command, spelled_out};

/// Isolate RDMA devices and provision SR-IOV: a drop-in for iproute2's `rdma`, and more.
#[derive(Debug, Parser)]
#[command(
    name = "rdmactl",
    disable_help_subcommand = true,
    disable_version_flag = true,
    infer_long_args = true,
    max_term_width = 80,
    subcommand_value_name = "OBJECT",
    subcommand_help_heading = "Objects",
    help_expected = true,
    after_help = "Every word may be shortened: `rdmactl d s` is `rdmactl dev show`. \
                  Options may stand anywhere."
)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    object: Option<Object>,
}

/// Options that every command takes.
#[derive(Debug, Default, PartialEq, Eq, Args)]
struct Common {
    /// Print JSON
    #[arg(short, long, action = ArgAction::SetTrue, overrides_with = "json", global = true)]
    json: bool,
    /// Break and indent the JSON
    #[arg(short, long, action = ArgAction::SetTrue, overrides_with = "pretty", global = true)]
    pretty: bool,
    /// Show more of each object
    #[arg(short, long, action = ArgAction::Count, global = true)]
    details: u8,
    /// Put a backslash where a record would break its line
    #[arg(short, long, action = ArgAction::SetTrue, overrides_with = "oneline", global = true)]
    oneline: bool,
    /// Show qp, cq, mr and srq resources as their driver has them
    #[arg(short, long, action = ArgAction::SetTrue, overrides_with = "raw", global = true)]
    raw: bool,
    /// Output form: auto (a table on a terminal), text, table or json
    #[arg(
        long,
        value_name = "FORM",
        default_value = "auto",
        hide_default_value = true
    )]
    #[arg(hide_possible_values = true, global = true)]
    format: FormatWord,
    /// Run the commands of a file, one a line; - is standard input
    #[arg(short, long, value_name = "FILE", global = true)]
    batch: Option<String>,
    /// Go on with the batch when a command fails
    #[arg(short, long, action = ArgAction::SetTrue, overrides_with = "force", global = true)]
    force: bool,
    /// Run the command in this network namespace: a name, a path or a PID
    // Its own id: a command may have a positional word `netns`, and ids are shared.
    #[arg(long = "netns", id = "in_netns", value_name = "NETNS", global = true)]
    in_netns: Option<String>,
    /// Say what would be done and do nothing
    #[arg(long, action = ArgAction::SetTrue, overrides_with = "dry_run", global = true)]
    dry_run: bool,
    /// Print the version
    #[arg(short = 'V', long, action = ArgAction::SetTrue, overrides_with = "version", global = true)]
    version: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum FormatWord {
    /// A table on a terminal, else text
    #[default]
    Auto,
    /// iproute2's lines
    Text,
    /// Columns
    Table,
    /// The same as --json
    Json,
}

/// The order is iproute2's: the first object that begins with a shortened word is meant.
#[derive(Debug, Subcommand)]
enum Object {
    /// RDMA devices: show, rename, move to a network namespace
    Dev(Later<dev::Dev>),
    /// Ports, and software devices on network interfaces
    Link(Later<link::Link>),
    /// Objects that the kernel tracks: queue pairs, memory regions, ...
    Resource(Later<resource::Resource>),
    /// Settings of the whole RDMA subsystem
    System(Later<system::System>),
    /// Counters of ports, queue pairs and memory regions
    Statistic(Later<statistic::Statistic>),
    /// Tell what changes, as it changes
    Monitor(Later<monitor::Monitor>),
}

impl Object {
    /// How the words of the object with this name are read.
    fn grammar(name: &str) -> Option<Grammar> {
        Some(match name {
            "dev" => Grammar::of(Self::Dev),
            "link" => Grammar::of(Self::Link),
            "resource" => Grammar::of(Self::Resource),
            "system" => Grammar::of(Self::System),
            "statistic" => Grammar::of(Self::Statistic),
            "monitor" => Grammar::of(Self::Monitor),
            _ => return None,
        })
    }
}

/// What a command works with.
struct Context<'a> {
    host: &'a Host,
    view: View<'a>,
    dialect: Dialect,
    details: u8,
    raw: bool,
    dry_run: bool,
}

impl Context<'_> {
    /// The one socket of a command.
    fn rdma(&self) -> Result<Conn, Failure> {
        self.host
            .rdma()
            .map_err(|error| self.explain_unconnected(error.into()))
    }

    /// What was found; where nothing could be, programs still get their array.
    fn or_empty<T>(&mut self, conn: &mut Conn, found: Result<T, RdmaError>) -> Result<T, Failure> {
        found.map_err(|error| match self.view.nothing() {
            Ok(()) => self.explain_plain(conn, error),
            Err(error) => error.into(),
        })
    }

    /// The end of a change: nothing in text, an empty array for programs, done or not.
    fn changed(&mut self, outcome: Result<(), Failure>) -> Result<(), Failure> {
        if !self.dry_run {
            self.view.nothing()?;
        }
        outcome
    }

    /// In a dry run says what would be done; true then.
    fn plan(&mut self, step: impl FnOnce() -> String) -> Result<bool, Failure> {
        self.plan_all(|| vec![step()])
    }

    /// As [`Self::plan`], for a change of several steps.
    fn plan_all(&mut self, steps: impl FnOnce() -> Vec<String>) -> Result<bool, Failure> {
        if self.dry_run {
            let row = |step: String| {
                vec![Field::with_text(
                    "would",
                    "WOULD",
                    format!("would {step}"),
                    step,
                )]
            };
            let rows: Vec<_> = steps().into_iter().map(row).collect();
            self.view.rows(&rows)?;
        }
        Ok(self.dry_run)
    }
}

/// How the command line presents itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// As `rdmactl`: tables on a terminal.
    Own,
    /// As `rdma`: iproute2's text, on a terminal too.
    Iproute2,
}

/// One call of the command line.
pub struct Call<'a> {
    /// The words, the program's name first.
    pub argv: Vec<OsString>,
    /// How it presents itself.
    pub dialect: Dialect,
    /// Standard input.
    pub input: &'a mut (dyn Read + Send),
    /// Standard output.
    pub out: &'a mut (dyn Write + Send),
    /// Standard error.
    pub err: &'a mut (dyn Write + Send),
    /// Characters in a line, when standard output is a terminal.
    pub terminal: Option<u16>,
    /// The machine.
    pub host: &'a Host,
}

/// What a call is about.
enum Work {
    One(Object),
    Batch(Batch),
}

/// Runs one call.
///
/// # Errors
/// [`Failure`]; nothing of it has been printed yet, except in a batch.
pub fn run(call: Call<'_>) -> Result<(), Failure> {
    let mut reader = Reader::new();
    let cli = match reader.read(&call.argv) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => return Err(Failure::Words(error)),
        Err(help) => return Ok(write!(call.out, "{}", help.render())?),
    };
    if cli.common.version {
        return Ok(print_version(call.dialect, call.out)?);
    }
    let work = match (&cli.common.batch, cli.object) {
        (Some(file), None) => {
            let is_watched = call.terminal.is_some();
            let batch = Batch::open(file, call.input, cli.common.force, is_watched)?;
            Work::Batch(batch)
        }
        (None, Some(object)) => Work::One(object),
        (None, None) => return Ok(write!(call.out, "{}", reader.whole().render_help())?),
        (Some(_), Some(_)) => {
            return Err(Failure::Words(batch::refused(
                reader.whole(),
                "--batch takes its commands from the file alone",
            )));
        }
    };
    let style = style(&cli.common, call.dialect, call.terminal);
    let mut context = Context {
        host: call.host,
        view: View::new(call.out, style),
        dialect: call.dialect,
        details: cli.common.details,
        raw: cli.common.raw,
        dry_run: cli.common.dry_run,
    };
    let err = call.err;
    let all = || match work {
        Work::One(object) => {
            // What the command needs has room where the tree of words was.
            drop(reader);
            dispatch(object, &mut context, &mut None)
        }
        Work::Batch(batch) => batch.run(&mut context, reader, err),
    };
    let Some(word) = &cli.common.in_netns else {
        return all();
    };
    let inside = Netns::open(call.host, word).and_then(|netns| netns.within(all));
    inside.unwrap_or_else(|error| Err(failure::explain_netns(call.host, &error)))
}

/// Runs one command over `conn`, which is opened by the first that needs it.
fn dispatch(object: Object, cx: &mut Context<'_>, conn: &mut Option<Conn>) -> Result<(), Failure> {
    match object {
        Object::Dev(Later(dev)) => dev.run(cx, opened(cx, conn)?),
        Object::Link(Later(link)) => link.run(cx, opened(cx, conn)?),
        Object::Resource(Later(resource)) => resource.run(cx, opened(cx, conn)?),
        Object::System(Later(system)) => system.run(cx, opened(cx, conn)?),
        Object::Statistic(Later(statistic)) => statistic.run(cx, opened(cx, conn)?),
        Object::Monitor(Later(monitor)) => monitor.run(cx),
    }
}

fn opened<'c>(cx: &Context<'_>, conn: &'c mut Option<Conn>) -> Result<&'c mut Conn, Failure> {
    match conn {
        Some(conn) => Ok(conn),
        None => Ok(conn.insert(cx.rdma()?)),
    }
}

fn style(common: &Common, dialect: Dialect, terminal: Option<u16>) -> Style {
    let width = terminal.unwrap_or(80);
    let format = match (common.format, dialect) {
        _ if common.json => Format::Json,
        (FormatWord::Json, _) => Format::Json,
        (FormatWord::Table, _) => Format::Table { width },
        (FormatWord::Auto, Dialect::Own) if terminal.is_some() => Format::Table { width },
        (FormatWord::Auto | FormatWord::Text, _) => Format::Text,
    };
    Style {
        format,
        pretty: common.pretty,
        oneline: common.oneline,
    }
}

fn print_version(dialect: Dialect, out: &mut (dyn Write + Send)) -> io::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    match dialect {
        Dialect::Own => writeln!(out, "rdmactl {version}"),
        // The form of iproute2's line, for scripts that cut it at blanks.
        Dialect::Iproute2 => writeln!(out, "rdma utility, rdmactl-{version}"),
    }
}
