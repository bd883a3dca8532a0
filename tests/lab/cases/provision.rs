//! `provision` without its changes: check, plan, status, export, addresses; the changes made by hand.

use serde_json::Value;

use super::vf::{ip_vfs, pf_netdev};
use super::vf_create::FOLDERS;
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::output::Output;
use crate::pci;

pub(super) fn cases() -> Vec<Case> {
    let bare = |name, run| case(name, run).vfs(0).exclusive().may_change(FOLDERS);
    vec![
        bare("infiniband", infiniband),
        bare("ethernet", ethernet).ethernet(),
        bare("wrong_documents", wrong_documents).only(
            &["6.12"],
            "no kernel has a part in it: files are read, and refused",
        ),
    ]
}

/// Runs a verb with a document on standard input.
fn with(lab: &Lab, words: &str, document: &str) -> Output {
    lab.sh(&format!(
        "{FACES}/rdmactl provision {words} --file - <<'END'\n{document}\nEND"
    ))
}

/// The actions of a plan in short.
fn steps(plan: &Value) -> Vec<String> {
    let rows = plan.as_array().expect("an array").iter();
    rows.map(|row| {
        let word = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let index = row["index"].as_u64().map(|index| index.to_string());
        let words = [
            word("kind"),
            index.unwrap_or_default(),
            word("action"),
            word("key"),
        ];
        words
            .join(" ")
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    })
    .collect()
}

const VFS: usize = 3;

/// A bare host, made by hand what the document declares; then one VF spoilt.
fn by_hand(lab: &Lab, mark: &str, layer: &str, keys: &[&str]) {
    let pf = pf_netdev(lab);
    let document = format!(
        "version = 1\n[host]\nrdma_netns = \"unmanaged\"\n[[pf]]\nmatch = {{ {mark} }}\n\
         link_type = \"{layer}\"\nnum_vfs = {VFS}\n"
    );
    with(lab, "check", &document).ok();
    let bare = with(lab, "-j plan", &document).fails(2).stderr_is("");
    let mut expected = vec!["pf autoprobe".to_owned(), "pf create-vfs".to_owned()];
    for index in 0..VFS {
        expected.extend(keys.iter().map(|key| format!("vf {index} set {key}")));
    }
    expected.push("pf autoprobe".to_owned());
    expected.extend((0..VFS).map(|index| format!("vf {index} bind")));
    assert_eq!(steps(&bare.json()), expected);
    with(lab, "status", &document).fails(1);
    let again = with(lab, "-j plan", &document).fails(2);
    assert_eq!(again.stdout, bare.stdout, "planning changes nothing");

    let table = with(lab, "-j addresses", &document).ok().json();
    let key = if layer == "ib" { "guid" } else { "mac" };
    let address = |index: usize| {
        let row = &table[index];
        assert_eq!(row["vf"], index);
        let last = keys.last().expect("a key");
        row[*last].as_str().expect("an address").to_owned()
    };
    let number = VFS.to_string();
    lab.rdmactl(&["vf", "create", &pf, &number, "--no-probe"])
        .ok();
    for index in 0..VFS {
        let vf = format!("{pf}/{index}");
        lab.rdmactl(&["vf", "set", &vf, key, &address(index)]).ok();
        lab.rdmactl(&["vf", "bind", &vf]).ok();
    }
    // What is on the VFs is what was foretold.
    let told = ip_vfs(lab, &pf);
    for (index, told) in told.iter().enumerate() {
        let shown = if layer == "ib" {
            "port guid"
        } else {
            "address"
        };
        assert_eq!(told[shown], address(index), "{told}");
    }
    with(lab, "plan", &document).ok().stdout_is("");
    let status = with(lab, "-j status", &document).ok().json();
    let standing = status.as_array().expect("an array").iter();
    assert_eq!(
        standing.filter(|row| row["standing"] == "ready").count(),
        VFS + 2
    );

    let export = lab.rdmactl(&["provision", "export"]).ok().stdout;
    with(lab, "plan", &export).ok().stdout_is("");
    assert!(export.contains(&address(VFS - 1)), "{export}");
    spoil(lab, &pf, key, &document, keys);
    // The exported document has the old addresses, so it asks for them again.
    with(lab, "plan", &export).fails(2);
    let spoilt = lab.rdmactl(&["provision", "export", &pf]).ok().stdout;
    with(lab, "plan", &spoilt).ok().stdout_is("");

    // Another number is a matter of removal, which nobody allowed.
    let fewer = document.replace("num_vfs = 3", "num_vfs = 2");
    let plan = with(lab, "-j plan", &fewer)
        .fails(2)
        .stderr_has("would not be done");
    let plan = plan.json();
    assert_eq!(
        (&plan[0]["action"], &plan[0]["class"]),
        (&"remove-vfs".into(), &"destroys-vfs".into())
    );
    assert_eq!(plan[0]["blocked"], "disruptive = \"never\" is declared");
    let allowed =
        format!("[policy]\ndisruptive = \"if-idle\"\n{fewer}").replace("version = 1\n", "");
    let plan = with(lab, "-j plan", &format!("version = 1\n{allowed}"))
        .fails(2)
        .stderr_is("")
        .json();
    assert_eq!(
        (&plan[0]["action"], &plan[0]["blocked"]),
        (&"remove-vfs".into(), &Value::Null)
    );
    lab.rdmactl(&["vf", "destroy", &pf]).ok();
    with(lab, "plan", &document).fails(2);
}

