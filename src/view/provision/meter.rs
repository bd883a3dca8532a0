//! `Meter`: how far an apply has come: a bar on a terminal, a line a step elsewhere.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::words;
use crate::provision::apply::{Event, Watcher};
use crate::provision::plan::{Step, Target};
use crate::provision::problem::Trouble;
use crate::view::Format;

/// How often the bar shows that something is still waited for.
const TICK: Duration = Duration::from_millis(200);

/// Tells people on standard error. Programs that read JSON are told by the result alone.
pub struct Meter {
    bar: Option<ProgressBar>,
    /// Steps that are over, and all; `None` tells nothing.
    lines: Option<Mutex<(usize, usize)>>,
}

impl Meter {
    /// For a result in this format.
    pub fn new(format: Format) -> Self {
        let bar = io::stderr().is_terminal().then(bar);
        let is_plain = bar.is_none() && format != Format::Json;
        Self {
            bar,
            lines: is_plain.then(Mutex::default),
        }
    }

    fn waits(&self, trouble: &Trouble, limit: Duration) {
        let place = trouble.place.as_ref().map(|place| format!("{place}: "));
        let (place, what) = (place.unwrap_or_default(), &trouble.problem);
        let line = format!("{place}{what}; waiting {} s at most", limit.as_secs());
        if let Some(bar) = &self.bar {
            bar.set_message(line);
        } else if self.lines.is_some() {
            let _ = writeln!(io::stderr(), "{line}");
        }
    }

    fn over(&self, step: &Step, how: &str) {
        let what = line(step);
        if let Some(bar) = &self.bar {
            bar.set_message(what);
            bar.inc(1);
        } else if let Some(lines) = &self.lines
            && let Ok(mut count) = lines.lock()
        {
            count.0 += 1;
            let (over, all) = *count;
            // Whoever does not read it misses nothing that is not told at the end.
            let _ = writeln!(io::stderr(), "[{over}/{}] {what}{how}", all.max(over));
        }
    }
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
            Event::Begins(steps) => {
                if let Some(bar) = &self.bar {
                    bar.set_length(u64::try_from(steps).unwrap_or(u64::MAX));
                }
                if let Some(Ok(mut count)) = self.lines.as_ref().map(Mutex::lock) {
                    count.1 = steps;
                }
            }
            Event::Waits(trouble, limit) => self.waits(trouble, limit),
            Event::Done(step) => self.over(step, ""),
            Event::Failed(step) => self.over(step, ": failed"),
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A step in a few words.
fn line(step: &Step) -> String {
    let change = words::change(&step.action);
    let mut line = match step.target {
        Target::Host => "host".to_owned(),
        Target::Pf(pf) => pf.to_string(),
        Target::Vf(pf, index) => format!("{pf}/{index}"),
    };
    for word in [Some(change.action), change.key].into_iter().flatten() {
        line.push(' ');
        line.push_str(word);
    }
    if let Some(to) = change.to {
        line.push_str(" to ");
        line.push_str(&to);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provision::plan::{Action, Class, Reason};

    #[test]
    fn steps_in_a_few_words() {
        let pf = "0000:3b:00.0".parse().unwrap();
        let step = |target, action| Step {
            target,
            action,
            class: Class::Safe,
            reason: Reason::Declared,
            blocked: None,
            users: Vec::new(),
        };
        let create = step(Target::Pf(pf), Action::Create { to: 7 });
        assert_eq!(line(&create), "0000:3b:00.0 create-vfs to 7");
        let bind = step(Target::Vf(pf, 3), Action::Bind { to: None });
        assert_eq!(line(&bind), "0000:3b:00.0/3 bind to default");
    }
}
