//! Applying to machines made of files: firmware that is set once and then waits for a restart.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;

use super::{Applied, Event, Order, Watcher, apply};
use crate::kernel::Host;
use crate::kernel::fake::{Answer, Machine};
use crate::provision::document::{self, Document, Origin};
use crate::provision::look;
use crate::provision::plan::{Action, Block, Class, Plan};

const PF: &str = "sys/bus/pci/devices/0000:01:00.0";
const BOOT: &str = "proc/sys/kernel/random/boot_id";

/// An older tool: no JSON, the next values alone, and a state of its own.
const TOOL: &str = r#"d=${0%/*}
case " $* " in
*" -j "*) exit 1 ;;
*" set "*)
    echo "$*" >>$d/sets
    echo 16 >$d/vfs
    echo '-I- Please reboot machine to load new configurations.' ;;
*)
    read vfs <$d/vfs
    echo 'Device #1:'
    echo 'Device type:    ConnectX3'
    echo 'Device:         0000:01:00.0'
    echo 'Configurations:                              Next Boot'
    echo '         SRIOV_EN                            True(1)         '
    echo "         NUM_OF_VFS                          $vfs               " ;;
esac"#;

const DOCUMENT: &str = "version = 1\n[policy]\nfirmware = \"write\"\n[[pf]]\n\
     match = { pci = \"0000:01:00.0\" }\nlink_type = \"ib\"\nnum_vfs = 16\nup = false\n\
     guid = { mode = \"unmanaged\" }\n";

fn machine() -> Machine {
    Machine::new()
        .file(&format!("{PF}/sriov_totalvfs"), "4\n")
        .file(&format!("{PF}/sriov_numvfs"), "0")
        .file(&format!("{PF}/sriov_drivers_autoprobe"), "1")
        .link(&format!("{PF}/driver"), "../../drivers/mlx5_core")
        .file(BOOT, "one\n")
        .program("usr/bin/mlxconfig", TOOL)
        .file("usr/bin/vfs", "4\n")
}

fn host(machine: &Machine) -> Host {
    machine.host_with(Arc::new(|_, _| Answer::Refused(Errno::ENOENT, None)))
}

fn document(host: &Host) -> Document {
    let origin = Origin::File(Path::new("-").to_owned());
    document::read(host, &origin, &mut DOCUMENT.as_bytes()).unwrap()
}

fn planned(machine: &Machine) -> Plan {
    let host = host(machine);
    look::planned(&host, &document(&host)).unwrap().1
}

struct Nobody;

impl Watcher for Nobody {
    fn tell(&self, _: Event<'_>) {}
}

fn applied(machine: &Machine) -> Applied {
    let host = host(machine);
    let order = Order {
        only: None,
        patience: Duration::ZERO,
        removes: false,
    };
    apply(&host, &document(&host), &order, &Nobody).unwrap()
}

#[test]
fn firmware_is_set_once_and_no_machine_restarts_for_ever() {
    let machine = machine();
    let plan = planned(&machine);
    assert_eq!(plan.troubles, []);
    let change = Action::SetFirmware {
        key: "NUM_OF_VFS".to_owned(),
        from: Some(4),
        to: 16,
    };
    assert_eq!(plan.steps.len(), 1);
    assert_eq!(
        (&plan.steps[0].action, plan.steps[0].class),
        (&change, Class::Reboot)
    );
    let first = applied(&machine);
    assert!(first.failed.is_empty(), "{:?}", first.failed);
    assert_eq!(first.done[0].action, change);
    let waiting = |plan: &Plan| match &plan.steps[..] {
        [step] => (step.class, step.blocked),
        steps => panic!("{steps:?}"),
    };
    assert_eq!(waiting(&first.left), (Class::Reboot, Some(Block::Reset)));
    let again = applied(&machine);
    assert!(again.done.is_empty() && again.failed.is_empty());
    assert_eq!(
        machine.read("usr/bin/sets"),
        "-d 0000:01:00.0 -y set NUM_OF_VFS=16\n"
    );
    // The restart did not bring it: the next would not either.
    let machine = machine.file(BOOT, "two\n");
    let left = applied(&machine).left;
    assert_eq!(waiting(&left), (Class::PowerCycle, Some(Block::Reset)));
    // Each restart that has not brought it is counted once.
    applied(&machine);
    let record = machine.read("var/lib/rdmactl/firmware.json");
    assert!(record.contains("\"restarts\": 1"), "{record}");
    // Now it has come, and the rest is done as ever.
    let machine = machine.file(&format!("{PF}/sriov_totalvfs"), "16\n");
    let plan = planned(&machine);
    assert!(
        plan.steps
            .iter()
            .any(|step| step.action == Action::Create { to: 16 })
    );
    assert!(plan.steps.iter().all(|step| step.class == Class::Safe));
    // The next change of it is a first one again.
    applied(&machine);
    assert!(!machine.path("var/lib/rdmactl/firmware.json").exists());
}

#[test]
fn firmware_that_cannot_be_asked_or_changed_is_a_trouble() {
    let machine = machine();
    std::fs::remove_file(machine.path("usr/bin/mlxconfig")).unwrap();
    let plan = planned(&machine);
    assert!(plan.steps.is_empty());
    let told = plan.troubles[0].problem.to_string();
    assert!(told.contains("neither mstconfig nor mlxconfig"), "{told}");
    let fixed = TOOL.replace("         NUM_OF_VFS", " RO      NUM_OF_VFS");
    let machine = machine.program("usr/bin/mlxconfig", &fixed);
    let plan = planned(&machine);
    assert_eq!(
        plan.troubles[0].problem.to_string(),
        "the firmware of the card needs NUM_OF_VFS to be 16, and lets nobody change it"
    );
    let outcome = applied(&machine);
    assert!(outcome.done.is_empty() && outcome.left.troubles.len() == 1);
}
