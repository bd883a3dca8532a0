//! `vf bind`, `unbind`, `rebind`: any driver, any obstacle, and the names that come back.

use std::fs;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use nix::libc;
use serde_json::Value;

use super::vf_create::row_of;
use crate::adapter::until;
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::output::Output;
use crate::pci;

/// A bound device is a new one, with a new index.
const NEW: &[&str] = &["folder /", "rdma device", "netdev"];

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("bind_unbind_rebind", bind_unbind_rebind).may_change(NEW),
        case("other_drivers", other_drivers).may_change(NEW),
        case("drivers_kept_away", drivers_kept_away).may_change(NEW),
        case("failures_and_hangs", failures_and_hangs).may_change(NEW),
        case("vfio_and_who_holds_it", vfio)
            .pf("igb-iommu")
            .vfs(2)
            .may_change(NEW),
    ]
}

fn driver(vf: &str) -> Option<String> {
    pci::target(pci::device(vf).join("driver"))
}

fn driver_override(vf: &str) -> String {
    let file = pci::device(vf).join("driver_override");
    fs::read_to_string(file)
        .expect("a function")
        .trim()
        .to_owned()
}

/// The one row is the VF as sysfs has it now.
#[track_caller]
fn is_there(lab: &Lab, output: &Output, index: usize) -> Value {
    let pf = lab.pf();
    let name = pci::netdev(&pf).expect("the PF has a netdev");
    let row = row_of(&pf, &name, index, &lab.vf(index as u32));
    assert_eq!(output.json(), Value::Array(vec![row.clone()]), "{output}");
    row
}

fn bind_unbind_rebind(lab: &Lab) {
    let (pf, vf) = (lab.pf(), lab.vf(1));
    let word = format!("{}/1", pci::netdev(&pf).expect("the PF has a netdev"));
    let index = |name: &str| {
        let shown = lab.iproute2_rdma(&["-j", "dev", "show", name]).ok().json();
        shown[0]["ifindex"].as_u64()
    };
    let before = index(&lab.vf_rdma(1));
    // Bound already: done, and the same device.
    is_there(lab, &lab.rdmactl(&["-j", "vf", "bind", &word]).ok(), 1);
    assert_eq!(index(&lab.vf_rdma(1)), before);
    lab.rdmactl(&["--dry-run", "vf", "rebind", &word])
        .ok()
        .stdout_is(&format!(
            "would take VF 1 ({vf}) from driver mlx5_core\nwould bind VF 1 ({vf}) to its own driver\n"
        ));
    lab.rdmactl(&["--dry-run", "vf", "bind", &word])
        .ok()
        .silent();
    // The names are those of the new device, which took some time to come.
    lab.inject("probe_delay_ms", "300");
    let row = is_there(lab, &lab.rdmactl(&["-j", "vf", "rebind", &word]).ok(), 1);
    lab.inject("probe_delay_ms", "0");
    assert!(
        row["rdma"].is_string() && row["netdev"].is_string(),
        "{row}"
    );
    assert_ne!(index(&lab.vf_rdma(1)), before);

    let gone = is_there(lab, &lab.rdmactl(&["-j", "vf", "unbind", &word]).ok(), 1);
    assert!(gone.get("driver").is_none() && driver(&vf).is_none());
    lab.rdmactl(&["vf", "unbind", &vf])
        .ok()
        .stdout_is(&format!("vf {word} pci {vf} \n"));
    is_there(
        lab,
        &lab.rdmactl(&["-j", "vf", "rebind", &vf, "--driver", "mlx5_core"])
            .ok(),
        1,
    );
    assert_eq!(driver(&vf).as_deref(), Some("mlx5_core"));

    let netdev = lab.vf_netdev(1);
    lab.sh(&format!(
        "ip link set {netdev} up; ip addr add 192.0.2.1/24 dev {netdev}"
    ))
    .ok();
    for verb in ["unbind", "rebind"] {
        lab.rdmactl(&["vf", verb, &netdev])
            .fails(1)
            .stdout_is("")
            .stderr_has(&format!("VF 1 of {pf} is in use, nothing was changed"))
            .stderr_has(&format!(
                "cause: VF 1 ({vf}): interface {netdev} is up and has 192.0.2.1/24"
            ));
    }
    lab.rdmactl(&["--dry-run", "--force", "vf", "unbind", &netdev])
        .ok()
        .stdout_has("would take it from its user: VF 1")
        .stdout_has(&format!("would take VF 1 ({vf}) from driver mlx5_core\n"));
    assert_eq!(driver(&vf).as_deref(), Some("mlx5_core"));
    lab.rdmactl(&["vf", "unbind", &netdev, "--force"]).ok();
    assert_eq!(driver(&vf), None);
    lab.rdmactl(&["vf", "bind", &vf]).ok();
    for (words, status, text) in [
        (&["unbind", &pf][..], 1, "is the PF"),
        (
            &["rebind", "nothing"],
            1,
            "there is no PCI function, network interface or RDMA device",
        ),
        (
            &["bind", &format!("{pf}/9")],
            1,
            "has no VF 9\ncause: it has VFs 0 to 1",
        ),
        (
            &["bind", &vf, "--driver", "../../x"],
            2,
            "must not begin with . or contain /",
        ),
    ] {
        lab.rdmactl(&[&["vf"], words].concat())
            .fails(status)
            .stderr_has(text);
    }
}

