//! The `rdma` plugin killed, and then called again, or its pod gone: nothing is left behind.

use super::cni_call::*;
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::output::Output;

const FOLDERS: &[&str] = &["folder /"];

pub(crate) fn cases() -> Vec<Case> {
    let exclusive = |name, run| case(name, run).exclusive().may_change(FOLDERS).limit(180);
    vec![
        exclusive("r17_add_killed_and_repeated", r17_add_killed_and_repeated),
        exclusive("r17_killed_and_the_pod_dies", r17_killed_and_the_pod_dies),
    ]
}

const POD: &str = "/run/netns/pod";
/// What a shell says of a program that SIGKILL ended.
const KILLED: i32 = 137;

/// A VF that goes into the pod and comes home.
struct Traveller<'a> {
    lab: &'a Lab,
    vf: String,
    name: String,
}

impl<'a> Traveller<'a> {
    fn new(lab: &'a Lab) -> Self {
        Self {
            lab,
            vf: lab.vf(0),
            name: lab.vf_rdma(0),
        }
    }

    fn call(&self, verb: &str, netns: &str) -> Output {
        call(self.lab, verb, netns, &config(&self.vf))
    }

    fn is_home(&self) {
        at_home(&self.vf, &self.name);
    }

    /// Kills ADD at each of `steps`, each time later, and runs `then` after every kill.
    fn killed(&self, steps: &[&'static str], then: impl Fn()) {
        for step in steps {
            for n in 1.. {
                let output = killed_at(self.lab, "ADD", &config(&self.vf), step, n);
                if output.status != KILLED {
                    output.ok();
                    self.call("DEL", POD).ok();
                    break;
                }
                then();
            }
        }
        self.is_home();
    }
}

fn r17_add_killed_and_repeated(lab: &Lab) {
    let traveller = Traveller::new(lab);
    let _pod = lab.netns("pod");
    let then = || {
        let again = traveller.call("ADD", POD);
        // Only the last steps come after the record says that it is done.
        if again.status != 0 {
            refused(again, 102, "already has RDMA device");
        }
        assert_eq!(inside(lab, "pod"), [traveller.name.as_str()]);
        traveller.call("DEL", POD).ok();
        traveller.is_home();
    };
    traveller.killed(&["sendto", "rename", "write"], then);
}

fn r17_killed_and_the_pod_dies(lab: &Lab) {
    let traveller = Traveller::new(lab);
    // From before anything is on record.
    for n in 1..7 {
        let _pod = lab.netns("pod");
        killed_at(lab, "ADD", &config(&traveller.vf), "sendto", n);
        lab.ip(&["netns", "delete", "pod"]).ok();
        traveller.call("DEL", "").ok();
        traveller.is_home();
    }
}
