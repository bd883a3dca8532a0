//! `Phases`: how far an apply has come, as lines for a journal: one for each phase of a PF.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::words;
use crate::provision::plan::{Step, Target};
use crate::types::PciAddr;

/// What a phase is of, and what is done in it.
type Key = (Option<PciAddr>, &'static str);

/// Steps of VFs are counted, and told when the last of a PF is over; those of PFs and hosts are told each. There may be
/// a hundred VFs, and who looks for what went wrong does not want to read of each.
#[derive(Default)]
pub(super) struct Phases {
    open: BTreeMap<Key, Phase>,
    /// When the last line of a PF was told, or all began.
    since: BTreeMap<Option<PciAddr>, Instant>,
    begun: Option<Instant>,
}

#[derive(Default, Clone, Copy)]
struct Phase {
    planned: usize,
    done: usize,
    failed: usize,
}

impl Phases {
    /// These are to be done, beside what is over.
    pub(super) fn begin(&mut self, steps: &[&Step], now: Instant) {
        self.begun.get_or_insert(now);
        for phase in self.open.values_mut() {
            phase.planned = phase.done + phase.failed;
        }
        for step in steps {
            if let Some(key) = counted(step) {
                self.open.entry(key).or_default().planned += 1;
            }
        }
    }

    /// A step is over; the line to tell, if there is one.
    pub(super) fn over(&mut self, step: &Step, is_done: bool, now: Instant) -> Option<String> {
        let pf = step.target.pf();
        let Some(key) = counted(step) else {
            let took = self.took(pf, now);
            let how = if is_done { "" } else { " failed" };
            return Some(format!("{}{how}, {took}", line(step)));
        };
        let phase = self.open.entry(key).or_default();
        if !is_done {
            phase.failed += 1;
            return Some(format!("{} failed", line(step)));
        }
        phase.done += 1;
        let is_last = phase.done + phase.failed >= phase.planned;
        is_last.then(|| self.end(key, now)).flatten()
    }

    /// The lines of what has begun and not come to its end.
    pub(super) fn rest(&mut self, now: Instant) -> Vec<String> {
        let begun = self.open.iter().filter(|(_, phase)| phase.done > 0);
        let begun: Vec<Key> = begun.map(|(key, _)| *key).collect();
        begun
            .into_iter()
            .filter_map(|key| self.end(key, now))
            .collect()
    }

    fn end(&mut self, key: Key, now: Instant) -> Option<String> {
        let (pf, action) = key;
        let phase = self.open.remove(&key)?;
        let of = match phase.planned > phase.done {
            true => format!(" of {}", phase.planned),
            false => String::new(),
        };
        let (whose, took) = (name(pf), self.took(pf, now));
        let steps = if phase.planned.max(phase.done) == 1 {
            "step"
        } else {
            "steps"
        };
        Some(format!(
            "{whose}: {action}, {}{of} {steps}, {took}",
            phase.done
        ))
    }

    /// Since the last line of a PF.
    fn took(&mut self, pf: Option<PciAddr>, now: Instant) -> String {
        let last = self.since.insert(pf, now).or(self.begun);
        let took = last.map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        format!("{:.1} s", took.as_secs_f32())
    }
}

/// The phase of a step of a VF.
fn counted(step: &Step) -> Option<Key> {
    match step.target {
        Target::Vf(pf, _) => Some((Some(pf), words::change(&step.action).action)),
        Target::Host | Target::Pf(_) => None,
    }
}

fn name(pf: Option<PciAddr>) -> String {
    pf.map_or_else(|| "host".to_owned(), |pf| pf.to_string())
}

/// A step in a few words.
pub(super) fn line(step: &Step) -> String {
    let change = words::change(&step.action);
    let target = match step.target {
        Target::Vf(pf, index) => format!("{pf}/{index}"),
        Target::Host | Target::Pf(_) => name(step.target.pf()),
    };
    let mut line = format!("{target}: {}", change.action);
    if let Some(key) = change.key {
        line.push(' ');
        line.push_str(key);
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
    use crate::types::Guid;
    use crate::wire::link::vf::VfSetting;

    const PF: &str = "0000:3b:00.0";

    fn step(index: Option<u16>, action: Action) -> Step {
        let pf = PF.parse().unwrap();
        Step {
            target: index.map_or(Target::Pf(pf), |index| Target::Vf(pf, index)),
            action,
            class: Class::Safe,
            reason: Reason::Declared,
            blocked: None,
            users: Vec::new(),
        }
    }

    fn set(index: u16) -> Step {
        let to = VfSetting::NodeGuid(Guid::new(2));
        step(Some(index), Action::Set { from: None, to })
    }

    /// What is told of `steps`, of which those at `failed` fail, and the rest behind `until` is not done; 0.1 s each.
    fn told(steps: &[Step], failed: &[usize], until: usize) -> Vec<String> {
        let begun = Instant::now();
        let mut phases = Phases::default();
        // Those that are there at first, and all, once more is known.
        for known in [0, 1, steps.len()] {
            phases.begin(&steps.iter().take(known).collect::<Vec<_>>(), begun);
        }
        let mut now = begun;
        let mut lines = Vec::new();
        for (at, step) in steps.iter().take(until).enumerate() {
            now += Duration::from_millis(100);
            lines.extend(phases.over(step, !failed.contains(&at), now));
        }
        lines.extend(phases.rest(now));
        assert!(phases.rest(now).is_empty());
        lines
    }

    #[test]
    fn a_line_for_each_phase() {
        let mut steps = vec![
            step(None, Action::Probing { to: false }),
            step(None, Action::Create { to: 120 }),
        ];
        steps.extend((0..120).map(set));
        steps.push(step(None, Action::Probing { to: true }));
        steps.extend((0..120).map(|index| step(Some(index), Action::Bind { to: None })));
        let all = [
            "0000:3b:00.0: autoprobe to off, 0.1 s",
            "0000:3b:00.0: create-vfs to 120, 0.1 s",
            "0000:3b:00.0: set, 120 steps, 12.0 s",
            "0000:3b:00.0: autoprobe to on, 0.1 s",
            "0000:3b:00.0: bind, 120 steps, 12.0 s",
        ];
        assert_eq!(told(&steps, &[], steps.len()), all);
        // Each failure has a line of its own, and what is not done is counted.
        let some = [
            all[0],
            all[1],
            "0000:3b:00.0/3: set node_guid to 00:00:00:00:00:00:00:02 failed",
            "0000:3b:00.0: set, 119 of 120 steps, 12.0 s",
            all[3],
            "0000:3b:00.0/1: bind to default failed",
            "0000:3b:00.0: bind, 9 of 120 steps, 1.0 s",
        ];
        assert_eq!(told(&steps, &[5, 124], 133), some);
        assert_eq!(
            told(&steps, &[1], 2)[1..],
            ["0000:3b:00.0: create-vfs to 120 failed, 0.1 s"]
        );
        // The last one fails: what was done is told all the same.
        assert_eq!(
            told(&[set(0), set(1)], &[1], 2),
            [
                "0000:3b:00.0/1: set node_guid to 00:00:00:00:00:00:00:02 failed",
                "0000:3b:00.0: set, 1 of 2 steps, 0.2 s"
            ]
        );
    }

    /// VFs that are there are put right one after the other: phases are open side by side.
    #[test]
    fn phases_side_by_side() {
        let unbind = |index| {
            let from = "mlx5_core".to_owned();
            step(Some(index), Action::Unbind { from })
        };
        let steps = [set(0), unbind(0), set(1), unbind(1)];
        assert_eq!(
            told(&steps, &[], 4),
            [
                "0000:3b:00.0: set, 2 steps, 0.3 s",
                "0000:3b:00.0: unbind, 2 steps, 0.1 s"
            ]
        );
        assert_eq!(
            told(&[set(0)], &[], 1),
            ["0000:3b:00.0: set, 1 step, 0.1 s"]
        );
    }
}
