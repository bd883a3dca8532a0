//! The units at a real boot: all is there before what needs it, each time; a wrong document stops nobody.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::adapter::until;
use crate::booted::{chapter, keep, kept, read, reboot};
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::pci;

pub(super) fn cases() -> Vec<Case> {
    let boots = |name, run| case(name, run).no_adapter().with_systemd().limit(600);
    vec![
        boots("before_what_needs_it_each_time", each_time),
        boots("many_on_ethernet", many_on_ethernet).limit(1200).pf("nvme").only(
            &["7.3"],
            "one boot more shows another kernel, another link layer and many VFs; the root of 6.1 has no systemd",
        ),
        boots("a_wrong_document_stops_nobody", wrong_document),
    ]
}

/// What PFs speak, and how many VFs are declared.
#[derive(Clone, Copy)]
struct Kind {
    layer: &'static str,
    vfs: usize,
    /// What a VF goes by, in the table that foretells it, and on itself.
    key: &'static str,
    file: &'static str,
}

const INFINIBAND: Kind = Kind {
    layer: "ib",
    vfs: 7,
    key: "node_guid",
    file: "infiniband/*/node_guid",
};

const ETHERNET: Kind = Kind {
    layer: "eth",
    vfs: 120,
    key: "mac",
    file: "net/*/address",
};

const DOCUMENT: &str = "/etc/rdmactl/provision.toml";
const MODPROBE: &str = "/etc/modprobe.d/rdmactl.conf";
const PROVISION: &str = "rdmactl-provision.service";
const NETNS: &str = "rdmactl-netns.service";
const OFFER: &str = "/run/cdi/rdmactl.io-rdma.json";
const CDI: &str = "rdmactl-cdi.service";

/// The units as they are shipped.
const UNITS: [(&str, &str); 3] = [
    (
        PROVISION,
        include_str!("../../../packaging/systemd/rdmactl-provision.service"),
    ),
    (
        NETNS,
        include_str!("../../../packaging/systemd/rdmactl-netns.service"),
    ),
    (
        CDI,
        include_str!("../../../packaging/systemd/rdmactl-cdi.service"),
    ),
];

/// As on a host where udev loads a driver: some time in the boot, ordered behind nothing of ours.
const ADAPTER: &str = "[Unit]
DefaultDependencies=no
After=systemd-modules-load.service systemd-udevd.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'sleep 2; exec insmod /var/lib/lab/rdmalab.ko mode=LAYER'
[Install]
WantedBy=sysinit.target
";

/// What whoever needs VFs finds when it starts.
const LOOK: &str = "#!/bin/sh
{
    cat /proc/sys/kernel/random/boot_id
    rdma system show
    for vf in /sys/bus/pci/devices/*/virtfn*; do
        echo \"${vf##*/virtfn} $(basename $(readlink $vf/driver)) $(cat $vf/FILE 2>/dev/null || (sleep 1; cat $vf/FILE))\"
    done | sort -n
} >/var/lib/lab/seen.$1 2>&1
";

/// A network manager knows us by the target alone; a container runtime by nothing, and we know it.
const NEEDS: [(&str, &str); 2] = [
    (
        "lab-network.service",
        "DefaultDependencies=no\nWants=network-pre.target\nAfter=network-pre.target",
    ),
    ("containerd.service", "Description=containerd"),
];

/// Installs what the package installs, the adapter, and two that need VFs.
fn install(lab: &Lab, kind: Kind) {
    for folder in ["/etc/rdmactl", "/var/lib/lab"] {
        fs::create_dir_all(folder).expect("a folder");
    }
    fs::copy("/run/lab/rdmactl", "/usr/sbin/rdmactl").expect("the program");
    fs::copy("/lab/adapter/rdmalab.ko", kept("rdmalab.ko")).expect("the module");
    for (name, text) in UNITS {
        fs::write(format!("/usr/lib/systemd/system/{name}"), text).expect("a unit");
    }
    let unit = |name: &str, text: &str| {
        fs::write(format!("/etc/systemd/system/{name}"), text).expect("a unit");
    };
    unit("lab-adapter.service", &ADAPTER.replace("LAYER", kind.layer));
    for (name, head) in NEEDS {
        unit(
            name,
            &format!(
                "[Unit]\n{head}\n[Service]\nType=oneshot\nRemainAfterExit=yes\n\
                 ExecStart=/bin/sh /var/lib/lab/look {name}\n[Install]\nWantedBy=multi-user.target\n"
            ),
        );
    }
    keep("look", &LOOK.replace("FILE", kind.file));
    fs::write("/etc/modules-load.d/lab.conf", "ib_uverbs\n").expect("modules to load");
    // The adapter goes by the name of a driver whose other half udev would load (rdma-core's
    // 90-rdma-hw-modules.rules).
    let none = "install mlx5_core /bin/true\ninstall mlx5_ib /bin/true\n";
    fs::write("/etc/modprobe.d/lab.conf", none).expect("modules not to load");
    let needs = NEEDS.map(|(name, _)| name).join(" ");
    lab.sh(&format!(
        "systemctl daemon-reload && systemctl enable lab-adapter.service {PROVISION} {CDI} {needs}"
    ))
    .ok();
}

