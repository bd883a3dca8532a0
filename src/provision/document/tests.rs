//! Documents, right and wrong; each mistake with its place.

use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::kernel::fake::Machine;
use crate::types::LinkPolicy;

fn faults_of(language: Language, text: &str) -> Vec<String> {
    let path = Path::new("x");
    let part = Part {
        path,
        text,
        language,
    };
    let faults = parse(&[part]).err().unwrap_or_default();
    faults.iter().map(ToString::to_string).collect()
}

fn read_toml(text: &str) -> Document {
    let path = Path::new("x");
    let part = Part {
        path,
        text,
        language: Language::Toml,
    };
    parse(&[part]).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

const PF: &str = "version = 1\n[[pf]]\nmatch = { pci = \"0000:01:00.0\" }\n";

#[test]
fn what_is_left_out_is_left_alone() {
    let document = read_toml("version = 1");
    assert_eq!(document.policy, Policy::default());
    assert_eq!((document.rdma_netns, document.pfs.len()), (None, 0));
    let document = read_toml(PF);
    let [pf] = &document.pfs[..] else {
        panic!("{document:?}")
    };
    assert_eq!((pf.num_vfs, pf.layer, pf.up), (None, None, false));
    assert_eq!((&pf.guid, &pf.mac), (&Scheme::Derived, &Scheme::Derived));
    assert_eq!(pf.ownership, Ownership::Full);
    assert_eq!(pf.place.to_string(), "x:2:1");
}

#[test]
fn what_is_written_is_read() {
    let document = read_toml(
        r#"
version = 1
[host]
rdma_netns = "exclusive"
modules = ["ib-umad", "mlx5_ib"]
site = "a"
[policy]
disruptive = "if-idle"
firmware = "unmanaged"
wait = "2m"
[[pf]]
match = { guid = "0xb8599f0300f98f86", vendor_device = "15b3:101B" }
num_vfs = "max"
vf_defaults = { policy = "down" }
[[pf.vf]]
range = "2-4"
driver = "vfio-pci"
vlan = 5
max_rate = 10
"#,
    );
    let modules: Vec<&str> = document.modules.iter().map(ModuleName::as_str).collect();
    assert_eq!(modules, ["ib_umad", "mlx5_ib"]);
    assert_eq!(document.rdma_netns, Some(NetnsMode::Exclusive));
    assert_eq!(document.policy.disruptive, Disruptive::IfIdle);
    assert_eq!(document.policy.wait, Duration::from_secs(120));
    let pf = &document.pfs[0];
    assert_eq!(pf.function.vendor_device, Some((0x15b3, 0x101b)));
    assert_eq!(pf.num_vfs, Some(Count::Max));
    assert_eq!(pf.defaults.wish.state, Some(LinkPolicy::Disable));
    let vf = &pf.vfs[0];
    assert_eq!((vf.first, vf.last), (2, 4));
    // The other half of a pair is nothing, not what happens to be there.
    assert_eq!((vf.vf.wish.vlan, vf.vf.wish.qos), (Some(5), Some(0)));
    assert_eq!(
        (vf.vf.wish.min_rate, vf.vf.wish.max_rate),
        (Some(0), Some(10))
    );
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let text = r#"versio = 1
[host]
rdma_netns = "exclusiv"
[[pf]]
match = { guid = "b8:59", pc = "x" }
[[pf]]
match = { netdev = "ib0" }
num_vfs = 4
trust = true
guid = { mode = "range", start = "02:00:00:00:00:00:00:01", end = "02:00:00:00:00:00:00:02" }
mac = { mode = "list", list = ["ff:ff:ff:ff:ff:ff", "02:00:00:00:00:01", "02:00:00:00:00:01"] }
[[pf.vf]]
range = "2-5"
guid = "00:00:00:00:00:00:00:00"
[[pf.vf]]
range = "3"
min_rate = 5
max_rate = 4
[[pf.vf]]
range = "1-0"
"#;
    let expected = [
        "x:1:1: there is no key \"versio\" in a document: it has version, host, policy, pf; did you mean \"version\"?",
        "x:1:1: there is no version: write version = 1",
        "x:3:14: \"exclusiv\" is not a valid rdma_netns: write shared, exclusive or unmanaged; did you mean \"exclusive\"?",
        "x:5:18: \"b8:59\" is not a valid GUID",
        "x:5:27: there is no key \"pc\" in match",
        "x:9:1: there is no key \"trust\" in pf",
        "x:10:8: guid has 2 addresses for 4 VFs",
        "x:11:32: ff:ff:ff:ff:ff:ff is no MAC address for a VF",
        "x:11:74: 02:00:00:00:00:01 is there twice",
        "x:12:1: there is no VF 5 of 4: they count from 0",
        "x:14:8: 00:00:00:00:00:00:00:00 is no GUID for a VF: all zeros and all ones stand for none",
        "x:14:8: VFs 2 to 5 cannot have one address",
        "x:15:1: VF 3 is in another entry already",
        "x:17:12: min_rate 5 is above max_rate 4",
        "x:20:9: it is no range of VFs",
    ];
    let found = faults_of(Language::Toml, text);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\n{expected}");
    }
}

