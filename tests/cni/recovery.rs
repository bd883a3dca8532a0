//! What goes wrong on the way, and the DEL that puts it right.

use std::fs;

use serde_json::json;

use crate::pod::{Machine, OTHER, OTHER_ID, VF, VF_ID, config};

const GO: &str = r#"{"version":"1.0","deviceID":"0000:01:10.2","sandboxRdmaDevName":"mlx5_0","containerRdmaDevName":"mlx5_0"}"#;

#[test]
fn r12_the_namespace_is_gone() {
    for netns in ["p", ""] {
        let machine = Machine::new();
        let Some(pod) = machine.pod("p") else { return };
        machine.verb("ADD", "p", &config(VF_ID)).fine();
        machine.end("p", pod);
        machine.verb("DEL", netns, &config(VF_ID)).fine();
        machine.assert_clean();
    }
}

#[test]
fn r12c_a_process_keeps_the_namespace() {
    for netns in ["p", ""] {
        let machine = Machine::new();
        let Some(pod) = machine.pod("p") else { return };
        machine.verb("ADD", "p", &config(VF_ID)).fine();
        let mut child = pod.spawn("sleep");
        fs::remove_file(machine.dir.path().join("run/netns/p")).unwrap();
        let del = machine.verb("DEL", netns, &config(VF_ID));
        child.kill().unwrap();
        child.wait().unwrap();
        del.fine();
        machine.assert_clean();
    }
}

#[test]
fn r17_killed_before_any_message_of_add() {
    for step in 0..12 {
        let machine = Machine::new();
        let Some(_pod) = machine.pod("p") else { return };
        machine.core.state().die_at = Some(step);
        let ended = machine.verb("ADD", "p", &config(VF_ID));
        machine.core.state().die_at = None;
        if ended.status == 0 {
            assert!(step >= 5, "ADD sends more than {step} messages");
            return;
        }
        assert_eq!(
            ended.failure(),
            (999, "internal error: killed here".to_owned())
        );
        machine.verb("DEL", "p", &config(VF_ID)).fine();
        machine.assert_clean();
        // And once more with a second ADD in the place of DEL.
        machine.core.state().die_at = Some(step);
        machine.verb("ADD", "p", &config(VF_ID));
        machine.core.state().die_at = None;
        machine.verb("ADD", "p", &config(VF_ID)).fine();
        assert_eq!(machine.record("net-c1-net1")["phase"], "done");
        assert_eq!(
            machine.record("net-c1-net1")["sandboxRdmaDevName"],
            "mlx5_0"
        );
        machine.verb("DEL", "p", &config(VF_ID)).fine();
        machine.assert_clean();
    }
    panic!("ADD never came to its end");
}

#[test]
fn r17b_killed_before_any_message_of_del() {
    for step in 0..12 {
        let machine = Machine::new();
        let Some(_pod) = machine.pod("p") else { return };
        machine.verb("ADD", "p", &config(VF_ID)).fine();
        machine.core.state().rename(VF, "inside");
        machine.core.state().die_at = Some(step);
        let ended = machine.verb("DEL", "p", &config(VF_ID));
        machine.core.state().die_at = None;
        if ended.status == 0 {
            assert!(step > 3);
            return;
        }
        machine.verb("DEL", "p", &config(VF_ID)).fine();
        machine.assert_clean();
    }
    panic!("DEL never came to its end");
}

#[test]
fn r18_broken_records_of_a_device_at_home() {
    for content in ["", "{", "garbage", "{}", "\u{0}", r#"{"deviceID":7}"#] {
        let machine = Machine::new();
        let Some(_pod) = machine.pod("p") else { return };
        machine.write_record("net-c1-net1", content);
        machine.verb("DEL", "p", &config(VF_ID)).fine();
        machine.assert_clean();
        machine.write_record("net-c1-net1", content);
        machine.verb("ADD", "p", &config(VF_ID)).fine();
        machine.verb("DEL", "p", &config(VF_ID)).fine();
        machine.assert_clean();
    }
}