/// Another address behind a driver's back: it has to be given again, and the driver bound anew.
fn spoil(lab: &Lab, pf: &str, key: &str, document: &str, keys: &[&str]) {
    let other = match key {
        "guid" => "02:00:00:00:00:00:00:77",
        _ => "02:00:00:00:00:77",
    };
    let vf = format!("{pf}/1");
    lab.rdmactl(&["vf", "set", &vf, key, other, "--rebind"])
        .ok();
    let plan = with(lab, "-j plan", document).fails(2).json();
    let mut expected: Vec<String> = keys.iter().map(|key| format!("vf 1 set {key}")).collect();
    expected.extend(["vf 1 unbind".to_owned(), "vf 1 bind".to_owned()]);
    assert_eq!(steps(&plan), expected);
    assert_eq!(
        (&plan[0]["from"], &plan[0]["class"]),
        (&other.into(), &"rebind".into())
    );
    let status = with(lab, "-j status", document).fails(1).json();
    assert_eq!(status[3]["standing"], "pending", "{status}");
}

fn infiniband(lab: &Lab) {
    let pf = lab.pf();
    let rdma = pci::rdma(&pf).expect("the PF has an RDMA device here");
    let gid = lab
        .exec(&format!("cat /sys/class/infiniband/{rdma}/ports/1/gids/0"))
        .ok()
        .stdout;
    let guid = gid.trim()[20..].to_owned();
    by_hand(
        lab,
        &format!("guid = \"{guid}\""),
        "ib",
        &["node_guid", "port_guid"],
    );
    // The same table without any hardware.
    let line = format!("{FACES}/rdmactl -j provision addresses --pf-guid {guid} --vfs 2");
    let offline = lab.exec(&line).ok().json();
    let document = format!("version = 1\n[[pf]]\nmatch = {{ pci = \"{pf}\" }}\nnum_vfs = 2\n");
    let here = with(lab, "-j addresses", &document).ok().json();
    for index in 0..2 {
        assert_eq!(offline[index]["port_guid"], here[index]["port_guid"]);
    }
}

fn ethernet(lab: &Lab) {
    let pf = pf_netdev(lab);
    let mac = lab
        .exec(&format!("cat /sys/class/net/{pf}/address"))
        .ok()
        .stdout;
    let mac = mac.trim();
    // Another address on the interface changes nothing: it is the permanent one that counts.
    lab.ip(&["link", "set", &pf, "address", "02:00:00:00:00:01"])
        .ok();
    by_hand(lab, &format!("perm_mac = \"{mac}\""), "eth", &["mac"]);
    lab.ip(&["link", "set", &pf, "address", mac]).ok();
}

fn wrong_documents(lab: &Lab) {
    let pf = lab.pf();
    let text = format!(
        "version = 1\n[host]\nrdma_netns = \"exclusiv\"\n[[pf]]\nmatch = {{ pci = \"{pf}\" }}\n\
         num_vf = 3\nguid = {{ mode = \"random\" }}"
    );
    for verb in ["check", "plan", "status", "addresses"] {
        with(lab, verb, &text)
            .fails(1)
            .stdout_is("")
            .stderr_has("error: -:3:14: \"exclusiv\" is not a valid rdma_netns")
            .stderr_has("error: -:6:1: there is no key \"num_vf\" in pf")
            .stderr_has("did you mean \"num_vfs\"?")
            .stderr_has("error: -:7:17: \"random\" is not a valid mode");
    }
    let rows = with(lab, "-j check", &text).fails(1).json();
    assert_eq!(
        (&rows[0]["line"], &rows[1]["near"][0]),
        (&3.into(), &"num_vfs".into())
    );
    let document =
        |more: &str| format!("version = 1\n[[pf]]\nmatch = {{ pci = \"{pf}\" }}\n{more}");
    let total = lab.exec(&format!("cat /sys/bus/pci/devices/{pf}/sriov_totalvfs"));
    let total: u16 = total.ok().stdout.trim().parse().expect("a number");
    let more = total + 1;
    let too_many = format!("num_vfs = {more}");
    let offered = format!("{more} VFs are declared, and the firmware of the PF offers {total}");
    for (more, expected) in [
        (too_many.as_str(), offered.as_str()),
        (
            "link_type = \"eth\"",
            "the PF is InfiniBand, and Ethernet is declared",
        ),
        (
            "[[pf]]\nmatch = { pci = \"0000:7f:00.0\" }",
            "-:4:1: no PF on this host is the one that is meant",
        ),
    ] {
        with(lab, "plan", &document(more))
            .fails(1)
            .stdout_is("")
            .stderr_has(expected);
    }
    with(
        lab,
        "plan",
        &document("[[pf]]\noptional = true\nmatch = { pci = \"0000:7f:00.0\" }"),
    )
    .ok();
    lab.rdmactl(&["provision", "plan"])
        .fails(1)
        .stderr_has("there is no /etc/rdmactl/provision.toml");
}