fn property(lab: &Lab, unit: &str, name: &str) -> String {
    let line = format!("systemctl show --property {name} --value {unit}");
    lab.exec(&line).ok().stdout.trim().to_owned()
}

/// What is still starting when the case begins, which is behind the last target, has a while.
fn has_started(lab: &Lab, expected: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let state = lab.exec("systemctl is-system-running").stdout;
        let jobs = lab.exec("systemctl list-jobs --no-legend").ok().stdout;
        if state.trim() != "starting" || Instant::now() > deadline {
            let failed = lab.exec("systemctl --failed --no-legend --plain").stdout;
            assert_eq!(state.trim(), expected, "{failed}{jobs}");
            return;
        }
        sleep(Duration::from_millis(500));
    }
}

fn journal(lab: &Lab, unit: &str) -> String {
    let line = format!("journalctl --boot --output cat --unit {unit}");
    lab.exec(&line).ok().stdout
}

/// The document: the PF by its GUID or permanent address, wherever it is.
fn document(lab: &Lab, kind: Kind, key: &str) -> String {
    lab.exec("systemctl restart systemd-modules-load.service")
        .ok();
    lab.exec("systemctl start lab-adapter.service").ok();
    until("the PF has an RDMA device", || {
        pci::pfs().iter().any(|pf| pci::rdma(pf).is_some())
    })
    .unwrap_or_else(|error| panic!("{error}"));
    let folder = format!("/sys/bus/pci/devices/{}", lab.pf());
    let (mark, address) = match kind.layer {
        "ib" => {
            let gid = lab.sh(&format!("cat {folder}/infiniband/*/ports/1/gids/0"));
            ("guid", gid.ok().stdout.trim()[20..].to_owned())
        }
        _ => {
            let mac = lab.sh(&format!("cat {folder}/net/*/address"));
            ("perm_mac", mac.ok().stdout.trim().to_owned())
        }
    };
    format!(
        "version = 1\n[host]\nrdma_netns = \"exclusive\"\n[[pf]]\nmatch = {{ {mark} = \"{address}\" }}\n\
         {key} = {}\n",
        kind.vfs
    )
}

fn each_time(lab: &Lab) {
    let chapter = chapter();
    if chapter == 0 {
        declared(lab, INFINIBAND);
    }
    let (boot, said) = booted(lab, INFINIBAND);
    if chapter == 1 {
        keep("first", &boot);
        reboot(lab);
    }
    assert_ne!(read("first"), boot);
    // The mode is there from the loading of ib_core on: there was nothing to write or to set.
    assert!(!said.contains("netns"), "{said}");
    // Provisioned anew, what is offered is written anew.
    fs::remove_file(OFFER).expect("the document of the boot");
    lab.exec(&format!("systemctl restart {PROVISION}")).ok();
    until("the document is there again", || Path::new(OFFER).exists())
        .unwrap_or_else(|error| panic!("{error}"));
    offered(lab, INFINIBAND.vfs);
}

fn many_on_ethernet(lab: &Lab) {
    if chapter() == 0 {
        declared(lab, ETHERNET);
    }
    let (_, said) = booted(lab, ETHERNET);
    // Who reads the journal is told of phases, not of hundreds of steps.
    assert!(said.lines().count() < 20, "{said}");
}

/// What is declared comes with the next boot, whose adapter has not seen any of this.
fn declared(lab: &Lab, kind: Kind) -> ! {
    install(lab, kind);
    fs::write(DOCUMENT, document(lab, kind, "num_vfs")).expect("a document");
    lab.exec("rdmactl provision check").ok();
    reboot(lab);
}

