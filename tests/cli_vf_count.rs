//! `vf create` and `vf destroy` over a tree of files: what no lab can provoke.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rdmactl::kernel::Host;
use support::{Ran, run};

const PF: &str = "0000:3b:00.0";

/// A PF of Mellanox with room for 8 VFs whose files take every write and do nothing.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new(vfs: u32) -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        for (name, text) in [
            ("sriov_totalvfs", "8\n"),
            ("sriov_numvfs", "0\n"),
            ("sriov_drivers_autoprobe", "1\n"),
            ("vendor", "0x15b3\n"),
        ] {
            machine.write(&format!("sys/bus/pci/devices/{PF}/{name}"), text);
        }
        fs::create_dir(machine.path("proc")).unwrap();
        for index in 0..vfs {
            let vf = format!("0000:3b:01.{index}");
            let folder = machine.path(&format!("sys/bus/pci/devices/{vf}"));
            fs::create_dir_all(&folder).unwrap();
            symlink(format!("../{PF}"), folder.join("physfn")).unwrap();
            let link = machine.path(&format!("sys/bus/pci/devices/{PF}/virtfn{index}"));
            symlink(format!("../{vf}"), link).unwrap();
        }
        machine
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.0.path().join(relative)
    }

    fn write(&self, relative: &str, text: &str) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn numvfs(&self) -> String {
        let file = format!("sys/bus/pci/devices/{PF}/sriov_numvfs");
        fs::read_to_string(self.path(&file)).unwrap()
    }

    fn ran(&self, line: &str) -> Ran {
        /// Without RDMA in the kernel nobody has verbs objects.
        const EPROTONOSUPPORT: i32 = 93;
        let none = |_| Err(std::io::Error::from_raw_os_error(EPROTONOSUPPORT));
        let host = Host::new(Path::new(self.0.path()), Box::new(none));
        let argv: Vec<&str> = line.split(' ').collect();
        run(host, &argv, &[], b"", None)
    }
}

#[track_caller]
fn failed(ran: &Ran, expected: &str) {
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{}", ran.err);
    assert_eq!(ran.err, expected);
}

#[test]
fn more_than_the_firmware_offers() {
    let machine = Machine::new(0);
    failed(
        &machine.ran(&format!("rdmactl vf create {PF} 9")),
        "0000:3b:00.0 offers 8 VFs, and 9 are wanted\n\
         cause: sriov_totalvfs says so: the firmware of the adapter offers no more\n  \
         fix: mstconfig -d 0000:3b:00.0 set SRIOV_EN=1 NUM_OF_VFS=9, then reboot\n",
    );
    assert_eq!(machine.numvfs(), "0\n");
}

#[test]
fn a_driver_that_makes_fewer() {
    let machine = Machine::new(0);
    failed(
        &machine.ran(&format!("rdmactl vf create {PF} 5 --no-probe")),
        "5 VFs of 0000:3b:00.0 were requested, and 0 are there\n\
         cause: the driver of the PF did not do all of it, and says why in the kernel log\n  \
         fix: dmesg | grep 0000:3b:00.0; rdmactl vf create 0000:3b:00.0 5\n",
    );
    let probing = format!("sys/bus/pci/devices/{PF}/sriov_drivers_autoprobe");
    assert_eq!(fs::read_to_string(machine.path(&probing)).unwrap(), "1\n");
    // The lock went with the command.
    let locks = fs::read_dir(machine.path("run/rdmactl/pf")).unwrap();
    assert_eq!(locks.count(), 0);
}

#[test]
fn vfs_that_do_not_go() {
    let machine = Machine::new(2);
    failed(
        &machine.ran(&format!("rdmactl vf destroy {PF}")),
        "the removal of the VFs of 0000:3b:00.0 was accepted, and 2 are there\n\
         cause: the driver of the PF did not do all of it, and says why in the kernel log\n  \
         fix: dmesg | grep 0000:3b:00.0; rdmactl vf destroy 0000:3b:00.0\n",
    );
}

#[test]
fn records_keep_vfs_and_a_dry_run_changes_nothing() {
    let machine = Machine::new(2);
    machine.write(
        "var/lib/cni/ib-sriov/c9-net1",
        r#"{"VFID":1,"deviceID":"0000:3b:01.1","rdmaIsolation":true}"#,
    );
    let line = "VF 1 (0000:3b:01.1): it is lent, says the CNI record /var/lib/cni/ib-sriov/c9-net1";
    for command in ["vf destroy PF", "vf create PF 1", "--dry-run vf destroy PF"] {
        let ran = machine.ran(&format!("rdmactl {}", command.replace("PF", PF)));
        failed(
            &ran,
            &format!(
                "1 of the 2 VFs of 0000:3b:00.0 is in use, nothing was changed\ncause: {line}\n  \
                 fix: end these uses, then run the command again; with --force it removes all VFs all the same\n"
            ),
        );
        assert_eq!(machine.numvfs(), "0\n");
    }
    let forced = machine.ran(&format!("rdmactl -j --dry-run --force vf destroy {PF}"));
    assert_eq!(
        forced.out,
        format!(
            "[{{\"would\":\"take it from its user: {line}\"}}\n,{{\"would\":\"remove all 2 VFs of PF {PF}\"}}\n]\n"
        )
    );
    assert_eq!((forced.code, machine.numvfs().as_str()), (0, "0\n"));
}

/// A VF whose `physfn` leads to another PF is not this PF's to remove.
#[test]
fn a_link_that_lies() {
    let machine = Machine::new(1);
    let link = machine.path("sys/bus/pci/devices/0000:3b:01.0/physfn");
    fs::remove_file(&link).unwrap();
    symlink("../0000:af:00.0", link).unwrap();
    failed(
        &machine.ran(&format!("rdmactl vf destroy {PF} --force")),
        "0000:3b:01.0 is no VF of 0000:3b:00.0\n\
         cause: the function changed meanwhile, and was not touched\n  \
         fix: rdmactl vf show\n",
    );
    assert_eq!(machine.numvfs(), "0\n");
}
