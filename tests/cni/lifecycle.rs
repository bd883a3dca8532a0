//! ADD, CHECK, DEL and GC as a runtime calls them.

use serde_json::json;

use crate::pod::{Machine, OTHER, OTHER_ID, SF, SF_ID, VF, VF_ID, config};

#[test]
fn a_device_goes_and_comes_back() {
    let machine = Machine::new();
    let Some(pod) = machine.pod("p") else { return };
    for (folder, id) in [(VF, VF_ID), (OTHER, OTHER_ID), (SF, SF_ID)] {
        let ended = machine.verb("ADD", "p", &config(id));
        ended.fine();
        assert_eq!(ended.json(), config(id)["prevResult"]);
        assert_eq!(machine.netns_of(folder), pod.id);
        let name = machine.core.state().on(folder).name;
        let record = machine.record("net-c1-net1");
        assert_eq!(record["version"], "1.0");
        assert_eq!(record["deviceID"], id);
        assert_eq!(record["sandboxRdmaDevName"], name);
        assert_eq!(record["containerRdmaDevName"], name);
        assert_eq!(record["netnsInode"], pod.id);
        assert_eq!(record["phase"], "done");
        let check = machine.verb("CHECK", "p", &config(id));
        check.fine();
        assert_eq!(check.out, "");
        let del = machine.verb("DEL", "p", &config(id));
        del.fine();
        assert_eq!(del.out, "");
        machine.assert_clean();
        machine.verb("DEL", "p", &config(id)).fine();
        machine.verb("DEL", "", &config(id)).fine();
        machine.assert_clean();
    }
}

#[test]
fn the_capability_and_upper_case_find_the_device() {
    let machine = Machine::new();
    let Some(pod) = machine.pod("p") else { return };
    let mut capability = config(OTHER_ID);
    capability["runtimeConfig"] = json!({"deviceID": "0000:01:10.2"});
    machine.verb("ADD", "p", &capability).fine();
    assert_eq!(machine.netns_of(VF), pod.id);
    machine.verb("DEL", "p", &capability).fine();
    machine.assert_clean();
}

#[test]
fn r06b_r08c_old_versions_and_empty_results_pass() {
    let machine = Machine::new();
    let Some(_pod) = machine.pod("p") else { return };
    for (version, prev) in [
        ("1.0.0", json!({})),
        ("0.1.0", json!({"dns": {}})),
        ("0.2.0", json!({"cniVersion": "0.2.0"})),
        ("0.4.0", json!({"cniVersion": "0.3.1", "ips": []})),
    ] {
        let mut config = config(VF_ID);
        config["cniVersion"] = json!(version);
        config["prevResult"] = prev;
        let ended = machine.verb("ADD", "p", &config);
        ended.fine();
        assert_eq!(ended.json()["cniVersion"], version);
        machine.verb("DEL", "p", &config).fine();
        machine.assert_clean();
    }
}

#[test]
fn r15_a_device_that_is_taken() {
    let machine = Machine::new();
    let Some(pod) = machine.pod("p") else { return };
    let Some(_other) = machine.pod("q") else {
        return;
    };
    machine.verb_for("ADD", "c1", "p", &config(VF_ID)).fine();
    let ended = machine.verb_for("ADD", "c2", "q", &config(VF_ID));
    let text = "failed to get RDMA device for device ID 0000:01:10.2: no RDMA devices found";
    assert_eq!(ended.failure(), (102, text.to_owned()));
    assert!(ended.details().contains("container c1"), "{ended:?}");
    // The runtime clears up after the failure, and must not hit the one who has the device.
    machine.verb_for("DEL", "c2", "q", &config(VF_ID)).fine();
    machine.verb_for("DEL", "c2", "p", &config(VF_ID)).fine();
    assert_eq!(machine.netns_of(VF), pod.id);
    machine.verb_for("DEL", "c1", "p", &config(VF_ID)).fine();
    machine.assert_clean();
}

#[test]
fn a_second_add_without_del_is_refused() {
    let machine = Machine::new();
    let Some(pod) = machine.pod("p") else { return };
    machine.verb("ADD", "p", &config(VF_ID)).fine();
    for id in [VF_ID, OTHER_ID] {
        let ended = machine.verb("ADD", "p", &config(id));
        assert_eq!(ended.failure().0, 102);
        assert_eq!(machine.netns_of(VF), pod.id);
        assert_eq!(machine.records(), ["net-c1-net1"]);
    }
    machine.verb("DEL", "p", &config(VF_ID)).fine();
    machine.assert_clean();
}

#[test]
fn r19_r23_names_of_records() {
    let machine = Machine::new();
    let Some(_pod) = machine.pod("p") else { return };
    let long = "x".repeat(300);
    machine.verb_for("ADD", &long, "p", &config(SF_ID)).fine();
    let (mut one, mut two) = (config(VF_ID), config(OTHER_ID));
    one["name"] = json!("a-b");
    two["name"] = json!("a");
    machine.verb_for("ADD", "c", "p", &one).fine();
    machine.verb_for("ADD", "b-c", "p", &two).fine();
    assert_eq!(machine.records().len(), 3);
    machine.verb_for("DEL", "c", "p", &one).fine();
    machine.verb_for("DEL", "b-c", "p", &two).fine();
    machine.verb_for("DEL", &long, "p", &config(SF_ID)).fine();
    machine.assert_clean();
}

#[test]
fn check_sees_what_is_wrong() {
    let machine = Machine::new();
    let Some(pod) = machine.pod("p") else { return };
    let check = || machine.verb("CHECK", "p", &config(VF_ID));
    assert_eq!(check().failure().0, 105);
    machine.verb("ADD", "p", &config(VF_ID)).fine();
    machine.core.state().rename(VF, "renamed");
    check().fine();
    machine.core.state().rebind(VF, 9, "mlx5_0");
    let (code, msg) = check().failure();
    assert_eq!(code, 105);
    assert!(
        msg.contains("not in the container but on the host"),
        "{msg}"
    );
    drop(pod);
}

#[test]
fn gc_returns_what_is_not_listed() {
    let machine = Machine::new();
    let Some(pod) = machine.pod("p") else { return };
    machine.verb_for("ADD", "c1", "p", &config(VF_ID)).fine();
    machine.verb_for("ADD", "c2", "p", &config(OTHER_ID)).fine();
    let mut foreign = config(SF_ID);
    foreign["name"] = json!("net2");
    machine.verb_for("ADD", "c3", "p", &foreign).fine();
    let gc = |key: &str, list| {
        let config = json!({"name": "net", "cniVersion": "1.1.0", key: list});
        let env = [("CNI_COMMAND", "GC"), ("CNI_PATH", "/p")];
        machine.call(&env, &config.to_string())
    };
    assert_eq!(gc("other", json!([])).failure().0, 7);
    let valid = json!([{"containerID": "c2", "ifname": "net1"}]);
    gc("cni.dev/attachments", valid).fine();
    assert_eq!(machine.records(), ["net-c2-net1", "net2-c3-net1"]);
    assert_eq!(machine.netns_of(OTHER), pod.id);
    gc("cni.dev/valid-attachments", json!([])).fine();
    assert_eq!(machine.records(), ["net2-c3-net1"]);
    assert_eq!(machine.netns_of(SF), pod.id);
    machine.verb_for("DEL", "c3", "p", &foreign).fine();
    machine.assert_clean();
}
