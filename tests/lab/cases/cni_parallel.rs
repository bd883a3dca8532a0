//! Many pods at once, of both plugins: no call fails, and when they have ended, nothing is lost (S36, S39b, R16).
//!
//! How long each round took is in the log of times. A hundred pods come once, in two mixes; with `LAB_SWEEPS=whole` in
//! every mix, twice, which takes half an hour. `LAB_PODS=N` makes N of the hundred, for whoever works at this.

use std::fmt;
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use super::cni_call::{self, with};
use super::cni_sweeps::is_whole;
use super::ib_sriov::ANEW;
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::output::{Output, run};
use crate::pci;
use crate::snapshot::Snapshot;

/// Set on the host, it comes along.
pub(crate) const PODS: &str = "LAB_PODS";

pub(crate) fn cases() -> Vec<Case> {
    let exclusive = |name, run| {
        let case = case(name, run).exclusive().may_change(ANEW).limit(200);
        case.adapter("mode=ib vf_guids=1")
    };
    vec![
        exclusive("s36_s39b_seven_pods", seven_pods).vfs(7),
        exclusive("i15_one_guid_for_seven_pods", one_guid).vfs(7),
        exclusive("hundred_pods", hundred_pods)
            .pf("nvme")
            .vfs(HUNDRED)
            .limit(if is_whole() { 7200 } else { 1000 })
            .only(&["6.12"], "it takes minutes, and is about our locks"),
    ]
}

const HUNDRED: u32 = 100;

/// A plugin with what it is asked for.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Rdma,
    IbSriov {
        guid: bool,
        isolation: bool,
    },
    /// `ib-sriov` with both, and drivers bound at the same time.
    Together,
}

const BOTH: Kind = Kind::IbSriov {
    guid: true,
    isolation: true,
};

/// Every mix of what pods are given.
const MIXES: [Kind; 6] = [
    Kind::Together,
    BOTH,
    Kind::IbSriov {
        guid: true,
        isolation: false,
    },
    Kind::IbSriov {
        guid: false,
        isolation: true,
    },
    Kind::IbSriov {
        guid: false,
        isolation: false,
    },
    Kind::Rdma,
];

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (guid, isolation) = match self {
            Self::Rdma => return f.write_str("rdma"),
            Self::Together => return f.write_str("ib-sriov, charDevices any"),
            Self::IbSriov { guid, isolation } => (guid, isolation),
        };
        let with = |is: &bool| if *is { "with" } else { "without" };
        let (guid, isolation) = (with(guid), with(isolation));
        write!(f, "ib-sriov, {guid} GUID, {isolation} isolation")
    }
}

fn config(kind: Kind, vf: &str, pod: u32) -> Value {
    match kind {
        Kind::Rdma => json!({
            "cniVersion": "1.0.0", "name": "net", "type": "rdma", "deviceID": vf,
            "prevResult": {"cniVersion": "1.0.0", "interfaces": [{"name": "eth0"}]},
        }),
        Kind::Together => with("charDevices", json!("any"), config(BOTH, vf, pod)),
        Kind::IbSriov { guid, isolation } => json!({
            "cniVersion": "1.0.0", "name": "ibnet", "type": "ib-sriov", "deviceID": vf, "link_state": "enable",
            "rdmaIsolation": isolation,
            "runtimeConfig": if guid { json!({"infinibandGUID": format!("02:00:00:00:00:aa:00:{pod:02x}")}) } else { json!({}) },
        }),
    }
}

/// Pods that hold a VF each.
struct Pods<'a> {
    lab: &'a Lab,
    vfs: Vec<String>,
    /// The RDMA devices of the VFs.
    names: Vec<String>,
    before: Snapshot,
    /// Of everything, namespaces of pods included, which takes seconds where there are many.
    all_before: Option<Snapshot>,
}

const FOLDERS: [&str; 2] = ["/var/lib/cni", "/run/rdmactl"];

impl<'a> Pods<'a> {
    fn new(lab: &'a Lab, count: u32) -> Self {
        let mut pods = Self {
            lab,
            vfs: (0..count).map(|index| lab.vf(index)).collect(),
            names: (0..count).map(|index| lab.vf_rdma(index)).collect(),
            before: Snapshot::of_home(&FOLDERS),
            all_before: None,
        };
        pods.namespaces("add");
        pods.all_before = is_whole().then(Snapshot::take);
        pods
    }

    /// All of them in one process: each costs milliseconds.
    fn namespaces(&self, verb: &str) {
        let lines: String = (0..self.vfs.len())
            .map(|pod| format!("netns {verb} p{pod}\n"))
            .collect();
        self.lab
            .sh(&format!("ip -batch - <<'END'\n{lines}END"))
            .ok();
    }

    /// Every pod's call, all at once.
    fn call(&self, verb: &str, kind: Kind) -> Vec<Output> {
        let plugin = match kind {
            Kind::Rdma => "rdma",
            Kind::IbSriov { .. } | Kind::Together => "ib-sriov",
        };
        let config = |pod: u32, vf: &str| config(kind, vf, pod);
        self.call_all(plugin, verb, &config)
    }

