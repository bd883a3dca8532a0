//! `Meter`: how far an apply has come: a bar on a terminal, a line a phase elsewhere.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::phases::{Phases, line};
use crate::provision::apply::{Event, Watcher};
use crate::provision::plan::Step;
use crate::provision::problem::Trouble;
use crate::view::Format;

/// How often the bar shows that something is still waited for.
const TICK: Duration = Duration::from_millis(200);

/// Tells people on standard error. Programs that read JSON are told by the result alone.
pub struct Meter {
    bar: Option<ProgressBar>,
    /// What is told in lines; `None` tells nothing.
    phases: Option<Mutex<Phases>>,
}

impl Meter {
    /// For a result in this format.
    pub fn new(format: Format) -> Self {
        let bar = io::stderr().is_terminal().then(bar);
        let is_plain = bar.is_none() && format != Format::Json;
        Self {
            bar,
            phases: is_plain.then(Mutex::default),
        }
    }

    fn waits(&self, trouble: &Trouble, limit: Duration) {
        let place = trouble.place.as_ref().map(|place| format!("{place}: "));
        let (place, what) = (place.unwrap_or_default(), &trouble.problem);
        let line = format!(
            "{place}{what}; waiting {:.0} s at most",
            limit.as_secs_f32().ceil()
        );
        if let Some(bar) = &self.bar {
            bar.set_message(line);
        } else if self.phases.is_some() {
            say(&line);
        }
    }

    fn over(&self, step: &Step, is_done: bool) {
        if let Some(bar) = &self.bar {
            bar.set_message(line(step));
            bar.inc(1);
        } else if let Some(Ok(mut phases)) = self.phases.as_ref().map(Mutex::lock)
            && let Some(line) = phases.over(step, is_done, Instant::now())
        {
            say(&line);
        }
    }

    fn begins(&self, steps: &[&Step]) {
        if let Some(bar) = &self.bar {
            let left = u64::try_from(steps.len()).unwrap_or(u64::MAX);
            bar.set_length(bar.position().saturating_add(left));
        }
        if let Some(Ok(mut phases)) = self.phases.as_ref().map(Mutex::lock) {
            phases.begin(steps, Instant::now());
        }
    }
}

/// Whoever does not read it misses nothing that is not told at the end.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("[{elapsed_precise}] {bar:30} {pos}/{len} {wide_msg}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    bar
}

impl Watcher for Meter {
    fn tell(&self, event: Event<'_>) {
        match event {
            Event::Begins(steps) => self.begins(steps),
            Event::Waits(trouble, limit) => self.waits(trouble, limit),
            Event::Done(step) => self.over(step, true),
            Event::Failed(step) => self.over(step, false),
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if let Some(Ok(mut phases)) = self.phases.as_ref().map(Mutex::lock) {
            for line in phases.rest(Instant::now()) {
                say(&line);
            }
        }
    }
}
