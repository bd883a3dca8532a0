//! The OCI hook, fed by hand: devices by annotation, all or none, home again, on record meanwhile.

use serde_json::{Value, json};

use super::cni_call::{at_home, records};
use super::cni_sweeps::{is_whole, kernel};
use crate::adapter::until;
use crate::case::{Case, KERNELS, case};
use crate::handle::{FACES, Lab, clean};
use crate::namespace::Held;
use crate::output::{Output, run};
use crate::pci;
use crate::tripwire::{self, Fault, Grain};

pub(crate) fn cases() -> Vec<Case> {
    let exclusive = |name, run| {
        case(name, run)
            .exclusive()
            .may_change(&["folder /"])
            .limit(120)
    };
    vec![
        exclusive("given_and_brought_home", given_and_brought_home),
        exclusive("containers_that_just_end", containers_that_just_end),
        exclusive("refused_and_unchanged", refused_and_unchanged)
            .only(&["6.12"], "what is handed in is read, and refused"),
        case("shared_mode", shared_mode),
        exclusive("killed_at_every_change", killed_at_every_change).limit(240),
    ]
}

pub(super) fn state(id: &str, status: &str, pid: u32, devices: Option<&str>) -> Value {
    let mut state =
        json!({"ociVersion": "1.0.2", "id": id, "status": status, "pid": pid, "bundle": "/run"});
    if let Some(devices) = devices {
        state["annotations"] = json!({"rdmactl.io/devices": devices, "org.other": "x"});
    }
    state
}

pub(super) fn hook(words: &[&str], input: &str) -> Output {
    run(
        clean(&format!("{FACES}/rdmactl"))
            .arg("oci-hook")
            .args(words),
        input,
    )
}

pub(super) fn create(id: &str, pid: u32, devices: &str) -> Output {
    let state = state(id, "creating", pid, Some(devices)).to_string();
    hook(&["createRuntime"], &state)
}

pub(super) fn poststop(id: &str) -> Output {
    hook(&["poststop"], &state(id, "stopped", 0, None).to_string())
}

pub(super) fn container(lab: &Lab) -> Held {
    lab.spawn_in_new_netns(&["sleep", "1000"])
}

/// The devices that iproute2 sees in a container.
fn inside(lab: &Lab, pid: u32) -> Vec<String> {
    let line = format!("nsenter --net=/proc/{pid}/ns/net rdma -j dev show");
    let listed: Value = lab.exec(&line).ok().json();
    let listed = listed.as_array().cloned().unwrap_or_default();
    let name = |device: &Value| device["ifname"].as_str().unwrap_or_default().to_owned();
    listed.iter().map(name).collect()
}

/// Container and standing of each attachment on record.
fn listed(lab: &Lab) -> Vec<(String, String)> {
    let listed = lab.rdmactl(&["-j", "cni", "list"]).ok().json();
    let listed = listed.as_array().cloned().unwrap_or_default();
    let word = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let ours = listed.iter().filter(|row| row["plugin"] == "oci-hook");
    ours.map(|row| (word(row, "container"), word(row, "standing")))
        .collect()
}

fn given_and_brought_home(lab: &Lab) {
    let (vfs, names) = ([lab.vf(0), lab.vf(1)], [lab.vf_rdma(0), lab.vf_rdma(1)]);
    let web = container(lab);
    create("web", web.pid(), &names[0]).ok().silent();
    assert_eq!(inside(lab, web.pid()), [names[0].as_str()]);
    assert_eq!(pci::rdma(&vfs[0]), None);
    assert_eq!(listed(lab), [("web".to_owned(), "held".to_owned())]);
    // Called again it is done already; a dry run of the end changes nothing.
    create("web", web.pid(), &vfs[0]).ok().silent();
    let stopped = state("web", "stopped", 0, None).to_string();
    hook(&["--dry-run"], &stopped)
        .ok()
        .stdout_is(&format!("would bring {} of container web home\n", vfs[0]));
    assert_eq!(inside(lab, web.pid()), [names[0].as_str()]);

    // What another container has is not taken, and what was free is left free.
    let other = container(lab);
    let both = state(
        "other",
        "creating",
        other.pid(),
        Some(&format!("{} {}", names[1], names[0])),
    );
    hook(&["createRuntime", "-j"], &both.to_string())
        .fails(1)
        .stdout_is("")
        .stderr_has("container web has it")
        .stderr_has("fix: end container web");
    assert_eq!(inside(lab, other.pid()), Vec::<String>::new());
    assert_eq!(pci::rdma(&vfs[1]).as_ref(), Some(&names[1]));
    assert_eq!(records().len(), 1);

    // A device that was renamed there has its name again; the status alone says the phase.
    lab.exec(&format!(
        "nsenter --net=/proc/{}/ns/net rdma dev set {} name foo0",
        web.pid(),
        names[0]
    ))
    .ok();
    hook(&[], &stopped).ok().silent();
    at_home(&vfs[0], &names[0]);
    poststop("web").ok().silent();
    poststop("nobody").ok().silent();

    // Both, by annotation and by word, with the dry run first.
    let both = state("other", "created", other.pid(), Some(&vfs[1])).to_string();
    let words = ["--device", &names[0]];
    hook(&[&words[..], &["--dry-run"]].concat(), &both)
        .ok()
        .stdout_has(&format!("would move the RDMA device of {} to", vfs[0]));
    assert_eq!(records(), Vec::<String>::new());
    hook(&[&words[..], &["-j"]].concat(), &both).ok().silent();
    assert_eq!(inside(lab, other.pid()).len(), 2);
    poststop("other").ok().silent();
    at_home(&vfs[0], &names[0]);
    at_home(&vfs[1], &names[1]);
    // A container that names none gets none.
    let none = state("plain", "creating", other.pid(), None).to_string();
    hook(&["createRuntime"], &none).ok().silent();
    assert_eq!(inside(lab, other.pid()), Vec::<String>::new());
}

