//! `vf create` and `vf destroy`: checked against sysfs and `ip`, with every user and every failure.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::doctor::doctor;
use crate::adapter::until;
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::output::Output;
use crate::pci;

/// Locks leave their folders behind.
pub(super) const FOLDERS: &[&str] = &["folder /"];

/// A PF that was moved has another IPoIB interface.
const AWAY: &[&str] = &["folder /", "rdma device", "netdev"];

pub(super) fn cases() -> Vec<Case> {
    let bare = |name, run| case(name, run).vfs(0).exclusive().may_change(FOLDERS);
    vec![
        bare("create_and_destroy", create_and_destroy),
        bare("seven_ethernet", seven).ethernet(),
        bare("what_is_in_use_stays", what_is_in_use_stays),
        bare(
            "what_is_in_use_stays_ethernet",
            what_is_in_use_stays_ethernet,
        )
        .ethernet(),
        bare("refusals_and_failures", refusals_and_failures),
        bare("hangs", hangs).limit(90),
        bare("named_in_another_namespace", named_in_another_namespace).may_change(AWAY),
        bare("no_vfs_offered", no_vfs_offered).adapter("mode=ib total_vfs=0"),
        bare("one_at_a_time", one_at_a_time).only(
            &["6.12"],
            "the lock is ours, and no kernel knows it from another",
        ),
        bare("120_vfs", many_vfs).pf("nvme").limit(120),
        case("stock_driver", stock_driver)
            .no_adapter()
            .may_change(&["folder /", "function", "netdev", "vf "]),
    ]
}

/// Every VF of the PF as sysfs has it, in the shape of a row.
fn there(pf: &str) -> Vec<Value> {
    let name = pci::netdev(pf).unwrap_or_else(|| pf.to_owned());
    let mut rows = Vec::new();
    while let Some(vf) = pci::vf(pf, rows.len() as u32) {
        rows.push(row_of(pf, &name, rows.len(), &vf));
    }
    rows
}

/// What sysfs has of one VF.
pub(super) fn row_of(pf: &str, name: &str, index: usize, vf: &str) -> Value {
    let mut row = serde_json::json!({
        "vf": format!("{name}/{index}"),
        "pf": name,
        "pf_pci": pf,
        "index": index,
        "pci": vf,
    });
    let facts = [
        ("driver", pci::target(pci::device(vf).join("driver"))),
        ("rdma", pci::rdma(vf)),
        ("netdev", pci::netdev(vf)),
    ];
    for (key, value) in facts {
        if let Some(value) = value {
            row[key] = value.into();
        }
    }
    row
}

fn numvfs(pf: &str) -> String {
    let file = pci::device(pf).join("sriov_numvfs");
    fs::read_to_string(file).expect("a PF").trim().to_owned()
}

pub(super) fn autoprobe(pf: &str) -> String {
    let file = pci::device(pf).join("sriov_drivers_autoprobe");
    fs::read_to_string(file).expect("a PF").trim().to_owned()
}

/// The last line of what was printed on stdout is JSON with these VFs, and sysfs agrees.
#[track_caller]
fn has(output: &Output, pf: &str, count: usize) -> Vec<Value> {
    let rows = there(pf);
    assert_eq!(rows.len(), count, "{output}");
    assert_eq!(output.json(), Value::Array(rows.clone()), "{output}");
    rows
}