/// Drivers that take whatever they are given have to be named in `driver_override`, which does
/// not stay; a VF finds its way back to its own.
fn other_drivers(lab: &Lab) {
    let vf = lab.vf(0);
    lab.rdmactl(&["vf", "rebind", &vf, "--driver", "pci-stub"])
        .fails(1)
        .stderr_has("no PCI driver pci-stub is loaded\ncause: the module pci_stub is installed and not loaded")
        .stderr_has("  fix: modprobe pci-stub");
    // Before anything was taken away.
    assert_eq!(driver(&vf).as_deref(), Some("mlx5_core"));
    lab.rdmactl(&["vf", "rebind", &vf, "--driver", "nodriver"])
        .fails(1)
        .stderr_has("this kernel has no module nodriver");
    lab.sh("modprobe pci-stub").ok();
    lab.rdmactl(&["vf", "bind", &vf, "--driver", "pci-stub"])
        .fails(1)
        .stderr_has(&format!("{vf} is bound to mlx5_core"))
        .stderr_has(&format!("rdmactl vf rebind {vf} --driver NAME"));
    let row = lab
        .rdmactl(&["-j", "vf", "rebind", &vf, "--driver", "pci-stub"])
        .ok();
    assert_eq!(is_there(lab, &row, 0)["driver"], "pci-stub");
    assert_eq!(driver_override(&vf), "(null)");
    lab.rdmactl(&["vf", "bind", &vf])
        .fails(1)
        .stderr_has(&format!(
            "{vf} is bound to pci-stub, which is not its own driver"
        ))
        .stderr_has(&format!("rdmactl vf rebind {vf}"));
    // There is no IOMMU here.
    lab.sh("modprobe vfio-pci").ok();
    lab.rdmactl(&["vf", "rebind", &vf, "--driver", "vfio-pci"])
        .fails(1)
        .stderr_has(&format!(
            "vfio-pci failed to start on {vf}: Invalid argument"
        ))
        .stderr_has("cause: VFIO wants an IOMMU")
        .stderr_has("it has its driver pci-stub again");
    // Another tool pinned it: that goes too.
    fs::write(pci::device(&vf).join("driver_override"), "pci-stub\n").expect("root may");
    lab.rdmactl(&["vf", "rebind", &vf])
        .ok()
        .stdout_has("driver mlx5_core rdma ");
    assert_eq!(driver_override(&vf), "(null)");
    // A driver that does not know the device: the old one gets it back.
    lab.sh("modprobe e1000e").ok();
    lab.rdmactl(&["vf", "rebind", &vf, "--driver", "e1000e"])
        .fails(1)
        .stderr_has(&format!("e1000e does not take {vf}\n"))
        .stderr_has("it has its driver mlx5_core again");
    assert_eq!(driver(&vf).as_deref(), Some("mlx5_core"));
    lab.sh("rmmod pci-stub e1000e vfio-pci").ok();
}