/// The runtime was killed, or forgot its hook.
fn containers_that_just_end(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let came = || {
        until("the device is home", || pci::rdma(&vf).is_some())
            .unwrap_or_else(|error| panic!("{error}"));
    };
    let lose = |id: &str| {
        let lost = container(lab);
        create(id, lost.pid(), &name).ok();
        drop(lost);
        came();
        assert_eq!(listed(lab), [(id.to_owned(), "orphan".to_owned())]);
    };
    lose("one");
    poststop("one").ok().silent();
    at_home(&vf, &name);
    lose("two");
    lab.rdmactl(&["cni", "gc"]).ok().stdout_has("two");
    at_home(&vf, &name);
    lose("three");
    lab.rdmactl(&["cni", "repair"]).ok().stdout_has("three");
    at_home(&vf, &name);
    // The next container of the device notices.
    lose("four");
    let next = container(lab);
    create("five", next.pid(), &name)
        .ok()
        .stderr_has("container four ended without its poststop hook");
    assert_eq!(inside(lab, next.pid()), [name.as_str()]);
    assert_eq!(listed(lab), [("five".to_owned(), "held".to_owned())]);
    poststop("five").ok();
    at_home(&vf, &name);

    // A namespace with a name outlives its container; what lives in one keeps its device.
    for (id, by_gc) in [("six", true), ("seven", false)] {
        let pod = lab.netns("pod");
        let inner = lab.start("ip netns exec pod sleep 1000");
        let there = || {
            pci::target(format!("/proc/{}/ns/net", inner.pid())) != pci::target("/proc/self/ns/net")
        };
        until("the process is in there", there).unwrap_or_else(|error| panic!("{error}"));
        create(id, inner.pid(), &name).ok();
        lab.rdmactl(&["cni", "gc"]).ok().silent();
        create("next", next.pid(), &name)
            .fails(1)
            .stderr_has(&format!("container {id} has it"));
        assert_eq!(listed(lab), [(id.to_owned(), "held".to_owned())]);
        drop(inner);
        assert_eq!(listed(lab), [(id.to_owned(), "orphan".to_owned())]);
        if by_gc {
            lab.rdmactl(&["doctor", "--only", "leases"])
                .fails(1)
                .stdout_has("no process is in it any more");
            lab.rdmactl(&["cni", "gc"]).ok().stdout_has(id);
        } else {
            create("next", next.pid(), &name).ok().stderr_has(id);
            poststop("next").ok();
        }
        at_home(&vf, &name);
        drop(pod);
    }
}