#[test]
fn what_cannot_be_is_refused() {
    for (more, expected) in [
        (
            "link_type = \"eth\"\nguid = { mode = \"keep\" }",
            "Ethernet VFs have no guid",
        ),
        (
            "link_type = \"ib\"\nmac = { mode = \"keep\" }",
            "InfiniBand VFs have no mac",
        ),
        (
            "link_type = \"ib\"\nvf_defaults = { trust = true }",
            "InfiniBand VFs have no trust",
        ),
        (
            "[[pf.vf]]\nrange = \"0-1\"\nmac = \"02:00:00:00:00:01\"",
            "VFs 0 to 1 cannot have one address",
        ),
        (
            "[[pf.vf]]\nrange = \"0\"\nproto = \"802.1ad\"",
            "proto goes with vlan",
        ),
        (
            "guid = { mode = \"keep\", start = \"02:00:00:00:00:00:00:01\" }",
            "start goes with mode = \"range\"",
        ),
        (
            "guid = { mode = \"range\", start = \"02:00:00:00:00:00:00:02\", end = \"02:00:00:00:00:00:00:01\" }",
            "is below start",
        ),
        (
            "[[pf]]\nmatch = { pci = \"0000:01:00.0\", netdev = \"a\" }",
            "this PF is at x:2:1 already",
        ),
        (
            "[[pf.vf]]\nrange = \"0\"\nguid = \"02:00:00:00:00:00:00:01\"\n[[pf.vf]]\nrange = \"1\"\nport_guid = \"02:00:00:00:00:00:00:01\"",
            "GUID 02:00:00:00:00:00:00:01 is given at x:2:1 already",
        ),
        (
            "guid = { mode = \"list\", list = [\"02:00:00:00:00:00:00:05\"] }\n[[pf]]\nmatch = { netdev = \"b\" }\nguid = { mode = \"range\", start = \"02:00:00:00:00:00:00:01\", end = \"02:00:00:00:00:00:00:09\" }",
            "GUID 02:00:00:00:00:00:00:05 is given at x:2:1 already",
        ),
        (
            "link_type = \"ib\"\neswitch = \"legacy\"",
            "x:5:11: InfiniBand PFs have no eswitch",
        ),
        (
            "eswitch = \"switchdef\"",
            "write legacy, switchdev or unmanaged; did you mean \"switchdev\"?",
        ),
        (
            "vf_defaults = { msix = 4096 }",
            "4096 is not a valid msix: write 1 to 2048",
        ),
        (
            "[[pf.vf]]\nrange = \"0\"\nmanaged = false\ntrust = true",
            "x:7:1: trust is for VFs that are not left to others",
        ),
        (
            "guid = { mode = \"file\", file = \"guids\" }",
            "file has to begin with /",
        ),
        (
            "mac = { mode = \"file\", file = \"/guids\" }",
            "mode = \"file\" is for guid",
        ),
        (
            "guid = { mode = \"list\", list = [\"02:00:00:00:00:00:00:05\"] }\n[host]\nreserved = [{ start = \"02:00:00:00:00:00:00:00\", end = \"02:ff:ff:ff:ff:ff:ff:ff\" }]",
            "GUID 02:00:00:00:00:00:00:05 is among those that host has as reserved",
        ),
        (
            "[host]\nreserved = [{ start = \"02:00:00:00:00:00:00:09\", end = \"02:00:00:00:00:00:00:08\" }]",
            "is below start",
        ),
        (
            "[[pf]]\nmatch = { serial = \"\" }",
            "it is no serial number",
        ),
        ("num_vfs = 99999999999999999999", "num_vfs"),
        ("num_vfs = 0x10000", "65536 is not a valid num_vfs"),
        ("up = [[[[[[[[[[[[1]]]]]]]]]]]]", "up is a list"),
        ("up = 2026-11-21", "up is a date"),
        ("up = ", "x:4:"),
    ] {
        let text = format!("{PF}{more}\n");
        let found = faults_of(Language::Toml, &text);
        assert_eq!(found.len(), 1, "{more}: {found:#?}");
        assert!(found[0].contains(expected), "{more}: {found:#?}");
    }
}

