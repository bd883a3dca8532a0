//! The document that offers RDMA devices to containers, and character devices that are not those in it any more.

use serde_json::Value;

use super::cni_call::at_home;
use super::ib_sriov::ANEW;
use super::oci_hook::{container, create, hook, poststop, state};
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::pci;

pub(crate) fn cases() -> Vec<Case> {
    let exclusive = |name, run| case(name, run).exclusive().limit(120);
    vec![
        exclusive("cdi_document", cdi_document).may_change(&["folder /"]),
        exclusive("nodes_that_changed", nodes_that_changed)
            .adapter("mode=ib vf_guids=1")
            .may_change(ANEW),
    ]
}

/// Without its driver VF 0 gives up its number, which VF 1 takes when it moves.
fn nodes_that_changed(lab: &Lab) {
    let (vfs, name) = ([lab.vf(0), lab.vf(1)], lab.vf_rdma(1));
    let before = pci::names("/dev/infiniband");
    let web = container(lab);
    let verb = |verb: &str, index: usize| drop(lab.rdmactl(&["vf", verb, &vfs[index]]).ok());
    let lower = || {
        for word in ["unbind", "bind"] {
            verb(word, 0);
            verb(word, 1);
        }
        verb("unbind", 0);
    };
    let node = || {
        let offer = cdi(lab, &["--device", &name]);
        offer["devices"][0]["containerEdits"]["hooks"][0]["args"].clone()
    };
    let call = |args: &Value| {
        let words = args.as_array().cloned().unwrap_or_default();
        let words: Vec<&str> = words.iter().skip(2).filter_map(Value::as_str).collect();
        let input = state("web", "creating", web.pid(), None).to_string();
        hook(&words, &input)
    };
    let args = node();
    assert!(args.to_string().contains("--node"), "{args}");
    call(&args).ok().silent();
    poststop("web").ok();

    lower();
    let args = node();
    call(&args)
        .fails(1)
        .stderr_has("the container was given")
        .stderr_has("fix: rdmactl cdi generate");
    at_home(&vfs[1], &name);
    // Now it has the number that it keeps; the document of before is refused before anything moves.
    call(&args).fails(1).stderr_has("the container was given");
    call(&node()).ok().silent();
    poststop("web").ok();
    verb("bind", 0);

    lower();
    create("web", web.pid(), &name)
        .ok()
        .stderr_has("has those of another device");
    poststop("web").ok();
    verb("bind", 0);
    at_home(&vfs[1], &name);
    assert_eq!(pci::names("/dev/infiniband"), before);
}

fn cdi(lab: &Lab, words: &[&str]) -> Value {
    let words = [&["cdi", "generate", "--output", "-"], words].concat();
    lab.rdmactl(&words).ok().json()
}

fn named(document: &Value) -> Vec<String> {
    let devices = document["devices"].as_array().cloned().unwrap_or_default();
    let name = |device: &Value| device["name"].as_str().unwrap_or_default().to_owned();
    devices.iter().map(name).collect()
}

fn cdi_document(lab: &Lab) {
    let (vfs, names) = ([lab.vf(0), lab.vf(1)], [lab.vf_rdma(0), lab.vf_rdma(1)]);
    let document = cdi(lab, &[]);
    // The PF manages VFs, and is offered only when it is named.
    assert_eq!(named(&document), names);
    assert_eq!(named(&cdi(lab, &["--by-address"])), vfs);
    let pf = pci::rdma(&lab.pf()).unwrap();
    assert_eq!(named(&cdi(lab, &["--device", &pf])), [pf]);
    for device in document["devices"].as_array().unwrap() {
        let nodes = device["containerEdits"]["deviceNodes"].as_array().unwrap();
        assert!(!nodes.is_empty(), "{device}");
        for node in nodes {
            let path = node["path"].as_str().unwrap();
            assert!(path.starts_with("/dev/infiniband/"), "{path}");
            assert!(std::path::Path::new(path).exists(), "{path}");
        }
    }
    // What is lent stays in it, byte for byte.
    let web = container(lab);
    create("web", web.pid(), &names[0]).ok();
    assert_eq!(cdi(lab, &[]), document);
    poststop("web").ok();

    let folder = "/run/lab/cdi/deep";
    let file = format!("{folder}/rdmactl.io-rdma.json");
    let generate = ["cdi", "generate", "--output", folder];
    lab.rdmactl(&[&generate[..], &["--dry-run"]].concat())
        .ok()
        .stdout_has("would write 2 devices");
    assert!(!std::path::Path::new(folder).exists());
    lab.rdmactl(&generate).ok().stdout_has("devices 2 written");
    lab.rdmactl(&generate)
        .ok()
        .stdout_has("devices 2 unchanged");
    lab.rdmactl(&[&generate[..], &["--dry-run"]].concat())
        .ok()
        .silent();
    let written: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(written, document);
    std::fs::write(&file, "{").unwrap();
    lab.rdmactl(&generate).ok().stdout_has("written");
    assert_eq!(pci::names(folder), ["rdmactl.io-rdma.json"]);
    std::fs::remove_dir_all("/run/lab/cdi").unwrap();

    lab.rdmactl(&["cdi", "generate", "--device", "mlx5_77"])
        .fails(1)
        .stderr_has("there is no RDMA device mlx5_77");
    lab.rdmactl(&["cdi", "generate", "--program", "rdmactl"])
        .fails(2);
    lab.rdmactl(&["cdi", "generate", "--output", "/dev/null"])
        .fails(1);
}
