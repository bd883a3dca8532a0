//! The command line: words to operations, one arm an object.

use std::ffi::OsString;
use std::io::{self, Read, Write};

use clap::{ArgAction, Args, Parser};

use self::batch::Batch;
use self::form::{FormatWord, drawable, style};
use self::object::Object;
use self::reader::{Later, Reader};
use self::watch::Watch;
use crate::kernel::{Conn, Host, Netns};
use crate::rdma::RdmaError;
use crate::rdma::statistic::rate::Readings;
use crate::types::Interval;
use crate::view::topology::Diagram;
use crate::view::{Detail, Field, View};

mod all_netns;
mod batch;
mod cdi;
mod cni;
mod complete;
mod completions;
mod dev;
mod doctor;
mod failure;
mod form;
mod install;
mod link;
mod monitor;
mod object;
mod oci_hook;
mod provision;
mod reader;
mod reclaim;
mod repair;
mod resource;
mod statistic;
mod suggest;
mod system;
mod topology;
mod vf;
mod watch;
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
    /// Output form: auto (a table on a terminal), text, table or json; for topology also dot or mermaid
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
    /// Do it although it disturbs users; go on with a batch when a command fails
    #[arg(short, long, action = ArgAction::SetTrue, overrides_with = "force", global = true)]
    force: bool,
    /// Run the command in this network namespace: a name, a path or a PID
    // Its own id: a command may have a positional word `netns`, and ids are shared.
    #[arg(long = "netns", id = "in_netns", value_name = "NETNS", global = true)]
    in_netns: Option<String>,
    /// Show what every network namespace has
    #[arg(long, action = ArgAction::SetTrue, overrides_with = "all_netns", global = true)]
    #[arg(conflicts_with = "in_netns")]
    all_netns: bool,
    /// Show it again every so many seconds: 2, 0.5
    #[arg(long, value_name = "SECONDS", global = true)]
    watch: Option<Interval>,
    /// Say what would be done and do nothing
    #[arg(long, action = ArgAction::SetTrue, overrides_with = "dry_run", global = true)]
    dry_run: bool,
    /// Print the version
    #[arg(short = 'V', long, action = ArgAction::SetTrue, overrides_with = "version", global = true)]
    version: bool,
}

/// What a command works with.
struct Context<'a> {
    host: &'a Host,
    /// Standard input, for a document.
    input: &'a mut (dyn Read + Send),
    view: View<'a>,
    dialect: Dialect,
    details: u8,
    raw: bool,
    diagram: Option<Diagram>,
    dry_run: bool,
    /// Users may be disturbed; never said for the lines of a batch.
    force: bool,
    /// While the command is watched: what counters were in the last frame.
    past: Option<Readings>,
    /// What else the user should know, said when the command has ended.
    notes: Vec<String>,
    all_netns: bool,
    /// One namespace of several is being asked: what it lacks, another may have.
    roams: bool,
}

impl Context<'_> {
    /// How much of a record is asked for.
    fn detail(&self) -> Detail {
        match (self.details, self.dialect) {
            (0, _) => Detail::Usual,
            (_, Dialect::Iproute2) => Detail::Full,
            (_, Dialect::Own) => Detail::Own,
        }
    }

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

    /// Tells the user, once, what the output does not say.
    fn note(&mut self, text: String) {
        if !self.notes.contains(&text) {
            self.notes.push(text);
        }
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
    /// Whether that terminal can be drawn over.
    pub redraws: bool,
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
    if let Some(words) = complete::asked(&call.argv) {
        return Ok(write!(call.out, "{}", complete::lines(call.host, &words))?);
    }
    let mut reader = Reader::new();
    let cli = match reader.read(&call.argv) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => return Err(Failure::Words(error)),
        Err(help) => return Ok(write!(call.out, "{}", help.render())?),
    };
    if cli.common.version {
        return Ok(print_version(call.dialect, call.out)?);
    }
    let watch = Watch::asked_for(&cli, &call)
        .map_err(|why| Failure::Words(suggest::refused(reader.whole(), why)))?;
    let work = match (&cli.common.batch, cli.object) {
        (Some(file), None) => {
            let on_terminal = call.terminal.is_some();
            let batch = Batch::open(file, call.input, cli.common.force, on_terminal)?;
            Work::Batch(batch)
        }
        (None, Some(object)) => {
            let allowed = all_netns::allowed(&object, cli.common.all_netns);
            let drawn = drawable(&object, cli.common.format.diagram());
            allowed
                .and(drawn)
                .map_err(|why| Failure::Words(suggest::refused(reader.whole(), why)))?;
            Work::One(object)
        }
        (None, None) => return Ok(write!(call.out, "{}", reader.whole().render_help())?),
        (Some(_), Some(_)) => {
            return Err(Failure::Words(suggest::refused(
                reader.whole(),
                "--batch takes its commands from the file alone",
            )));
        }
    };
    let style = style(&cli.common, call.dialect, call.terminal);
    let mut context = Context {
        host: call.host,
        input: call.input,
        view: View::new(call.out, style),
        dialect: call.dialect,
        details: cli.common.details,
        raw: cli.common.raw,
        diagram: cli.common.format.diagram(),
        dry_run: cli.common.dry_run,
        force: cli.common.force && cli.common.batch.is_none(),
        all_netns: cli.common.all_netns,
        roams: false,
        past: None,
        notes: Vec::new(),
    };
    let err = call.err;
    let all = || match work {
        Work::One(object) => {
            // What the command needs has room where the tree of words was.
            drop(reader);
            match watch {
                None => perform(object, &mut context, &mut None),
                Some(watch) => watch.run(&object, &mut context),
            }
        }
        Work::Batch(batch) => batch.run(&mut context, reader, err),
    };
    let outcome = match &cli.common.in_netns {
        None => all(),
        Some(word) => {
            let inside = Netns::open(call.host, word).and_then(|netns| netns.within(all));
            inside.unwrap_or_else(|error| Err(failure::explain_netns(call.host, &error)))
        }
    };
    for note in &context.notes {
        // Nowhere is left to say that saying it failed.
        let _ = writeln!(err, "note: {note}");
    }
    outcome
}

/// Runs one command, in every namespace if that was asked for.
fn perform(object: Object, cx: &mut Context<'_>, conn: &mut Option<Conn>) -> Result<(), Failure> {
    if cx.all_netns && object.again().is_some() {
        all_netns::run(&object, cx, conn)
    } else {
        dispatch(object, cx, conn)
    }
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
        Object::Vf(Later(vf)) => vf.run(cx),
        Object::Provision(Later(provision)) => provision.run(cx),
        Object::Topology(Later(topology)) => topology.run(cx, opened(cx, conn)?),
        Object::Cni(Later(cni)) => cni.run(cx),
        Object::Doctor(Later(doctor)) => doctor.run(cx),
        Object::Completions(Later(completions)) => completions.run(cx),
        Object::OciHook(Later(hook)) => hook.run(cx),
        Object::Cdi(Later(cdi)) => cdi.run(cx),
    }
}

fn opened<'c>(cx: &Context<'_>, conn: &'c mut Option<Conn>) -> Result<&'c mut Conn, Failure> {
    match conn {
        Some(conn) => Ok(conn),
        None => Ok(conn.insert(cx.rdma()?)),
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