    /// Every pod's call with what `config` says for its number and VF, all at once.
    fn call_all(
        &self,
        plugin: &str,
        verb: &str,
        config: &(dyn Fn(u32, &str) -> Value + Sync),
    ) -> Vec<Output> {
        thread::scope(|scope| {
            let call = |(pod, vf): (u32, &String)| {
                let vf = vf.clone();
                scope.spawn(move || {
                    let (netns, id) = (format!("/run/netns/p{pod}"), format!("pod-{pod}"));
                    let env = [
                        ("CNI_NETNS", netns.as_str()),
                        ("CNI_CONTAINERID", id.as_str()),
                    ];
                    let mut command = self.lab.cni_command(plugin, verb, &env);
                    run(&mut command, &config(pod, &vf).to_string())
                })
            };
            let calls: Vec<_> = (0..).zip(&self.vfs).map(call).collect();
            calls.into_iter().map(|call| call.join().unwrap()).collect()
        })
    }

    /// So many times, each with its line in the log.
    #[track_caller]
    fn rounds(&self, kind: Kind, count: u32) {
        let pods = self.vfs.len();
        for n in 1..=count {
            let [add, del] = self.round(kind);
            println!("{kind}, {pods} pods, round {n}: ADD {add:.1} s, DEL {del:.1} s");
        }
    }

    /// Returns the seconds of ADD and DEL, from the first call's beginning to the last one's end.
    #[track_caller]
    fn round(&self, kind: Kind) -> [f64; 2] {
        let seconds = ["ADD", "DEL"].map(|verb| {
            let begun = Instant::now();
            let outputs = self.call(verb, kind);
            let seconds = begun.elapsed().as_secs_f64();
            let failed: Vec<_> = outputs.iter().filter(|output| output.status != 0).collect();
            assert!(
                failed.is_empty(),
                "{kind}: {verb} failed for {} of {}: {}",
                failed.len(),
                outputs.len(),
                failed[0]
            );
            if verb == "ADD" {
                self.are_out(kind);
            }
            seconds
        });
        self.is_as_it_was(&kind.to_string());
        seconds
    }

    #[track_caller]
    fn is_as_it_was(&self, what: &str) {
        let diff = self
            .before
            .diff(&Snapshot::of_home(&FOLDERS), &["folder /"]);
        assert!(diff.is_empty(), "{what}:\n{diff}");
        if let Some(before) = &self.all_before {
            // A case may go on with slower drivers.
            let except = [ANEW, &["probe_delay_ms"]].concat();
            let diff = before.diff(&Snapshot::take(), &except);
            assert!(diff.is_empty(), "{what}:\n{diff}");
        }
    }

    fn are_out(&self, kind: Kind) {
        if let Kind::Together = kind {
            // Whatever names the drivers gave meanwhile, each pod sees its own.
            for (pod, name) in self.names.iter().enumerate() {
                let inside = cni_call::inside(self.lab, &format!("p{pod}"));
                assert_eq!(inside, [name.as_str()], "pod {pod}");
            }
        }
        for vf in &self.vfs {
            let (rdma, netdev) = match kind {
                Kind::Rdma => (true, false),
                Kind::IbSriov { isolation, .. } => (isolation, true),
                Kind::Together => (true, true),
            };
            assert!(!rdma || pci::rdma(vf).is_none(), "{kind}: {vf}");
            assert!(!netdev || pci::netdev(vf).is_none(), "{kind}: {vf}");
        }
    }
}

impl Drop for Pods<'_> {
    fn drop(&mut self) {
        self.namespaces("delete");
    }
}

fn seven_pods(lab: &Lab) {
    let pods = Pods::new(lab, 7);
    for kind in MIXES {
        pods.rounds(kind, 3);
    }
    // A driver that takes its time is what others need not wait for.
    lab.inject("probe_delay_ms", "200");
    pods.rounds(Kind::Together, 1);
    lab.inject("probe_delay_ms", "0");
}

/// Whoever is first has the GUID, and nobody else; whoever comes too late is told, and nothing of him stays.
fn one_guid(lab: &Lab) {
    let pods = Pods::new(lab, 7);
    let same = |_, vf: &str| config(BOTH, vf, 1);
    for _ in 0..3 {
        let outputs = pods.call_all("ib-sriov", "ADD", &same);
        let done = outputs.iter().filter(|output| output.status == 0).count();
        assert_eq!(done, 1, "{done} pods have one GUID");
        for output in outputs.iter().filter(|output| output.status != 0) {
            let said = output.json();
            let msg = said["msg"].as_str().unwrap_or_default();
            assert!(msg.contains("is taken"), "{output}");
        }
        for output in pods.call_all("ib-sriov", "DEL", &same) {
            output.ok();
        }
        pods.is_as_it_was("after DEL");
    }
}

/// Each waits for the others before it, longer than anybody may keep the lock.
fn hundred_pods(lab: &Lab) {
    let asked = std::env::var(PODS).ok();
    let count = asked.map(|count| count.parse().expect("LAB_PODS is a number"));
    let pods = Pods::new(lab, count.unwrap_or(HUNDRED));
    let (kinds, rounds) = match is_whole() {
        true => (&MIXES[..], 2),
        false => (&[BOTH, Kind::Rdma][..], 1),
    };
    for kind in kinds {
        pods.rounds(*kind, rounds);
    }
}