/// `sriov_drivers_autoprobe` 0 keeps every driver away, one that is named too.
fn drivers_kept_away(lab: &Lab) {
    let (pf, vf) = (lab.pf(), lab.vf(0));
    let file = pci::device(&pf).join("sriov_drivers_autoprobe");
    fs::write(&file, "0").expect("root may");
    lab.rdmactl(&["vf", "unbind", &vf]).ok();
    // So the kernel has it.
    lab.sh(&format!("echo {vf} > /sys/bus/pci/drivers/mlx5_core/bind"))
        .fails(1)
        .stderr_has("No such device");
    lab.rdmactl(&["vf", "bind", &vf, "--driver", "mlx5_core"])
        .ok();
    assert_eq!(driver(&vf).as_deref(), Some("mlx5_core"));
    lab.rdmactl(&["vf", "rebind", &vf]).ok();
    assert_eq!(driver(&vf).as_deref(), Some("mlx5_core"));
    let probing = fs::read_to_string(&file).expect("a PF");
    assert_eq!(
        (probing.trim(), driver_override(&vf).as_str()),
        ("0", "(null)")
    );
    fs::write(&file, "1").expect("root may");
}

fn failures_and_hangs(lab: &Lab) {
    let vf = lab.vf(1);
    lab.inject("fail_probe_vf", "1,28");
    lab.rdmactl(&["vf", "rebind", &vf])
        .fails(1)
        .stdout_is("")
        .stderr_has(&format!("mlx5_core failed to start on {vf}: No space left on device\n"))
        .stderr_has("cause: the driver says more in the kernel log; it had mlx5_core, and has no driver now")
        .stderr_has(&format!("  fix: dmesg | grep {vf}; rdmactl vf bind {vf}\n"));
    lab.rdmactl(&["vf", "bind", &vf, "--driver", "mlx5_core"])
        .fails(1)
        .stderr_has(&format!(
            "mlx5_core failed to start on {vf}: No space left on device\n"
        ));
    lab.inject("fail_probe_vf", "off");
    lab.inject("probe_delay_ms", "600000");
    lab.rdmactl(&["vf", "bind", &vf, "--timeout", "1"])
        .fails(1)
        .stderr_has(&format!(
            "writing {vf} to /sys/bus/pci/drivers_probe has not come back after 1 s"
        ));
    lab.inject("probe_delay_ms", "0");
    until("the driver has it after all", || pci::rdma(&vf).is_some())
        .unwrap_or_else(|error| panic!("{error}"));
    lab.inject("ipoib", "0");
    let wanting = lab.rdmactl(&["vf", "rebind", &vf]).ok();
    lab.inject("ipoib", "1");
    // The PF has no interface now either, so none is waited for.
    wanting.stdout_lacks("netdev").stdout_has("rdma");
    let ours = format!("{}/rdmactl", crate::handle::FACES);
    lab.exec(&format!(
        "setpriv --reuid 1000 --clear-groups {ours} vf rebind {vf}"
    ))
    .fails(1)
    .stderr_has("cause: only root may change VFs");
}

/// The device itself open, as a guest has it: then the kernel waits for its user.
pub(super) struct Guest {
    _files: [OwnedFd; 3],
}

