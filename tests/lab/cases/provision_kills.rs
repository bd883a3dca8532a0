//! `provision apply` killed at each of its steps: the next one comes to the same end.

use super::cni_sweeps::{is_whole, kernel};
use super::provision::with;
use super::provision_apply::{document, is_rising, numbers};
use super::vf_create::autoprobe;
use crate::case::{Case, KERNELS, case};
use crate::handle::{FACES, Lab, clean};
use crate::pci;
use crate::tripwire::{self, Fault, Grain};

pub(super) fn cases() -> Vec<Case> {
    const LEFT: &[&str] = &["folder /", "file /run/rdmactl/"];
    let bare = |name, run| case(name, run).vfs(0).exclusive().may_change(LEFT);
    let limit = if is_whole() { 3600 } else { 300 };
    vec![
        bare("from_bare", from_bare).limit(limit),
        bare("to_other_addresses", to_other_addresses).limit(limit),
    ]
}

/// The kernels take a ninth of the steps each, and a whole run all of them on each.
const SHARES: usize = 3 * KERNELS.len();

/// An apply that is killed.
struct Killed<'a> {
    lab: &'a Lab,
    pf: String,
    document: &'a str,
    /// Kills that left a PF keeping drivers away, and VFs without a driver.
    kept_away: usize,
    points: usize,
}

impl<'a> Killed<'a> {
    fn new(lab: &'a Lab, document: &'a str) -> Self {
        Self {
            lab,
            pf: lab.pf(),
            document,
            kept_away: 0,
            points: 0,
        }
    }

    /// At each step, or at the share of this kernel where not all is asked for; `before` makes the
    /// host what it is to start from.
    fn at_every_step(&mut self, before: impl Fn()) {
        before();
        let count = self.run(None).steps.len();
        assert!(count > 10, "{count}");
        let mine = |n: &usize| is_whole() || n % SHARES == kernel();
        for n in (0..count).filter(mine) {
            before();
            // What a child is at goes on when the program alone is killed.
            let fault = match (n / SHARES) % 4 {
                0 => Fault::KillLeader,
                _ => Fault::Kill,
            };
            let run = self.run(Some((n + 1, fault)));
            let hit = run.hit.map(|step| step.what).unwrap_or_default();
            self.points += usize::from(!hit.is_empty());
            let what = format!("{fault:?} at step {} ({hit})", n + 1);
            self.converges(&what);
        }
        println!("apply killed at {} points of {count} steps", self.points);
    }

    fn run(&self, fault: Option<(usize, Fault)>) -> tripwire::Run {
        let mut command = clean(&format!("{FACES}/rdmactl"));
        command.args(["provision", "apply", "--file", "-"]);
        match fault {
            None => tripwire::record(&mut command, self.document, Grain::Changes),
            Some((n, fault)) => {
                tripwire::disturb(&mut command, self.document, Grain::Changes, ("", n), fault)
            }
        }
    }

    /// One apply is enough, whatever was left.
    fn converges(&mut self, what: &str) {
        self.kept_away += usize::from(autoprobe(&self.pf) == "0");
        let applied = with(self.lab, "apply", self.document);
        assert_eq!(applied.status, 0, "{what}: {applied}");
        let plan = with(self.lab, "plan", self.document);
        assert_eq!(
            (plan.status, plan.stdout.as_str()),
            (0, ""),
            "{what}: {plan}"
        );
        assert_eq!(autoprobe(&self.pf), "1", "{what}");
        let names = numbers(&self.pf);
        assert!(is_rising(&names), "{what}: {names:?}");
    }
}

fn from_bare(lab: &Lab) {
    let document = document(lab, 2, "");
    let pf = lab.pf();
    let mut killed = Killed::new(lab, &document);
    killed.at_every_step(|| {
        if pci::vf(&pf, 0).is_some() {
            lab.rdmactl(&["vf", "destroy", &pf]).ok();
        }
    });
    assert!(
        killed.kept_away > 0,
        "no kill came while drivers were kept away"
    );
    lab.rdmactl(&["vf", "destroy", &pf]).ok();
}

/// VFs that are there lose their drivers for a moment, and get them back.
fn to_other_addresses(lab: &Lab) {
    let document = document(lab, 2, "");
    let elsewhere = format!("{document}[host]\nsite = \"elsewhere\"\n");
    Killed::new(lab, &document).at_every_step(|| {
        with(lab, "apply", &elsewhere).ok();
    });
    let pf = lab.pf();
    lab.rdmactl(&["vf", "destroy", &pf]).ok();
    // The way back is that of the first apply: nothing was there.
    lab.rdmactl(&["provision", "rollback"]).ok();
}
