//! `--watch`: the same command again and again, until the reader has enough.

use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use super::reader::Later;
use super::{Call, Cli, Context, Failure, Object, perform};
use crate::kernel::terminal::{self, Size};
use crate::rdma::statistic::rate::Readings;
use crate::types::Interval;
use crate::view::frame::{Frame, Heading};
use crate::view::{Format, Style, View};

/// How a command is watched.
pub(super) struct Watch {
    every: Interval,
    /// The command, for the line above each frame.
    command: String,
    /// Frames are drawn one over the other, not one below the other.
    redraws: bool,
}

/// Why there is nothing to watch in what was typed, if there is not.
fn refusal(cli: &Cli) -> Option<&'static str> {
    let only_shows = match (&cli.common.batch, &cli.object) {
        (Some(_), _) => return Some("--batch runs its commands once, and takes no --watch"),
        (_, None) => true,
        (_, Some(Object::Dev(Later(dev)))) => dev.only_shows(),
        (_, Some(Object::Link(Later(link)))) => link.only_shows(),
        (_, Some(Object::Resource(Later(resource)))) => resource.only_shows(),
        (_, Some(Object::System(Later(system)))) => system.only_shows(),
        (_, Some(Object::Statistic(Later(statistic)))) => statistic.only_shows(),
        (_, Some(Object::Vf(Later(vf)))) => vf.only_shows(),
        (_, Some(Object::Doctor(_) | Object::Completions(_))) => true,
        (_, Some(Object::Provision(Later(provision)))) if provision.reads_input() => {
            return Some("--file - reads standard input once, and takes no --watch");
        }
        (_, Some(Object::Provision(Later(provision)))) => provision.only_shows(),
        (_, Some(Object::Topology(_))) => true,
        (_, Some(Object::Cni(Later(cni)))) => cni.only_shows(),
        (_, Some(Object::Cdi(Later(cdi)))) => cdi.only_shows(),
        (_, Some(Object::OciHook(_))) => false,
        (_, Some(Object::Monitor(_))) => {
            return Some("monitor tells each change when it happens, and takes no --watch");
        }
    };
    (!only_shows)
        .then_some("--watch runs a command again and again, and this one changes something")
}

/// The words of the command line without those about watching.
fn typed(argv: &[OsString]) -> String {
    let mut argv = argv.iter();
    let name = argv.next().map(|word| Path::new(word).file_name());
    let mut words = vec![name.flatten().unwrap_or_default().to_string_lossy()];
    let mut rest = argv.map(|word| word.to_string_lossy());
    while let Some(word) = rest.next() {
        // No other option begins with a w.
        let is_watch = word.trim_start_matches('-').starts_with(['w', 'W']);
        if !(word.starts_with('-') && is_watch) {
            words.push(word);
        } else if !word.contains('=') {
            rest.next();
        }
    }
    words.join::<&str>(" ")
}

