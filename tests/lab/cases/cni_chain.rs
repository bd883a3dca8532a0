//! Both plugins in lists, called in the order of libcni: ADD, CHECK, GC, DEL from the last to the first.

use serde_json::{Value, json};

use super::cni_call::*;
use super::ib_sriov::{self, as_it_is, is_as_it_was, with_ipam};
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::output::Output;
use crate::pci;

pub(crate) fn cases() -> Vec<Case> {
    let exclusive = |name, run| {
        case(name, run)
            .exclusive()
            .ethernet()
            .may_change(&["folder /"])
    };
    vec![
        exclusive("behind_host_device", behind_host_device),
        exclusive("failing_behind_host_device", failing_behind_host_device),
        exclusive("rdma_behind_ib_sriov", rdma_behind_ib_sriov),
        exclusive("tuning_behind_ib_sriov", tuning_behind_ib_sriov)
            .adapter("mode=ib")
            .may_change(&["folder /", ", index"]),
    ]
}

const POD: &str = "/run/netns/pod";

/// What a runtime writes to the stdin of one plugin of a list.
fn part(lab: &Lab, plugin: &str, prev: Option<&Value>) -> Value {
    let mut conf = match plugin {
        "host-device" => json!({
            "type": "host-device", "device": lab.sh("cat /run/lab/netdev").ok().stdout.trim(),
            "ipam": {"type": "host-local", "subnet": "10.9.0.0/24", "dataDir": "/var/lib/cni/networks"},
        }),
        _ => json!({"type": "rdma"}),
    };
    conf["cniVersion"] = json!("1.0.0");
    conf["name"] = json!("chain");
    // Multus puts both into every plugin of the list.
    conf["deviceID"] = json!(lab.vf(0));
    if plugin == "rdma" {
        conf["pciBusID"] = json!(lab.vf(0));
    } else {
        conf = without("deviceID", conf);
    }
    if let Some(prev) = prev {
        conf["prevResult"] = prev.clone();
    }
    conf
}

fn run(lab: &Lab, plugin: &str, verb: &str, prev: Option<&Value>) -> Output {
    lab.cni(
        plugin,
        verb,
        &[("CNI_NETNS", POD)],
        &part(lab, plugin, prev).to_string(),
    )
}

fn behind_host_device(lab: &Lab) {
    let (vf, name, netdev) = (lab.vf(0), lab.vf_rdma(0), lab.vf_netdev(0));
    lab.sh(&format!("echo {netdev} > /run/lab/netdev")).ok();
    let _pod = lab.netns("pod");
    for _ in 0..2 {
        let first = run(lab, "host-device", "ADD", None).ok().json();
        let second = run(lab, "rdma", "ADD", Some(&first)).ok().json();
        assert_eq!(first, second);
        assert_eq!(inside(lab, "pod"), [name.as_str()]);
        lab.in_netns("pod", &["ip", "address", "show", "eth0"])
            .ok()
            .stdout_has("inet 10.9.0.");

        run(lab, "host-device", "CHECK", Some(&second)).ok();
        run(lab, "rdma", "CHECK", Some(&second)).ok();

        run(lab, "rdma", "DEL", Some(&second)).ok();
        run(lab, "host-device", "DEL", Some(&second)).ok();
        at_home(&vf, &name);
        assert_eq!(pci::netdev(&vf).as_ref(), Some(&netdev));
    }
    lab.sh("rm -r /var/lib/cni/networks /run/lab/netdev").ok();
}

fn failing_behind_host_device(lab: &Lab) {
    let (vf, name, netdev) = (lab.vf(0), lab.vf_rdma(0), lab.vf_netdev(0));
    lab.sh(&format!("echo {netdev} > /run/lab/netdev")).ok();
    let _pod = lab.netns("pod");
    let first = run(lab, "host-device", "ADD", None).ok().json();
    lab.inject("fail_move", "0,5,1");
    failure(run(lab, "rdma", "ADD", Some(&first)));
    lab.inject("fail_move", "off");
    // The runtime undoes the whole list after a failure.
    run(lab, "rdma", "DEL", Some(&first)).ok();
    run(lab, "host-device", "DEL", Some(&first)).ok();
    at_home(&vf, &name);
    assert_eq!(pci::netdev(&vf).as_ref(), Some(&netdev));
    lab.sh("rm -r /var/lib/cni/networks /run/lab/netdev").ok();
}

/// A list of plugins, and the calls that libcni makes for it.
struct List<'a> {
    lab: &'a Lab,
    version: &'static str,
    plugins: Vec<Value>,
}

