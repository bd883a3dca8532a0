//! What ADD refuses before it changes anything; ids are those of the measured baseline.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::pod::{Ended, Machine, VF_ID, config};

fn add(machine: &Machine, config: &Value) -> Ended {
    let ended = machine.verb("ADD", "none", config);
    machine.assert_clean();
    ended
}

fn without(key: &str) -> Value {
    let mut config = config(VF_ID);
    config.as_object_mut().unwrap().remove(key);
    config
}

#[test]
fn r02_shared_mode() {
    let machine = Machine::new();
    machine.core.state().shared = true;
    let ended = add(&machine, &config(VF_ID));
    let text = "RDMA subsystem namespace awareness mode is set to shared, expecting it to be set to exclusive, invalid system configurations";
    assert_eq!(ended.failure(), (50, text.to_owned()));
    assert!(
        ended
            .details()
            .contains("rdmactl system set netns exclusive --persist")
    );
}

#[test]
fn no_rdma_in_the_kernel() {
    let machine = Machine::new();
    machine.core.state().absent = true;
    let (code, msg) = add(&machine, &config(VF_ID)).failure();
    assert_eq!(code, 50);
    assert!(msg.starts_with("failed to get RDMA subsystem namespace awareness mode. "));
}

#[test]
fn r04_devices_that_are_none() {
    let machine = Machine::new();
    symlink(
        "/proc/self/ns/net",
        machine.dir.path().join("run/netns/none"),
    )
    .unwrap();
    for device in [
        "../../etc",
        "0000:1:10.2",
        "../../pci/devices/0000:01:10.2",
        "mlx5_0",
    ] {
        let (code, msg) = add(&machine, &config(device)).failure();
        assert_eq!(code, 7, "{device}");
        assert!(msg.starts_with(&format!(
            "failed to get RDMA device for device ID {device}: "
        )));
    }
}

#[test]
fn r05c_no_device_and_not_one_interface() {
    let machine = Machine::new();
    let mut none = without("deviceID");
    none["prevResult"]["interfaces"] = json!([]);
    let text = "\"DeviceID\" network configuration attribute is required for rdma CNI";
    assert_eq!(add(&machine, &none).failure(), (7, text.to_owned()));
    none["prevResult"]["interfaces"] = json!([{"mac": "02:00:00:00:00:01"}, {}]);
    assert_eq!(add(&machine, &none).failure().1, text);
    for mac in [
        "00:00:00:00:00:00",
        "",
        "80:00:00:00:fe:80:00:00:00:00:00:00:00:11:22:33:44:55:66:77",
    ] {
        none["prevResult"]["interfaces"] = json!([{"mac": mac}]);
        let (code, msg) = add(&machine, &none).failure();
        assert_eq!(
            (code, msg),
            (
                101,
                format!(
                    "failed to derive PCI device ID from mac \"{mac}\". could not find VF PCI device according to administrative mac address set on PF"
                )
            )
        );
    }
}

#[test]
fn r06_no_previous_result() {
    let machine = Machine::new();
    let text = "RDMA-CNI is expected to be called as part of a plugin chain";
    assert_eq!(
        add(&machine, &without("prevResult")).failure(),
        (7, text.to_owned())
    );
    let mut null = config(VF_ID);
    null["prevResult"] = Value::Null;
    assert_eq!(add(&machine, &null).failure().1, text);
}

#[test]
fn r06c_another_family() {
    let machine = Machine::new();
    let mut old = config(VF_ID);
    old["prevResult"]["cniVersion"] = json!("0.4.0");
    let text = "could not parse prevResult: result type supports [1.0.0 1.1.0] but unmarshalled CNIVersion is \"0.4.0\"";
    assert_eq!(add(&machine, &old).failure(), (7, text.to_owned()));
}

#[test]
fn r07b_a_device_that_is_no_string() {
    let machine = Machine::new();
    let (code, msg) = add(&machine, &{
        let mut config = config(VF_ID);
        config["deviceID"] = json!(5);
        config
    })
    .failure();
    assert_eq!(code, 7);
    assert_eq!(msg, "failed to load netconf: \"deviceID\" must be a string");
}

#[test]
fn r10_r11_no_namespace() {
    let machine = Machine::new();
    let (code, msg) = add(&machine, &config(VF_ID)).failure();
    assert_eq!(code, 4);
    assert_eq!(
        msg,
        "CNI_NETNS: Cannot open network namespace \"/run/netns/none\": No such file or directory"
    );
    let path = machine.dir.path().join("run/netns/none");
    fs::write(&path, "").unwrap();
    assert!(
        add(&machine, &config(VF_ID))
            .failure()
            .1
            .contains("is not a network namespace")
    );
    fs::remove_file(&path).unwrap();
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(
        add(&machine, &config(VF_ID))
            .failure()
            .1
            .contains("is not a network namespace")
    );
}

#[test]
fn r11b_the_hosts_own_namespace() {
    let machine = Machine::new();
    symlink(
        "/proc/self/ns/net",
        machine.dir.path().join("run/netns/none"),
    )
    .unwrap();
    let text = "plugin's netns and netns from CNI_NETNS should not be the same";
    assert_eq!(
        add(&machine, &config(VF_ID)).failure(),
        (8, text.to_owned())
    );
    machine.verb("DEL", "none", &config(VF_ID)).fine();
}

#[test]
fn r34_cni_args() {
    let machine = Machine::new();
    let call = |args| {
        let env = [
            ("CNI_COMMAND", "ADD"),
            ("CNI_CONTAINERID", "c1"),
            ("CNI_NETNS", "/run/netns/none"),
            ("CNI_IFNAME", "net1"),
            ("CNI_PATH", "/p"),
            ("CNI_ARGS", args),
        ];
        machine.call(&env, &config(VF_ID).to_string()).failure()
    };
    assert_eq!(call("foo"), (4, "ARGS: invalid pair \"foo\"".to_owned()));
    assert_eq!(call("K=V"), (4, "ARGS: unknown args [\"K=V\"]".to_owned()));
    assert!(
        call("IgnoreUnknown=1;Debug=true")
            .1
            .starts_with("CNI_NETNS: ")
    );
}

#[test]
fn status_says_what_add_would() {
    let machine = Machine::new();
    let status = || {
        let env = [("CNI_COMMAND", "STATUS"), ("CNI_PATH", "/p")];
        machine.call(&env, r#"{"name":"net","cniVersion":"1.1.0"}"#)
    };
    status().fine();
    assert_eq!(status().out, "");
    assert_eq!(machine.records(), Vec::<String>::new());
    machine.core.state().shared = true;
    assert_eq!(status().failure().0, 50);
    machine.core.state().shared = false;
    let folder = machine.dir.path().join("var/lib/cni/rdma");
    fs::remove_dir(&folder).unwrap();
    fs::write(&folder, "a file").unwrap();
    let ended = status();
    assert_eq!(ended.failure().0, 50);
}