fn create_and_destroy(lab: &Lab) {
    let pf = lab.pf();
    let netdev = pci::netdev(&pf).expect("the PF has a netdev");
    let made = lab.rdmactl(&["-j", "vf", "create", &pf, "3"]).ok();
    let rows = has(&made, &pf, 3);
    for row in &rows {
        assert_eq!(row["driver"], "mlx5_core", "{row}");
        assert!(
            row["rdma"].is_string() && row["netdev"].is_string(),
            "{row}"
        );
    }
    let shown = lab.ip(&["-j", "link", "show", &netdev]).ok().json();
    assert_eq!(shown[0]["vfinfo_list"].as_array().map(Vec::len), Some(3));
    // As many as there are: done, and nothing was touched: a new device would have a new index.
    let before = lab.iproute2_rdma(&["-j", "dev"]).ok().stdout;
    let again = lab.rdmactl(&["-j", "vf", "create", &netdev, "3"]).ok();
    has(&again, &pf, 3);
    assert_eq!(lab.iproute2_rdma(&["-j", "dev"]).ok().stdout, before);

    let total: u32 = fs::read_to_string(pci::device(&pf).join("sriov_totalvfs"))
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .expect("a PF has a total");
    lab.rdmactl(&["vf", "create", &netdev, &(total + 1).to_string()])
        .fails(1)
        .stdout_is("")
        .stderr_has(&format!(
            "{pf} offers {total} VFs, and {} are wanted",
            total + 1
        ))
        .stderr_has("  fix: raise the number of VFs in the settings of the adapter's firmware");
    lab.rdmactl(&["--dry-run", "vf", "create", &netdev, "5"])
        .ok()
        .stdout_is(&format!(
            "would remove all 3 VFs of PF {pf}\nwould create 5 VFs on PF {pf}\n"
        ));
    lab.rdmactl(&["vf", "destroy", &netdev, "--dry-run"])
        .ok()
        .stdout_is(&format!("would remove all 3 VFs of PF {pf}\n"));
    assert_eq!(lab.iproute2_rdma(&["-j", "dev"]).ok().stdout, before);

    // Another number goes through 0, and says so.
    let more = lab.rdmactl(&["vf", "create", &netdev, "5"]).ok();
    assert_eq!(numvfs(&pf), "5");
    more.stdout_has(&format!("vf {netdev}/4 pci {}", lab.vf(4)))
        .stderr_is(&format!(
            "note: {pf} had 3 VFs, which are gone: the number changes through 0 only\n"
        ));
    let rdma = pci::rdma(&pf).expect("the PF has an RDMA device");
    lab.rdmactl(&[
        "--format",
        "table",
        "vf",
        "create",
        &rdma,
        "1",
        "--no-probe",
    ])
    .ok()
    .stdout_is(&format!("VF     PCI\n{netdev}/0  {}\n", lab.vf(0)).replace(
        "VF     ",
        &format!("{:width$}", "VF", width = netdev.len() + 4),
    ));
    assert_eq!((numvfs(&pf).as_str(), autoprobe(&pf).as_str()), ("1", "1"));
    lab.rdmactl(&["vf", "destroy", &rdma]).ok().silent();
    assert_eq!(numvfs(&pf), "0");
    lab.rdmactl(&["-j", "vf", "destroy", &pf])
        .ok()
        .stdout_is("[]\n");
}

fn seven(lab: &Lab) {
    let pf = lab.pf();
    let netdev = pci::netdev(&pf).expect("the PF has a netdev");
    let made = lab.rdmactl(&["-j", "vf", "create", &netdev, "7"]).ok();
    let rows = has(&made, &pf, 7);
    let whole = |row: &Value| row["rdma"].is_string() && row["netdev"].is_string();
    assert!(rows.iter().all(whole), "{made}");
    let shown = lab.ip(&["-j", "link", "show", &netdev]).ok().json();
    assert_eq!(shown[0]["vfinfo_list"].as_array().map(Vec::len), Some(7));
    lab.rdmactl(&["vf", "destroy", &netdev]).ok().silent();
    assert_eq!(numvfs(&pf), "0");
}

/// A process that is ended when it goes out of scope.
pub(super) struct Running(Child);