impl Guest {
    /// `uapi/linux/vfio.h`: `VFIO_TYPE` is `;`, and the requests count from 100.
    pub(super) fn new(group: &str, vf: &str) -> Self {
        let open = |path: &str| {
            let file = fs::File::options().read(true).write(true).open(path);
            OwnedFd::from(file.unwrap_or_else(|error| panic!("{path}: {error}")))
        };
        let (container, group) = (open("/dev/vfio/vfio"), open(&format!("/dev/vfio/{group}")));
        let number = container.as_raw_fd();
        let name = std::ffi::CString::new(vf).expect("an address");
        #[expect(unsafe_code, reason = "VFIO is spoken to by ioctl alone")]
        // SAFETY: the arguments are a pointer to a number, a number, and a string that ends, all of
        // which outlive the calls; the descriptor that comes out is nobody else's.
        let device = unsafe {
            let set = libc::ioctl(group.as_raw_fd(), 0x3b68, &number);
            let kind = libc::ioctl(number, 0x3b66, 1);
            let device = libc::ioctl(group.as_raw_fd(), 0x3b6a, name.as_ptr());
            assert!(
                set == 0 && kind == 0 && device >= 0,
                "{set} {kind} {device}"
            );
            OwnedFd::from_raw_fd(device)
        };
        Self {
            _files: [device, group, container],
        }
    }
}

fn vfio(lab: &Lab) {
    let (pf, vf) = (lab.pf(), lab.vf(1));
    // The emulated IOMMU does not remap interrupts.
    lab.sh("modprobe vfio_iommu_type1 allow_unsafe_interrupts=1 && modprobe vfio-pci")
        .ok();
    let row = lab
        .rdmactl(&["-j", "vf", "rebind", &vf, "--driver", "vfio-pci"])
        .ok();
    assert_eq!(is_there(lab, &row, 1)["driver"], "vfio-pci");
    assert_eq!(driver_override(&vf), "(null)");
    let group = pci::target(pci::device(&vf).join("iommu_group")).expect("an IOMMU");
    let guest = Guest::new(&group, &vf);
    let used = format!(
        "cause: VF 1 ({vf}): pid {} lab has /dev/vfio/{group} open",
        std::process::id()
    );
    lab.rdmactl(&["vf", "destroy", &pf])
        .fails(1)
        .stderr_has(&format!("1 of the 2 VFs of {pf} is in use"))
        .stderr_has(&used);
    lab.rdmactl(&["vf", "unbind", &vf])
        .fails(1)
        .stderr_has(&used);
    // The map names it too, in every form.
    let pid = std::process::id();
    let row = lab.rdmactl(&["-j", "topology", &vf]).ok().json()[0].clone();
    assert_eq!(
        (
            &row["driver"],
            &row["vfio"],
            &row["holder_pid"],
            &row["holder_comm"]
        ),
        (
            &"vfio-pci".into(),
            &format!("/dev/vfio/{group}").into(),
            &pid.into(),
            &"lab".into()
        ),
        "{row}"
    );
    lab.rdmactl(&["--format", "table", "topology"])
        .ok()
        .stdout_has("HOLDER\n")
        .stdout_has(&format!("  pid {pid} lab\n"));
    lab.rdmactl(&["--format", "dot", "topology"])
        .ok()
        .stdout_has(&format!("vfio-pci\\npid {pid} lab\"]"));
    // Who may not look says so.
    lab.exec(&format!(
        "setpriv --reuid=65534 --regid=65534 --clear-groups {}/rdmactl topology",
        crate::handle::FACES
    ))
    .fails(1)
    .stdout_lacks("holder_pid")
    .stderr_has("as root");
    // By force the kernel waits for the guest to let go.
    lab.rdmactl(&["vf", "rebind", &vf, "--force", "--timeout", "1"])
        .fails(1)
        .stderr_has("/sys/bus/pci/drivers/vfio-pci/unbind has not come back after 1 s");
    drop(guest);
    until("the guest's VF is free", || driver(&vf).is_none())
        .unwrap_or_else(|error| panic!("{error}"));
    lab.rdmactl(&["topology", &vf]).ok().stdout_lacks("holder_");
    lab.rdmactl(&["vf", "bind", &vf])
        .ok()
        .stdout_has("driver mlx5_core rdma ");
    lab.sh("rmmod vfio_pci vfio_iommu_type1").ok();
}
