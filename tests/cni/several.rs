//! Several RDMA devices on a function, and names of their own in the container.

use serde_json::json;

use crate::pod::{Machine, OTHER, VF, VF_ID, config};

const EIO: i32 = 5;

/// The VF has the devices 0 and 2.
fn machine() -> Machine {
    Machine::with(&[(VF, 0x11), (OTHER, 0x22), (VF, 0x11)])
}

fn names_in(machine: &Machine, netns: u64) -> Vec<String> {
    let state = machine.core.state();
    let there = state.devices.iter().filter(|dev| dev.netns == netns);
    there.map(|dev| dev.name.clone()).collect()
}

#[test]
fn b08_all_go_and_come_back() {
    let machine = machine();
    let Some(pod) = machine.pod("p") else { return };
    machine.verb("ADD", "p", &config(VF_ID)).fine();
    assert_eq!(names_in(&machine, pod.id), ["mlx5_0", "mlx5_2"]);
    let record = machine.record("net-c1-net1");
    assert_eq!(record["rdmaDevices"][1]["rdmaIndex"], 2);
    machine.verb("CHECK", "p", &config(VF_ID)).fine();
    machine.verb("DEL", "p", &config(VF_ID)).fine();
    machine.assert_clean();

    // The namespace ends with both of them renamed.
    let mut counted = config(VF_ID);
    counted["rdmaDeviceName"] = json!("hca%d");
    machine.verb("ADD", "p", &counted).fine();
    assert_eq!(names_in(&machine, pod.id), ["hca0", "hca1"]);
    machine.end("p", pod);
    machine.verb("DEL", "", &counted).fine();
    machine.assert_clean();
}

#[test]
fn b08_every_change_may_be_refused() {
    let machine = machine();
    let Some(_pod) = machine.pod("p") else {
        return;
    };
    let mut counted = config(VF_ID);
    counted["rdmaDeviceName"] = json!("hca%d");
    // Move and rename of the first, move and rename of the second.
    for refused in 0..4 {
        machine.core.state().refuse = (0..refused).map(|_| 0).chain([EIO]).collect();
        let ended = machine.verb("ADD", "p", &counted);
        assert_eq!(ended.failure().0, 103, "{refused}: {ended:?}");
        machine.assert_clean();
    }
    machine.core.state().refuse = [0, 0, 0, 0, EIO].into();
    machine.verb("ADD", "p", &counted).fine();
    machine.core.state().refuse.clear();
    // One that cannot come home does not keep the other.
    machine.core.state().refuse = [EIO].into();
    assert_eq!(machine.verb("DEL", "p", &counted).status, 1);
    let home = machine.core.state().home;
    assert_eq!(names_in(&machine, home), ["mlx5_0", "mlx5_1"]);
    machine.verb("DEL", "p", &counted).fine();
    machine.assert_clean();
}

#[test]
fn b07_a_taken_name_is_refused_and_a_pattern_counts_on() {
    for per_netns in [false, true] {
        let machine = Machine::new();
        machine.core.state().names_per_netns = per_netns;
        let Some(pod) = machine.pod("p") else { return };
        let mut wanted = config(VF_ID);
        wanted["rdmaDeviceName"] = json!("mlx5_1");
        let ended = machine.verb("ADD", "p", &wanted);
        if per_netns {
            ended.fine();
            assert_eq!(names_in(&machine, pod.id), ["mlx5_1"]);
            machine.verb("DEL", "p", &wanted).fine();
        } else {
            let (code, msg) = ended.failure();
            assert_eq!(code, 102);
            assert!(msg.contains("a device on the host has that name"), "{msg}");
        }
        machine.assert_clean();
        wanted["args"] = json!({"cni": {"rdmaDeviceName": "mlx5_%d"}});
        machine.verb("ADD", "p", &wanted).fine();
        assert_eq!(names_in(&machine, pod.id), ["mlx5_0"]);
        machine.verb("DEL", "p", &wanted).fine();
        machine.assert_clean();
    }
}

#[test]
fn b16_shared_mode_may_be_skipped() {
    let machine = Machine::new();
    let Some(_pod) = machine.pod("p") else { return };
    machine.core.state().shared = true;
    let mut skip = config(VF_ID);
    assert_eq!(machine.verb("ADD", "p", &skip).failure().0, 50);
    skip["rdmaMode"] = json!("skip");
    let ended = machine.verb("ADD", "p", &skip);
    ended.fine();
    assert_eq!(ended.json(), skip["prevResult"]);
    for verb in ["CHECK", "DEL"] {
        machine.verb(verb, "p", &skip).fine();
        machine.assert_clean();
    }
    // In exclusive mode it is as if it were not there.
    machine.core.state().shared = false;
    assert_eq!(machine.verb("CHECK", "p", &skip).failure().0, 105);
    machine.verb("ADD", "p", &skip).fine();
    machine.verb("CHECK", "p", &skip).fine();
    machine.verb("DEL", "p", &skip).fine();
    machine.assert_clean();
}