impl Running {
    pub(super) fn new(words: &[&str]) -> Self {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).stdin(Stdio::piped());
        let child = command.stdout(Stdio::null()).spawn();
        Self(child.unwrap_or_else(|error| panic!("{words:?}: {error}")))
    }

    pub(super) fn pid(&self) -> u32 {
        self.0.id()
    }

    fn has_objects(&self, lab: &Lab, device: &str) {
        let pid = self.pid().to_string();
        until("the client has its objects", || {
            let shown = lab.iproute2_rdma(&["res", "show", "qp", "link", &format!("{device}/1")]);
            shown.stdout.contains(&format!("pid {pid} "))
        })
        .unwrap_or_else(|error| panic!("{error}"));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Every command that would take the VFs away is refused with the same lines.
#[track_caller]
fn refused(lab: &Lab, pf: &str, headline: &str, lines: &[String]) {
    let count = numvfs(pf);
    for words in [
        &["vf", "destroy", pf][..],
        &["vf", "create", pf, "1"],
        &["vf", "create", pf, "7", "--dry-run"],
    ] {
        let mut said = lab
            .rdmactl(words)
            .fails(1)
            .stdout_is("")
            .stderr_has(headline);
        for line in lines {
            said = said.stderr_has(line);
        }
        said.stderr_has("  fix: end these uses, then run the command again; with --force");
        assert_eq!(numvfs(pf), count);
    }
}

fn what_is_in_use_stays(lab: &Lab) {
    let pf = lab.pf();
    lab.rdmactl(&["vf", "create", &pf, "6"]).ok();
    let at = |index: u32| format!("VF {index} ({}): ", lab.vf(index));
    let blue = lab.netns("blue");
    let away = lab.vf_rdma(0);
    lab.rdmactl(&["dev", "set", &away, "netns", "blue"]).ok();
    let client = {
        let verbs = pci::names(pci::device(&lab.vf(1)).join("infiniband_verbs"));
        let file = format!("/dev/infiniband/{}", verbs[0]);
        let client = Running::new(&["/lab/adapter/uverbs-client", &file, "3"]);
        client.has_objects(lab, &lab.vf_rdma(1));
        client
    };
    let netdev = lab.vf_netdev(2);
    lab.sh(&format!(
        "ip link set {netdev} up; ip addr add 192.0.2.1/24 dev {netdev}"
    ))
    .ok();
    let record = "/var/lib/cni/rdma/net-c1-eth0";
    let content = serde_json::json!({
        "version": "1.0", "deviceID": lab.vf(3), "containerID": "c1",
        "sandboxRdmaDevName": "x", "containerRdmaDevName": "x",
    });
    lab.sh(&format!(
        "mkdir -p /var/lib/cni/rdma && echo '{content}' > {record}"
    ))
    .ok();
    // No name leads there, and no process is in it: only an open file of one.
    let held = Running::new(&[
        "bash",
        "-c",
        "ip netns add gone; exec 3< /run/netns/gone; ip netns del gone; exec sleep 100",
    ]);
    let file = format!("/proc/{}/fd/3", held.pid());
    // Only then has it done all that comes before: descriptor 3 is somebody's before that too.
    until("the namespace has lost its name", || {
        fs::read_to_string(format!("/proc/{}/comm", held.pid())).is_ok_and(|comm| comm == "sleep\n")
    })
    .unwrap_or_else(|error| panic!("{error}"));
    assert!(fs::metadata("/run/netns/gone").is_err());
    let hidden = lab.vf_rdma(4);
    lab.rdmactl(&["dev", "set", &hidden, "netns", &file]).ok();
    let lines = [
        format!("{}RDMA device {away} is in network namespace blue (", at(0)),
        format!(
            "{}pid {} uverbs-client has 1 context and 3 queue pairs on RDMA device {}",
            at(1),
            client.pid(),
            lab.vf_rdma(1)
        ),
        format!("{}interface {netdev} is up and has 192.0.2.1/24", at(2)),
        format!(
            "{}it is lent, says the CNI record of container c1 {record}",
            at(3)
        ),
        format!(
            "{}RDMA device {hidden} is in network namespace net:[",
            at(4)
        ),
        format!("held open by pid {} sleep as {file}", held.pid()),
    ];
    let headline = format!("5 of the 6 VFs of {pf} are in use, nothing was changed\ncause: VF 0 (");
    refused(lab, &pf, &headline, &lines);
    // Wherever the command is run.
    let mut inside = lab
        .rdmactl(&["--netns", "blue", "vf", "destroy", &pf])
        .fails(1);
    for line in &lines[..4] {
        inside = inside.stderr_has(line);
    }
    let mut planned = lab
        .rdmactl(&["vf", "destroy", &pf, "--dry-run", "--force"])
        .ok()
        .stdout_has(&format!("would remove all 6 VFs of PF {pf}\n"));
    for line in &lines {
        planned = planned.stdout_has(line);
    }
    assert_eq!(numvfs(&pf), "6");
    lab.rdmactl(&["vf", "destroy", &pf, "--force"])
        .ok()
        .silent();
    assert_eq!(numvfs(&pf), "0");
    lab.in_netns("blue", &["ls", "/sys/class/infiniband"])
        .stdout_lacks("mlx5");
    lab.sh(&format!("rm {record}; rmdir /var/lib/cni/rdma"))
        .ok();
    drop((client, held, blue));
}

/// An interface in a container while RDMA stays shared, a bridge, a VLAN; and a namespace that
/// nothing but a socket holds, which nobody can find.
fn what_is_in_use_stays_ethernet(lab: &Lab) {
    let pf = lab.pf();
    lab.rdmactl(&["vf", "create", &pf, "4"]).ok();
    let at = |index: u32| format!("VF {index} ({}): ", lab.vf(index));
    let held = lab.spawn_in_new_netns(&["sleep", "100"]);
    let names: Vec<String> = (0..4).map(|index| lab.vf_netdev(index)).collect();
    lab.sh(&format!(
        "set -e; ip link set {} netns {}; ip link add br0 type bridge; ip link set {} master br0
         ip link add link {} name vlan7 type vlan id 7
         ip netns add lost; ip -n lost link set lo up; ip link set {} netns lost
         ip netns exec lost bash -c 'exec 3<> /dev/udp/127.0.0.1/9; exec nsenter --net=/proc/1/ns/net sleep 100' > /dev/null 2>&1 &
         until [ \"$(cat /proc/$!/comm)\" = sleep ]; do sleep 0.1; done
         ip netns del lost; echo $! > /run/lost",
        names[0], held.pid(), names[1], names[2], names[3]
    ))
    .ok();
    let lines = [
        format!(
            "{}interface {} is in network namespace net:[",
            at(0),
            names[0]
        ),
        format!("(pid {} sleep", held.pid()),
        format!("{}interface {} belongs to br0", at(1), names[1]),
        format!(
            "{}interface vlan7 sits on its interface {}",
            at(2),
            names[2]
        ),
        format!(
            "{}mlx5_core has it, and its interface is in no network namespace that can be found",
            at(3)
        ),
    ];
    let headline = format!("4 VFs of {pf} are in use, nothing was changed");
    refused(lab, &pf, &headline, &lines);
    lab.sh("ip link del vlan7; ip link del br0; kill $(cat /run/lost); rm /run/lost")
        .ok();
    drop(held);
    until("the interfaces are home", || {
        (0..4).all(|vf| pci::netdev(&lab.vf(vf)).is_some())
    })
    .unwrap_or_else(|error| panic!("{error}"));
    // Free, each can be bound anew, and is of use again.
    let word = lab.vf(1);
    lab.rdmactl(&["vf", "rebind", &word])
        .ok()
        .stdout_has(&format!(
            "driver mlx5_core rdma {} netdev eth",
            lab.vf_rdma(1)
        ));
    lab.rdmactl(&["vf", "destroy", &pf]).ok().silent();
}

fn refusals_and_failures(lab: &Lab) {
    let pf = lab.pf();
    for (errno, error, cause) in [
        (
            "12",
            "Cannot allocate memory",
            "not enough address space or bus numbers left for 3 VFs",
        ),
        (
            "28",
            "No space left on device",
            "interrupt vectors run out at 3 VFs",
        ),
        ("16", "Device or resource busy", "somebody else gave"),
        ("5", "Input/output error", "the SR-IOV capability of"),
        (
            "95",
            "Operation not supported",
            "makes no VFs in the mode it is in",
        ),
        ("110", "Connection timed out", "cannot have 3 VFs"),
    ] {
        lab.inject("fail_numvfs", &format!("pf,{errno},1"));
        lab.rdmactl(&["vf", "create", &pf, "3", "--no-probe"])
            .fails(1)
            .stderr_has(&format!("error: {error}\ncause: "))
            .stderr_has(cause)
            .stderr_has("  fix: ");
        assert_eq!((numvfs(&pf).as_str(), autoprobe(&pf).as_str()), ("0", "1"));
    }
    // One VF fails: it is named, the others are of use, and it can be tried again.
    lab.inject("fail_probe_vf", "1,12");
    let made = lab.rdmactl(&["-j", "vf", "create", &pf, "3"]).fails(1);
    let rows = has(&made, &pf, 3);
    assert!(rows[1].get("driver").is_none() && rows[2]["rdma"].is_string());
    let vf = lab.vf(1);
    made.stderr_has(&format!("VF 1 ({vf}) has no driver\n"))
        .stderr_has(&format!(
            "cause: mlx5_core failed to start on {vf}: Out of memory"
        ))
        .stderr_has(&format!("  fix: dmesg | grep {vf}; rdmactl vf bind {vf}\n"));
    // A failure that passes is none.
    lab.inject("fail_probe_vf", "2,5,1");
    let made = lab.rdmactl(&["-j", "vf", "create", &pf, "4"]).ok();
    assert!(has(&made, &pf, 4)[2]["rdma"].is_string());
    // Who keeps drivers from VFs by hand is told so.
    let probing = pci::device(&pf).join("sriov_drivers_autoprobe");
    fs::write(&probing, "0").expect("root may");
    let made = lab.rdmactl(&["-j", "vf", "create", &pf, "2"]).ok();
    assert!(has(&made, &pf, 2)[0].get("driver").is_none());
    made.stderr_has("no driver was offered the VFs: sriov_drivers_autoprobe of");
    assert_eq!(autoprobe(&pf), "0");
    fs::write(&probing, "1").expect("root may");

    let ours = format!("{FACES}/rdmactl");
    for words in [["create", "3"], ["destroy", ""]] {
        let words = words.join(&format!(" {pf} "));
        lab.exec(&format!(
            "setpriv --reuid 1000 --clear-groups {ours} vf {words}"
        ))
        .fails(1)
        .stderr_has("Permission denied")
        .stderr_has("cause: only root may change VFs")
        .stderr_has("  fix: run the command as root on the host");
    }
    assert_eq!(numvfs(&pf), "2");
    for (words, status, text) in [
        (
            &["destroy", "lo"][..],
            1,
            "there is no PCI function, network interface or RDMA device \"lo\" here",
        ),
        (&["destroy", &lab.vf(1)], 1, "is VF 1 of"),
        (&["create", &pf, "0"], 2, "0 is not in 1..=65535"),
        (&["create", &pf, "70000"], 2, "70000 is not in 1..=65535"),
        (&["create", &pf], 2, "<N>"),
        (&["destroy", "../x"], 1, "there is no PCI function"),
    ] {
        lab.rdmactl(&[&["vf"], words].concat())
            .fails(status)
            .stdout_is("")
            .stderr_has(text);
    }
    lab.rdmactl(&["vf", "destroy", &pf]).ok().silent();
}

/// The PF is in another namespace: its name counts there, whichever /sys is seen, and what new
/// VFs get appears at home.
fn named_in_another_namespace(lab: &Lab) {
    let pf = lab.pf();
    let name = pci::rdma(&pf).expect("the PF has an RDMA device");
    let blue = lab.netns("blue");
    lab.rdmactl(&["dev", "set", &name, "netns", "blue"]).ok();
    let unknown = format!("network interface or RDMA device \"{name}\" here");
    for words in [
        &["create", &name, "2"][..],
        &["destroy", &name],
        &["bind", &format!("{name}/0")],
        &["unbind", &format!("{name}/0")],
        &["rebind", &format!("{name}/0")],
    ] {
        lab.rdmactl(&[&["vf"], words].concat())
            .fails(1)
            .stderr_has(&unknown);
    }
    let there = |words: &[&str]| lab.rdmactl(&[&["--netns", "blue", "-j", "vf"], words].concat());
    let ours = format!("{FACES}/rdmactl");
    let inside = |words: &[&str]| lab.in_netns("blue", &[&[&ours, "-j", "vf"], words].concat());
    let whole = |output: &Output, count: usize| {
        let rows = output.json().as_array().cloned().unwrap_or_default();
        assert_eq!(rows.len(), count, "{output}");
        for row in &rows {
            let vf = row["pci"].as_str().expect("an address");
            assert_eq!(row["driver"], "mlx5_core", "{output}");
            assert_eq!(row["rdma"].as_str(), pci::rdma(vf).as_deref(), "{output}");
            assert!(row["rdma"].is_string(), "{output}");
        }
    };
    // VFs that take their time are waited for, though none of it is seen in blue.
    lab.inject("probe_delay_ms", "300");
    whole(&there(&["create", &name, "2"]).ok(), 2);
    lab.inject("probe_delay_ms", "0");
    whole(&inside(&["create", &name, "3"]).ok(), 3);
    let first = format!("{name}/0");
    let gone = there(&["unbind", &first]).ok();
    assert!(gone.json()[0].get("driver").is_none(), "{gone}");
    whole(&there(&["bind", &first]).ok(), 1);
    whole(&inside(&["rebind", &first]).ok(), 1);
    // What is in blue is in use, seen from blue too.
    let moved = lab.vf_rdma(1);
    lab.rdmactl(&["dev", "set", &moved, "netns", "blue"]).ok();
    for words in [&["unbind", &moved][..], &["destroy", &name]] {
        for output in [there(words), inside(words)] {
            output
                .fails(1)
                .stderr_has("nothing was changed")
                .stderr_has(&format!("RDMA device {moved} is in network namespace blue"));
        }
    }
    whole(&there(&["rebind", &moved, "--force"]).ok(), 1);
    there(&["destroy", &name]).ok();
    assert_eq!(numvfs(&pf), "0");
    lab.rdmactl(&["--netns", "blue", "dev", "set", &name, "netns", "1"])
        .ok();
    drop(blue);
}

/// The firmware offers none: said by whoever is asked for some, and by the doctor.
fn no_vfs_offered(lab: &Lab) {
    let pf = lab.pf();
    lab.rdmactl(&["vf", "create", &pf, "2"])
        .fails(1)
        .stderr_has(&format!("{pf} offers 0 VFs, and 2 are wanted"))
        .stderr_has("  fix: raise the number of VFs in the settings of the adapter's firmware");
    let total = format!("/sys/bus/pci/devices/{pf}/sriov_totalvfs: 0");
    doctor(lab, &["vfs"])
        .is_clean()
        .has("vfs.none-possible", &total);
    lab.rdmactl(&["vf", "show", &pf])
        .ok()
        .stderr_has("has no VFs; it can have 0");
}

/// The kernel does not come back; we do, and what was asked for is done when it does.
fn hangs(lab: &Lab) {
    let pf = lab.pf();
    let stuck = |output: Output, value: &str| {
        let path = format!("/sys/bus/pci/devices/{pf}/sriov_numvfs");
        output
            .fails(1)
            .stdout_is("")
            .stderr_has(&format!(
                "writing {value} to {path} has not come back after 1 s; process "
            ))
            .stderr_has("  fix: cat /proc/");
    };
    lab.inject("numvfs_delay_ms", "600000");
    let begun = Instant::now();
    let words = ["vf", "create", &pf, "2", "--no-probe", "--timeout", "1"];
    stuck(lab.rdmactl(&words), "2");
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
    // Drivers are kept away for as long as the kernel is at it; looking waits for nothing.
    assert_eq!(autoprobe(&pf), "0");
    stuck(lab.rdmactl(&words), "2");
    lab.inject("numvfs_delay_ms", "0");
    until("the kernel has finished, and the PF is as it was", || {
        autoprobe(&pf) == "1" && pci::vf(&pf, 1).is_some()
    })
    .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(pci::target(pci::device(&lab.vf(1)).join("driver")), None);
    lab.rdmactl(&["vf", "bind", &format!("{pf}/0")]).ok();
    lab.inject("remove_delay_ms", "600000");
    stuck(lab.rdmactl(&["vf", "destroy", &pf, "--timeout", "1"]), "0");
    lab.inject("remove_delay_ms", "0");
    until("the VFs are gone", || pci::vf(&pf, 0).is_none())
        .unwrap_or_else(|error| panic!("{error}"));
    until("the kernel has finished", || numvfs(&pf) == "0")
        .unwrap_or_else(|error| panic!("{error}"));
    // Killed half-way, with no time to put anything back.
    lab.inject("numvfs_delay_ms", "600000");
    let create = Running::new(&[
        &format!("{FACES}/rdmactl"),
        "vf",
        "create",
        &pf,
        "2",
        "--no-probe",
    ]);
    until("drivers are kept away", || autoprobe(&pf) == "0")
        .unwrap_or_else(|error| panic!("{error}"));
    sleep(Duration::from_millis(300));
    drop(create);
    lab.inject("numvfs_delay_ms", "0");
    until("the PF is as it was", || {
        autoprobe(&pf) == "1" && numvfs(&pf) == "2"
    })
    .unwrap_or_else(|error| panic!("{error}"));
    lab.rdmactl(&["vf", "destroy", &pf]).ok();
}

fn one_at_a_time(lab: &Lab) {
    let pf = lab.pf();
    lab.inject("numvfs_delay_ms", "2500");
    let first = Running::new(&[&format!("{FACES}/rdmactl"), "vf", "create", &pf, "2"]);
    let lock = format!("/run/rdmactl/pf/{pf}.lock");
    until("the first has the lock", || fs::metadata(&lock).is_ok())
        .unwrap_or_else(|error| panic!("{error}"));
    lab.rdmactl(&["vf", "create", &pf, "3", "--timeout", "1"])
        .fails(1)
        .stderr_has(&format!(
            "{lock} is locked by process {} (rdmactl), waited 1 s\ncause: another command is at work",
            first.pid()
        ));
    // One with more patience finds the work done.
    let second = lab.rdmactl(&["-j", "vf", "create", &pf, "2"]).ok();
    has(&second, &pf, 2);
    lab.inject("numvfs_delay_ms", "0");
    drop(first);
    lab.rdmactl(&["vf", "destroy", &pf]).ok();
}

fn many_vfs(lab: &Lab) {
    let pf = lab.pf();
    let made = lab.rdmactl(&["-j", "vf", "create", &pf, "120"]).ok();
    let rows = has(&made, &pf, 120);
    assert!(
        rows.iter()
            .all(|row| row["rdma"].is_string() && row["netdev"].is_string())
    );
    let netdev = pci::netdev(&pf).expect("the PF has a netdev");
    let shown = lab.ip(&["-j", "link", "show", &netdev]).ok().json();
    assert_eq!(shown[0]["vfinfo_list"].as_array().map(Vec::len), Some(120));
    let _blue = lab.netns("blue");
    let away = lab.vf_rdma(77);
    lab.rdmactl(&["dev", "set", &away, "netns", "blue"]).ok();
    lab.rdmactl(&["vf", "create", &pf, "7"])
        .fails(1)
        .stderr_has(&format!("1 of the 120 VFs of {pf} is in use"))
        .stderr_has(&format!("VF 77 ({}): RDMA device {away} is in", lab.vf(77)));
    lab.rdmactl(&["vf", "destroy", &pf, "--force"])
        .ok()
        .silent();
    assert_eq!(numvfs(&pf), "0");
}

/// igb and igbvf as the distribution has them: no RDMA device comes, and none is waited for.
fn stock_driver(lab: &Lab) {
    let pf = lab.pf();
    lab.rdmactl(&["vf", "create", &pf, "2"])
        .fails(1)
        .stderr_has("error: No such file or directory\ncause: no driver is bound to");
    lab.sh("modprobe igb").ok();
    let netdev = pci::netdev(&pf).expect("igb has a netdev");
    let alone = lab.rdmactl(&["-j", "vf", "create", &netdev, "2"]).fails(1);
    assert!(has(&alone, &pf, 2)[1].get("driver").is_none());
    alone
        .stderr_has("VFs 0, 1 have no driver\ncause: no driver that is loaded knows")
        .stderr_has("rdmactl vf bind");
    lab.sh("modprobe igbvf").ok();
    let made = lab.rdmactl(&["-j", "vf", "create", &netdev, "7"]).ok();
    for row in has(&made, &pf, 7) {
        assert_eq!(row["driver"], "igbvf");
        assert!(
            row["netdev"].is_string() && row.get("rdma").is_none(),
            "{row}"
        );
    }
    let shown = lab.ip(&["-j", "link", "show", &netdev]).ok().json();
    assert_eq!(shown[0]["vfinfo_list"].as_array().map(Vec::len), Some(7));
    let vf = lab.vf_netdev(3);
    lab.sh(&format!(
        "ip link set {vf} up; ip addr add 192.0.2.1/24 dev {vf}"
    ))
    .ok();
    lab.rdmactl(&["vf", "rebind", &vf])
        .fails(1)
        .stderr_has(&format!("VF 3 of {pf} is in use"))
        .stderr_has(&format!("interface {vf} is up and has 192.0.2.1/24"));
    lab.rdmactl(&["vf", "rebind", &vf, "--force"]).ok();
    lab.rdmactl(&["vf", "destroy", &pf]).ok().silent();
    assert_eq!(numvfs(&pf), "0");
    lab.sh("rmmod igbvf igb").ok();
}