impl List<'_> {
    /// Each plugin has its configuration with the list's name and version, and what came before.
    fn call(&self, plugin: &Value, verb: &str, more: &[(&str, &Value)]) -> Output {
        let mut conf = plugin.clone();
        conf["name"] = json!("chain");
        conf["cniVersion"] = json!(self.version);
        for (key, value) in more {
            conf[*key] = (*value).clone();
        }
        let kind = plugin["type"].as_str().unwrap();
        self.lab
            .cni(kind, verb, &[("CNI_NETNS", POD)], &conf.to_string())
    }

    /// The result of one is the next one's prevResult; the last one's is the list's.
    fn add(&self) -> Value {
        let mut prev: Option<Value> = None;
        for plugin in &self.plugins {
            let more: Vec<_> = prev.iter().map(|prev| ("prevResult", prev)).collect();
            prev = Some(self.call(plugin, "ADD", &more).ok().json());
        }
        prev.unwrap()
    }

    /// Everyone has the list's result, not that of the one before it.
    fn check(&self, result: &Value) {
        for plugin in &self.plugins {
            let checked = self.call(plugin, "CHECK", &[("prevResult", result)]);
            checked.ok().stdout_is("");
        }
    }

    /// libcni sends its list of attachments under two keys.
    fn gc(&self, valid: &Value) {
        for plugin in &self.plugins {
            let keys = [
                ("cni.dev/valid-attachments", valid),
                ("cni.dev/attachments", valid),
            ];
            self.call(plugin, "GC", &keys).ok().stdout_is("");
        }
    }

    fn del(&self, result: &Value) {
        for plugin in self.plugins.iter().rev() {
            let ended = self.call(plugin, "DEL", &[("prevResult", result)]);
            ended.ok().stdout_is("");
        }
    }
}

/// On Ethernet the interface stays when its RDMA device goes.
fn rdma_behind_ib_sriov(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let before = as_it_is(lab, 0);
    let _pod = lab.netns("pod");
    let list = List {
        lab,
        version: "1.1.0",
        plugins: vec![
            json!({"type": "ib-sriov", "deviceID": vf, "guidPolicy": "keep"}),
            json!({"type": "rdma", "deviceID": vf}),
        ],
    };
    let ours = json!([{"containerID": "lab-container", "ifname": "eth0"}]);
    for _ in 0..2 {
        let result = list.add();
        assert_eq!(result["interfaces"][0]["pciID"], vf, "{result}");
        assert_eq!(inside(lab, "pod"), [name.as_str()]);
        list.check(&result);
        list.gc(&ours);
        list.check(&result);
        list.del(&result);
        is_as_it_was(lab, 0, &before);
        at_home(&vf, &name);
        list.del(&result);
    }
    // Nobody calls DEL: the next GC does it all.
    let result = list.add();
    list.gc(&json!([]));
    is_as_it_was(lab, 0, &before);
    at_home(&vf, &name);
    list.del(&result);
}

fn tuning_behind_ib_sriov(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let _pod = lab.netns("pod");
    let mut first = with_ipam(ib_sriov::config(&lab.vf(0)));
    first.as_object_mut().unwrap().remove("name");
    let list = List {
        lab,
        version: "1.0.0",
        plugins: vec![
            first,
            json!({"type": "tuning", "sysctl": {"net.ipv4.conf.eth0.arp_filter": "1"}}),
        ],
    };
    for _ in 0..2 {
        let result = list.add();
        assert_eq!(result["ips"].as_array().map(Vec::len), Some(2), "{result}");
        list.check(&result);
        list.del(&result);
        is_as_it_was(lab, 0, &before);
        list.del(&result);
    }
    // The second fails: the runtime calls DEL for all of them, without any result.
    let broken = List {
        plugins: vec![
            list.plugins[0].clone(),
            json!({"type": "tuning", "sysctl": {"net.ipv4.conf.eth0.none": "1"}}),
        ],
        ..list
    };
    let first = broken.call(&broken.plugins[0], "ADD", &[]).ok().json();
    let refused = broken.call(&broken.plugins[1], "ADD", &[("prevResult", &first)]);
    assert!(refused.status != 0, "{refused}");
    for plugin in broken.plugins.iter().rev() {
        broken.call(plugin, "DEL", &[]).ok();
    }
    is_as_it_was(lab, 0, &before);
    lab.exec("rm -r /run/lab/ipam").ok();
    lab.sh("rm -rf /run/cni/tuning").ok();
}