#[test]
fn r21_the_folder_cannot_be_written() {
    let machine = Machine::new();
    let Some(_pod) = machine.pod("p") else { return };
    let lib = machine.dir.path().join("var/lib/cni");
    fs::create_dir_all(&lib).unwrap();
    fs::write(lib.join("rdma"), "a file").unwrap();
    let ended = machine.verb("ADD", "p", &config(VF_ID));
    assert_eq!(ended.failure().0, 5);
    let state = machine.core.state();
    assert_eq!(state.on(VF).netns, state.home);
}

#[test]
fn a_refused_move_leaves_nothing() {
    for (errno, code) in [(1, 106), (22, 103), (95, 103)] {
        let machine = Machine::new();
        let Some(_pod) = machine.pod("p") else { return };
        machine.core.state().refuse = [errno].into();
        let (got, msg) = machine.verb("ADD", "p", &config(VF_ID)).failure();
        assert_eq!(got, code, "{msg}");
        assert!(msg.starts_with("failed to move RDMA device mlx5_0 to namespace. "));
        machine.assert_clean();
    }
}

#[test]
fn a_refused_return_is_tried_again() {
    let machine = Machine::new();
    let Some(pod) = machine.pod("p") else { return };
    machine.verb("ADD", "p", &config(VF_ID)).fine();
    machine.core.state().refuse = [1].into();
    let (code, msg) = machine.verb("DEL", "p", &config(VF_ID)).failure();
    assert_eq!(code, 106);
    assert!(msg.starts_with("failed to restore RDMA device mlx5_0 to default namespace. "));
    assert_eq!(machine.netns_of(VF), pod.id);
    assert_eq!(machine.records().len(), 1);
    machine.verb("DEL", "p", &config(VF_ID)).fine();
    machine.assert_clean();
}

#[test]
fn r25_renamed_in_the_container() {
    for end in [false, true] {
        let machine = Machine::new();
        let Some(pod) = machine.pod("p") else { return };
        machine.verb("ADD", "p", &config(VF_ID)).fine();
        machine.core.state().rename(VF, "foo0");
        if end {
            machine.end("p", pod);
            machine.verb("DEL", "p", &config(VF_ID)).fine();
        } else {
            machine.verb("DEL", "p", &config(VF_ID)).fine();
        }
        machine.assert_clean();
    }
}

#[test]
fn names_per_namespace() {
    let machine = Machine::new();
    machine.core.state().names_per_netns = true;
    let Some(pod) = machine.pod("p") else { return };
    machine.verb("ADD", "p", &config(VF_ID)).fine();
    // Somebody takes its name at home meanwhile: it comes back under another, and says so.
    machine.core.state().rename(OTHER, "mlx5_0");
    let del = machine.verb("DEL", "p", &config(VF_ID));
    del.fine();
    assert!(del.err.contains("is now called rdma0"), "{}", del.err);
    let home = machine.core.state().home;
    assert_eq!(machine.netns_of(VF), home);
    // The name is free again, the next round restores what it finds.
    machine.core.state().rename(OTHER, "mlx5_1");
    machine.core.state().rename(VF, "mlx5_0");
    machine.verb("ADD", "p", &config(VF_ID)).fine();
    machine.core.state().rename(OTHER, "mlx5_0");
    machine.end("p", pod);
    assert!(machine.core.state().on(VF).name.starts_with("ibdev"));
    machine.core.state().rename(OTHER, "mlx5_1");
    machine.verb("DEL", "", &config(VF_ID)).fine();
    machine.assert_clean();
}

#[test]
fn r27_rebound_or_destroyed() {
    let machine = Machine::new();
    let Some(_pod) = machine.pod("p") else { return };
    machine.verb("ADD", "p", &config(VF_ID)).fine();
    machine.core.state().rebind(VF, 9, "mlx5_0");
    machine.verb("DEL", "p", &config(VF_ID)).fine();
    machine.assert_clean();
    machine.verb("ADD", "p", &config(VF_ID)).fine();
    machine.core.state().devices.retain(|dev| dev.folder != VF);
    fs::remove_dir_all(machine.dir.path().join("sys/bus").join(VF)).unwrap();
    let del = machine.verb("DEL", "p", &config(VF_ID));
    del.fine();
    assert!(del.err.contains("nowhere to be found"), "{}", del.err);
    assert!(machine.records().is_empty());
}

