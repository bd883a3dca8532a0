//! `dev reclaim`: devices come home from wherever they are.

use serde_json::{Value, json};

use crate::adapter::until;
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::pci;

pub(super) fn cases() -> Vec<Case> {
    let exclusive = |name, run| {
        let case = case(name, run).adapter("mode=ib sfs=2").exclusive();
        case.may_change(&["folder /"])
    };
    vec![
        exclusive("from_every_kind_of_namespace", from_everywhere),
        exclusive("only_from_home", only_from_home),
        case("soft_roce_is_left_unless_asked_for", software)
            .no_adapter()
            .exclusive()
            .only(&["7.3"], "soft-RoCE can be moved since 7.3"),
        case("shared_mode", shared),
    ]
}

pub(super) fn reclaim(lab: &Lab, words: &[&str]) -> Value {
    lab.rdmactl(&[&["-j", "dev", "reclaim"], words].concat())
        .ok()
        .json()
}

/// The row about a device, by the name it had.
pub(super) fn about<'v>(rows: &'v Value, name: &str) -> &'v Value {
    let mut rows_of = rows.as_array().unwrap().iter();
    rows_of
        .find(|row| row["name_before"] == name)
        .unwrap_or_else(|| panic!("nothing of {name}: {rows}"))
}

pub(super) fn send(lab: &Lab, dev: &str, netns: &str) {
    // iproute2 before 7.0 takes names only.
    lab.rdmactl(&["dev", "set", dev, "netns", netns]).ok();
}

/// The RDMA devices of the auxiliary devices on a PF.
fn sfs() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for name in pci::names("/sys/bus/auxiliary/devices") {
        let folder = format!("/sys/bus/auxiliary/devices/{name}/infiniband");
        found.extend(
            pci::names(folder)
                .into_iter()
                .map(|dev| (name.clone(), dev)),
        );
    }
    found
}

/// A background process with the file open as descriptor 3.
fn opener(lab: &Lab, path: &str) -> String {
    let script = format!("(exec 3<{path}; exec sleep 50) </dev/null >/dev/null 2>&1 & echo $!");
    let pid = lab.sh(&script).ok().stdout.trim().to_owned();
    until("the file is open", || {
        pci::names(format!("/proc/{pid}/fd")).contains(&"3".to_owned())
    })
    .unwrap();
    pid
}

/// Named, mounted elsewhere, held by an open file: VFs and a scalable function.
fn from_everywhere(lab: &Lab) {
    let (first, second) = (lab.vf_rdma(0), lab.vf_rdma(1));
    let (aux, sf) = sfs().into_iter().next().expect("the PF has an SF");
    let own = pci::target("/proc/self/ns/net").unwrap();
    let _blue = lab.netns("blue");
    send(lab, &first, "blue");
    // An unnamed one that a bind mount keeps.
    lab.sh("touch /run/lab/mounted && unshare --net=/run/lab/mounted true")
        .ok();
    send(lab, &second, "/run/lab/mounted");
    let red = lab.netns("red");
    send(lab, &sf, "red");
    let holder = opener(lab, "/run/netns/red");
    lab.ip(&["netns", "delete", "red"]).ok();
    lab.in_netns("blue", &["rdma", "dev", "set", &first, "name", "inside0"])
        .ok();

    let plan = lab.rdmactl(&["--dry-run", "dev", "reclaim"]).ok();
    assert_eq!(
        plan.stdout.matches("would bring RDMA device").count(),
        3,
        "{plan}"
    );
    lab.in_netns("blue", &["rdma", "dev"])
        .ok()
        .stdout_has("inside0");

    let rows = reclaim(lab, &[]);
    assert_eq!(rows.as_array().unwrap().len(), 3, "{rows}");
    let index = |name: &str| {
        let listed = lab.iproute2_rdma(&["-j", "dev", "show", name]).ok().json();
        listed[0]["ifindex"].clone()
    };
    assert_eq!(
        about(&rows, "inside0"),
        &json!({"rdma_index": index("inside0"), "device": lab.vf(0), "from": "blue", "to": own,
                "name_before": "inside0", "name_after": "inside0", "reclaimed": true})
    );
    assert_eq!(about(&rows, &second)["from"], "/run/lab/mounted");
    let from = about(&rows, &sf)["from"].as_str().unwrap();
    assert!(from.starts_with("net:["), "{rows}");
    assert_eq!(about(&rows, &sf)["device"], *aux);
    for name in ["inside0", &second, &sf] {
        lab.iproute2_rdma(&["dev", "show", name]).ok();
    }
    // Everything is home: done already.
    assert_eq!(reclaim(lab, &[]), json!([]));
    assert_eq!(reclaim(lab, &[&second]), json!([]));
    assert_eq!(reclaim(lab, &[&lab.vf(1)]), json!([]));
    lab.rdmactl(&["dev", "reclaim"]).ok().silent();
    lab.iproute2_rdma(&["dev", "set", "inside0", "name", &first])
        .ok();
    lab.sh(&format!(
        "kill {holder}; umount /run/lab/mounted && rm /run/lab/mounted"
    ))
    .ok();
    drop(red);
}

fn only_from_home(lab: &Lab) {
    let name = lab.vf_rdma(0);
    let _blue = lab.netns("blue");
    let _red = lab.netns("red");
    send(lab, &name, "red");
    lab.rdmactl(&["--netns", "blue", "dev", "reclaim"])
        .fails(1)
        .stderr_has("initial network namespace")
        .stderr_has("nsenter --net=/proc/1/ns/net rdmactl dev reclaim");
    lab.in_netns(
        "blue",
        &[
            "nsenter",
            "--net=/proc/1/ns/net",
            &format!("{FACES}/rdmactl"),
            "dev",
            "reclaim",
        ],
    )
    .ok()
    .stdout_has(&format!("{name}: device {} from red to net:[", lab.vf(0)));
    assert_eq!(lab.vf_rdma(0), name);
}

fn shared(lab: &Lab) {
    let _blue = lab.netns("blue");
    lab.rdmactl(&["dev", "reclaim"])
        .ok()
        .stdout_has("nothing to bring home: in shared mode");
    assert_eq!(reclaim(lab, &[]), json!([]));
}

/// It may have been made there: only who names it gets it.
fn software(lab: &Lab) {
    lab.sh("modprobe rdma_rxe && ip link add par0 type veth peer name par1 && rdma link add rxe0 type rxe netdev par0")
        .ok();
    let blue = lab.netns("blue");
    send(lab, "rxe0", "blue");
    let rows = reclaim(lab, &[]);
    assert_eq!(
        about(&rows, "rxe0")["left"],
        "made of software, it may be at home there"
    );
    let rows = reclaim(lab, &["rxe0"]);
    let row = about(&rows, "rxe0");
    assert!(
        row["reclaimed"] == true && row["device"].is_null(),
        "{rows}"
    );
    lab.iproute2_rdma(&["dev", "show", "rxe0"]).ok();
    drop(blue);
    lab.sh("rdma link delete rxe0 && ip link delete par0 && rmmod rdma_rxe")
        .ok();
}