#[test]
fn json_has_places_too() {
    let text = "{\n \"version\": 1,\n \"pf\": [{\"match\": {\"pci\": \"01:00.0\"},\n  \"num_vfs\": 2, \"num_vfs\": 3, \"guid\": {\"mode\": \"lst\"}}],\n \"x\": null}";
    let found = faults_of(Language::Json, text);
    let expected = [
        "x:4:17: \"num_vfs\" is there twice",
        "x:4:48: \"lst\" is not a valid mode",
        "x:5:2: there is no key \"x\"",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}");
    }
    let found = faults_of(Language::Json, "{\"version\": 1,\n}");
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("x:2:"), "{found:?}");
    assert!(!faults_of(Language::Json, &"[".repeat(100_000)).is_empty());
    assert!(!faults_of(Language::Toml, &format!("a = {}", "[".repeat(10_000))).is_empty());
}

#[test]
fn files_of_a_host() {
    let machine = Machine::new()
        .file(
            "etc/rdmactl/provision.toml",
            "version = 1\n[host]\nsite = \"a\"\n",
        )
        .file("etc/rdmactl/provision.d/b.toml", PF)
        .file(
            "etc/rdmactl/provision.d/c.json",
            "{\"version\": 1, \"pf\": [{\"match\": {\"pci\": \"0000:02:00.0\"}}]}",
        )
        .file("etc/rdmactl/provision.d/b.toml~", "garbage");
    let read_host = |machine: &Machine| read(&machine.host(), &Origin::Host, &mut std::io::empty());
    let document = read_host(&machine).unwrap();
    assert_eq!((document.site.as_str(), document.pfs.len()), ("a", 2));
    let place = document.pfs[1].place.to_string();
    assert_eq!(place, "/etc/rdmactl/provision.d/c.json:1:23");
    let machine = machine.file(
        "etc/rdmactl/provision.d/d.toml",
        format!("{PF}[host]\nsite = \"b\"\n"),
    );
    match read_host(&machine) {
        Err(DocumentError::Faults(faults)) => {
            let found: Vec<String> = faults.iter().map(ToString::to_string).collect();
            assert_eq!(
                found,
                [
                    "/etc/rdmactl/provision.d/d.toml:4:1: host is in /etc/rdmactl/provision.toml already",
                    "/etc/rdmactl/provision.d/d.toml:2:1: this PF is at /etc/rdmactl/provision.d/b.toml:2:1 already",
                ]
            );
        }
        other => panic!("{other:?}"),
    }
    let none = read_host(&Machine::new()).unwrap_err();
    assert_eq!(none.to_string(), "there is no /etc/rdmactl/provision.toml");
    let stdin = Origin::File("-".into());
    let bytes = read(&machine.host(), &stdin, &mut &b"version = 1\n"[..]);
    assert!(bytes.is_ok());
    let error = read(&machine.host(), &stdin, &mut &b"\xff"[..]).unwrap_err();
    assert_eq!(error.to_string(), "- is no UTF-8 text");
}

proptest! {
    #[test]
    fn nothing_panics(text in "[ -~\\n\u{e4}]{0,200}") {
        faults_of(Language::Toml, &text);
        faults_of(Language::Json, &text);
    }

    #[test]
    fn no_document_panics(key in "[a-z_]{1,9}", value in "(\"[ -~&&[^\"\\\\]]{0,12}\"|-?[0-9]{1,20}|true|\\[\\]|\\{\\})") {
        for place in ["[host]", "[policy]", "[[pf]]", "[[pf]]\nmatch = { pci = \"01:00.0\" }\n[[pf.vf]]"] {
            faults_of(Language::Toml, &format!("version = 1\n{place}\n{key} = {value}\n"));
        }
    }
}