/// All is there, and was before what needs it; which boot it is, and what was said in it.
fn booted(lab: &Lab, kind: Kind) -> (String, String) {
    has_started(lab, "running");
    assert_eq!(property(lab, PROVISION, "Result"), "success");
    let said = journal(lab, PROVISION);
    // Each boot begins with no VFs, and makes them all: nothing of the last one counts.
    assert!(said.contains("create"), "{said}");
    let table = lab.exec("rdmactl -j provision addresses").ok().json();
    let boot = lab.exec("cat /proc/sys/kernel/random/boot_id").ok().stdout;
    for (name, _) in NEEDS {
        let seen = read(&format!("seen.{name}"));
        let mut lines = seen.lines();
        assert_eq!(lines.next(), Some(boot.trim()), "{name}: {seen}");
        let mode = lines.next().unwrap_or_default();
        assert!(mode.starts_with("netns exclusive"), "{name}: {seen}");
        for index in 0..kind.vfs {
            let address = table[index][kind.key].as_str().expect("an address");
            let address = address.replace(':', "");
            let line = lines.next().unwrap_or_default().replace(':', "");
            assert_eq!(
                line,
                format!("{index} mlx5_core {address}"),
                "{name}: {seen}"
            );
        }
        assert_eq!(lines.next(), None, "{name}: {seen}");
    }
    offered(lab, kind.vfs);
    let told = |unit, name| property(lab, unit, name).parse::<u64>().expect("a time");
    let written = told(CDI, "ExecMainExitTimestampMonotonic");
    assert!(written < told("containerd.service", "ExecMainStartTimestampMonotonic"));
    lab.exec("rdmactl provision plan").ok().stdout_is("");
    lab.exec("rdmactl provision status").ok();
    let warned = lab.exec("journalctl --boot --priority warning --output cat");
    assert!(!warned.stdout.contains("ordering cycle"), "{warned}");
    println!("boot {}: {}", chapter(), times(lab));
    (boot, said)
}

/// So many devices are in the document that podman and Docker read.
fn offered(lab: &Lab, wanted: usize) {
    assert_eq!(
        property(lab, CDI, "Result"),
        "success",
        "{}",
        journal(lab, CDI)
    );
    let document = lab.exec(&format!("cat {OFFER}")).ok().json();
    assert_eq!(document["devices"].as_array().map(Vec::len), Some(wanted));
}

/// Seconds since the kernel started.
fn times(lab: &Lab) -> String {
    let second = |unit: &str, name: &str| {
        let stamp: f64 = property(lab, unit, name).parse().unwrap_or_default();
        stamp / 1e6
    };
    let mut told = format!(
        "provision from {:.1} to {:.1} s",
        second(PROVISION, "ExecMainStartTimestampMonotonic"),
        second(PROVISION, "ExecMainExitTimestampMonotonic")
    );
    for (name, _) in NEEDS {
        let begun = second(name, "ExecMainStartTimestampMonotonic");
        told += &format!(", {name} at {begun:.1} s");
    }
    told
}

fn wrong_document(lab: &Lab) {
    if chapter() == 0 {
        install(lab, INFINIBAND);
        fs::write(DOCUMENT, document(lab, INFINIBAND, "num_vf")).expect("a document");
        // The mode is left to the other unit.
        let _ = fs::remove_file(MODPROBE);
        lab.exec(&format!("systemctl enable {NETNS}")).ok();
        reboot(lab);
    }
    assert_eq!(property(lab, PROVISION, "ActiveState"), "failed");
    assert_eq!(property(lab, PROVISION, "ExecMainStatus"), "1");
    let said = journal(lab, PROVISION);
    let told = format!("{DOCUMENT}:6:1: there is no key \"num_vf\" in pf");
    assert!(said.contains(&told), "{said}");
    assert!(said.contains("did you mean \"num_vfs\"?"), "{said}");
    // Everybody else has started, without VFs, and nothing failed beside it.
    has_started(lab, "degraded");
    let failed = lab.exec("systemctl --failed --no-legend --plain").ok();
    assert_eq!(failed.stdout.lines().count(), 1, "{failed}");
    let boot = lab.exec("cat /proc/sys/kernel/random/boot_id").ok().stdout;
    for (name, _) in NEEDS {
        assert_eq!(property(lab, name, "Result"), "success");
        let seen = read(&format!("seen.{name}"));
        assert!(seen.starts_with(&boot), "{seen}");
        assert!(seen.contains("netns exclusive"), "{seen}");
    }
    assert_eq!(property(lab, NETNS, "Result"), "success");
    assert!(pci::vf(&lab.pf(), 0).is_none());
    // Mended, it needs no other boot.
    let text = fs::read_to_string(DOCUMENT).expect("a document");
    fs::write(DOCUMENT, text.replace("num_vf ", "num_vfs ")).expect("a document");
    lab.exec(&format!("systemctl restart {PROVISION}")).ok();
    lab.exec("rdmactl provision plan").ok().stdout_is("");
    lab.exec(&format!("systemctl disable {NETNS}")).ok();
}