impl Watch {
    /// What `--watch` asks for, if it was given, or why it cannot be had.
    pub(super) fn asked_for(cli: &Cli, call: &Call<'_>) -> Result<Option<Self>, &'static str> {
        let Some(every) = cli.common.watch else {
            return Ok(None);
        };
        if let Some(why) = refusal(cli) {
            return Err(why);
        }
        Ok(Some(Self {
            every,
            command: typed(&call.argv),
            redraws: call.terminal.is_some() && call.redraws,
        }))
    }

    /// Runs the command until the reader leaves or a signal ends the program. A frame that fails
    /// says so in its place; a command that cannot even begin ends.
    ///
    /// No signal is caught: nothing on the terminal has to be set back, so Ctrl-C ends this as it
    /// ends any program, and a shell's loop around it too.
    ///
    /// # Errors
    /// [`Failure`] of the first frame when it shows nothing at all; [`Failure::Output`].
    pub(super) fn run(self, object: &Object, cx: &mut Context<'_>) -> Result<(), Failure> {
        let (mut conn, mut past) = (None, Readings::default());
        let mut due = Instant::now();
        let mut is_first = true;
        loop {
            let at = SystemTime::now();
            let size = terminal::size();
            let mut printed = Vec::new();
            let style = self.style(cx.view.style(), size);
            let mut frame = Context {
                host: cx.host,
                input: &mut *cx.input,
                view: View::new(&mut printed, style),
                dialect: cx.dialect,
                details: cx.details,
                raw: cx.raw,
                diagram: cx.diagram,
                dry_run: cx.dry_run,
                force: cx.force,
                notes: Vec::new(),
                all_netns: cx.all_netns,
                roams: false,
                past: Some(past),
            };
            let outcome = perform(object.clone(), &mut frame, &mut conn);
            past = frame.past.take().unwrap_or_default();
            past.turn();
            let notes = std::mem::take(&mut frame.notes);
            let mut printed = String::from_utf8_lossy(&printed).into_owned();
            let failed = match outcome {
                Ok(()) => Vec::new(),
                Err(failure) if is_first && shows_nothing(&printed) => return Err(failure),
                Err(failure) => failure.explanations(),
            };
            if style.format != Format::Json {
                printed.extend(notes.iter().map(|note| format!("note: {note}\n")));
            }
            let frame = Frame {
                at,
                printed: &printed,
                failed: &failed,
            };
            cx.view
                .raw(&self.shown(frame, style.format, size, is_first))?;
            is_first = false;
            due = next(due, self.every.duration(), Instant::now());
            terminal::pause(due)?;
        }
    }

    /// The style of one frame: as wide as the terminal is now, and JSON without line breaks.
    fn style(&self, style: Style, size: Size) -> Style {
        let format = match style.format {
            Format::Table { .. } if self.redraws => Format::Table {
                width: size.columns,
            },
            other => other,
        };
        Style {
            format,
            pretty: false,
            ..style
        }
    }

    fn shown(&self, frame: Frame<'_>, format: Format, size: Size, is_first: bool) -> String {
        match format {
            // The same on a terminal, as all JSON is.
            Format::Json => frame.line(),
            Format::Text | Format::Table { .. } if !self.redraws => frame.section(),
            Format::Text | Format::Table { .. } => {
                let heading = Heading {
                    every: &self.every.to_string(),
                    command: &self.command,
                };
                frame.drawn(heading, size, is_first)
            }
        }
    }
}

fn shows_nothing(printed: &str) -> bool {
    matches!(printed.trim_end(), "" | "[]")
}

/// When the next frame is due: a whole number of intervals after the last was, and still to come.
/// Frames that take longer than an interval leave some out, and none is hurried after.
fn next(due: Instant, every: Duration, now: Instant) -> Instant {
    let missed = now.saturating_duration_since(due).as_nanos() / every.as_nanos().max(1);
    let steps = u32::try_from(missed).unwrap_or(u32::MAX).saturating_add(1);
    due + every * steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_drift_and_no_hurry() {
        let (due, every) = (Instant::now(), Duration::from_secs(2));
        let after = |millis| {
            let next = next(due, every, due + Duration::from_millis(millis));
            next.duration_since(due).as_millis()
        };
        assert_eq!(after(0), 2000);
        assert_eq!(after(1999), 2000);
        assert_eq!(after(2000), 4000);
        assert_eq!(after(7001), 8000);
        // A clock that says it is not yet due is believed no more than the plan.
        assert_eq!(next(due + every, every, due), due + every * 2);
    }

    #[test]
    fn the_command_without_watching() {
        for (line, shown) in [
            ("/usr/sbin/rdmactl --watch 2 dev", "rdmactl dev"),
            ("rdma dev show mlx5_0 --watch=0.5", "rdma dev show mlx5_0"),
            ("rdmactl -watch 1 st --rate", "rdmactl st --rate"),
            ("rdmactl dev show w --wat 1 -d", "rdmactl dev show w -d"),
            ("rdmactl dev --watch", "rdmactl dev"),
            ("", ""),
        ] {
            let argv: Vec<OsString> = line.split(' ').map(Into::into).collect();
            assert_eq!(typed(&argv), shown, "{line}");
        }
    }
}