#[test]
fn after_a_reboot_numbers_mean_nothing() {
    let machine = Machine::new();
    let Some(pod) = machine.pod("p") else { return };
    machine.verb("ADD", "p", &config(VF_ID)).fine();
    let mut record = machine.record("net-c1-net1");
    record["bootID"] = json!("another");
    machine.end("p", pod);
    machine.write_record("net-c1-net1", &record.to_string());
    machine.core.state().rename(VF, "persistent");
    machine.verb("DEL", "p", &config(VF_ID)).fine();
    assert_eq!(machine.core.state().on(VF).name, "persistent");
    assert!(machine.records().is_empty());
}

#[test]
fn records_of_the_go_plugin_are_ended() {
    let machine = Machine::new();
    let Some(pod) = machine.pod("p") else { return };
    machine.verb("ADD", "p", &config(VF_ID)).fine();
    machine.write_record("net-c1-net1", GO);
    machine.end("p", pod);
    machine.verb("DEL", "", &config(VF_ID)).fine();
    machine.assert_clean();
}

#[test]
fn a_late_del_does_not_touch_the_next_owner() {
    let machine = Machine::new();
    let Some(first) = machine.pod("p") else {
        return;
    };
    machine.verb_for("ADD", "c1", "p", &config(VF_ID)).fine();
    let record = machine.record("net-c1-net1");
    machine.end("p", first);
    let Some(second) = machine.pod("p") else {
        return;
    };
    machine.verb_for("ADD", "c2", "p", &config(VF_ID)).fine();
    assert_eq!(machine.records(), ["net-c2-net1"], "the void record went");
    machine.verb_for("DEL", "c1", "p", &config(VF_ID)).fine();
    // Even with a record that came back from nowhere, and a namespace number that did too.
    let mut stale = record;
    stale["netnsInode"] = json!(second.id);
    machine.write_record("net-c1-net1", &stale.to_string());
    machine.verb_for("DEL", "c1", "", &config(VF_ID)).fine();
    assert_eq!(machine.netns_of(VF), second.id);
    machine.verb_for("DEL", "c2", "p", &config(VF_ID)).fine();
    machine.assert_clean();
}

#[test]
fn a_name_from_a_lost_container_is_restored_by_the_next_add() {
    let machine = Machine::new();
    let Some(pod) = machine.pod("p") else { return };
    machine.verb_for("ADD", "c1", "p", &config(VF_ID)).fine();
    machine.core.state().rename(VF, "foo0");
    machine.end("p", pod);
    let Some(_pod) = machine.pod("q") else { return };
    machine.verb_for("ADD", "c2", "q", &config(VF_ID)).fine();
    assert_eq!(
        machine.record("net-c2-net1")["sandboxRdmaDevName"],
        "mlx5_0"
    );
    machine.verb_for("DEL", "c2", "q", &config(VF_ID)).fine();
    machine.assert_clean();
}

#[test]
fn r16_parallel_adds_of_one_device() {
    let machine = Machine::new();
    let (Some(_p), Some(_q)) = (machine.pod("p"), machine.pod("q")) else {
        return;
    };
    let ends: Vec<_> = std::thread::scope(|scope| {
        let calls = [("c1", "p"), ("c2", "q")].map(|(container, name)| {
            let machine = &machine;
            scope.spawn(move || machine.verb_for("ADD", container, name, &config(VF_ID)))
        });
        calls.map(|call| call.join().unwrap()).into()
    });
    assert_eq!(
        ends.iter().filter(|end| end.status == 0).count(),
        1,
        "{ends:?}"
    );
    let loser = ends.iter().find(|end| end.status != 0).unwrap();
    assert_eq!(loser.failure().0, 102);
    for (container, name) in [("c1", "p"), ("c2", "q")] {
        machine
            .verb_for("DEL", container, name, &config(OTHER_ID))
            .fine();
    }
    machine.assert_clean();
}

#[test]
fn no_rdma_any_more() {
    let machine = Machine::new();
    machine.write_record("net-c1-net1", GO);
    machine.core.state().absent = true;
    machine.verb("DEL", "", &config(VF_ID)).fine();
    assert!(machine.records().is_empty());
}