fn refused_and_unchanged(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let web = container(lab);
    let own = std::process::id();
    let gone = {
        let gone = container(lab);
        gone.pid()
    };
    let text =
        |id: &str, pid: u32, devices: &str| state(id, "creating", pid, Some(devices)).to_string();
    let long = format!(r#"{{"id":"web","x":"{}"}}"#, "x".repeat(5 << 20));
    let deep = "[".repeat(100_000);
    let typo =
        r#"{"status":"creating","id":"web","pid":1,"annotations":{"rdmactl.io/device":"x"}}"#;
    for (input, says) in [
        (String::new(), "it is empty"),
        ("{".to_owned(), "is no OCI state"),
        (deep, "is no OCI state"),
        (long, "more than 4 MiB"),
        ("{}".to_owned(), "has no status"),
        (text("../web", web.pid(), &name), "container id"),
        (text("web", web.pid(), "../x"), "not a valid device"),
        (text("web", web.pid(), ""), "list of devices"),
        (typo.to_owned(), "no annotation \"rdmactl.io/device\""),
        (
            text("web", web.pid(), "mlx5_77"),
            "there is no RDMA device mlx5_77",
        ),
        (text("web", web.pid(), "0000:7f:1f.7"), "has no RDMA device"),
        (text("web", own, &name), "host's own network namespace"),
        (text("web", gone, &name), "there is no process"),
        (text("web", 0, &name), "no pid"),
    ] {
        let output = hook(&["createRuntime"], &input).fails(1);
        assert!(output.stderr.contains(says), "{says}: {output}");
        assert!(output.stderr.contains("fix: "), "{output}");
    }
    let whole = text("web", web.pid(), &name);
    hook(&["createRuntime", "--device", "a/b"], &whole).fails(2);
    hook(&["later"], &whole).fails(2);
    let running = state("web", "running", web.pid(), Some(&name)).to_string();
    hook(&[], &running).fails(2).stderr_has("poststop");
    hook(&["poststop"], "[]").fails(1);
    assert_eq!(inside(lab, web.pid()), Vec::<String>::new());
    at_home(&vf, &name);
    // What is wrong beside its id keeps no device of a container.
    create("web", web.pid(), &name).ok();
    hook(&["poststop"], r#"{"id":"web","pid":"x","annotations":7}"#).ok();
    at_home(&vf, &name);
    // Nor does a record that was emptied, once its namespace is gone.
    create("web", web.pid(), &name).ok();
    lab.sh("for each in /var/lib/cni/rdma/*; do : > $each; done")
        .ok();
    drop(web);
    until("the device is home", || pci::rdma(&vf).is_some())
        .unwrap_or_else(|error| panic!("{error}"));
    poststop("web").ok();
    at_home(&vf, &name);
}

fn shared_mode(lab: &Lab) {
    let name = lab.vf_rdma(0);
    let web = container(lab);
    create("web", web.pid(), &name)
        .fails(1)
        .stderr_has("the RDMA subsystem is in shared mode")
        .stderr_has("fix: rdmactl system set netns exclusive --persist");
    poststop("web").ok().silent();
    assert_eq!(records(), Vec::<String>::new());
}

/// What a shell says of a program that SIGKILL ended.
const KILLED: i32 = 137;

/// Whatever was cut off: poststop, gc and the next container each leave all as it was. Each kernel takes a third of the
/// steps, as the sweeps of the plugins do.
fn killed_at_every_change(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let web = container(lab);
    let command = |phase: &str| {
        let mut command = clean(&format!("{FACES}/rdmactl"));
        command.args(["oci-hook", phase]);
        command
    };
    let making = state("web", "creating", web.pid(), Some(&name)).to_string();
    let ended = state("web", "stopped", 0, None).to_string();
    let steps = |phase: &str, input: &str| {
        let run = tripwire::record(&mut command(phase), input, Grain::Changes);
        run.output.ok();
        run.steps.len()
    };
    let _folders = (steps("createRuntime", &making), steps("poststop", &ended));
    let (gives, takes) = (steps("createRuntime", &making), steps("poststop", &ended));
    assert!(gives > 5 && takes > 3, "{gives} {takes}");
    let kill = |phase: &str, input: &str, at: usize| {
        let grain = Grain::Changes;
        let run = tripwire::disturb(&mut command(phase), input, grain, ("", at), Fault::Kill);
        if run.hit.is_some() {
            assert_eq!(run.output.status, KILLED, "{phase} {at}: {}", run.output);
        }
    };
    let mine = |at: &usize| is_whole() || at % KERNELS.len() == kernel();
    let mut points = 0;
    for at in (1..=gives).filter(mine) {
        points += 1;
        kill("createRuntime", &making, at);
        match points % 3 {
            0 => drop(poststop("web").ok()),
            1 => {
                // The container is begun anew.
                create("web", web.pid(), &name).ok();
                assert_eq!(inside(lab, web.pid()), [name.as_str()]);
                poststop("web").ok();
            }
            _ => {
                lab.rdmactl(&["cni", "gc"]).ok();
                // Done to the end it is no leftover while the container lives.
                poststop("web").ok();
            }
        }
        at_home(&vf, &name);
    }
    for at in (1..=takes).filter(mine) {
        points += 1;
        create("web", web.pid(), &name).ok();
        kill("poststop", &ended, at);
        poststop("web").ok();
        at_home(&vf, &name);
    }
    // The container dies with its hook.
    for at in (1..=gives).filter(mine) {
        points += 1;
        let doomed = container(lab);
        let making = state("doomed", "creating", doomed.pid(), Some(&name)).to_string();
        kill("createRuntime", &making, at);
        drop(doomed);
        until("the device is home", || pci::rdma(&vf).is_some())
            .unwrap_or_else(|error| panic!("{error}"));
        lab.rdmactl(&["cni", "repair"]).ok();
        at_home(&vf, &name);
    }
    println!("oci-hook killed at {points} points of {gives} and {takes} steps");
}
