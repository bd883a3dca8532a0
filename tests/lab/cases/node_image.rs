//! The node image, built and run in the guest by podman and runc as each DaemonSet has it, on an adapter.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use super::provision::with;
use super::runtime_node::with_runtimes;
use crate::case::Case;
use crate::handle::{FACES, Lab};
use crate::output::Output;
use crate::pci;
use crate::running::Running;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        with_runtimes("daemon_sets_do_what_they_are_for", daemon_sets)
            .adapter("mode=ib")
            .vfs(0)
            .may_change(&["folder /", "file /run/rdmactl/"]),
    ]
}

/// The DaemonSets as kustomize renders them; `shipping::manifests` holds that this is so.
const RENDERED: &str = include_str!("../../fixtures/daemon-sets.json");

const TREE: &str = "/run/lab/tree";
const FOLDER: &str = "/opt/cni/bin";
/// What a node has and this guest has not: a kubelet's folder.
const KUBELET: &str = "/var/lib/kubelet";

/// The storage of `runtimes::podman` is elsewhere, and what it holds is none of a container's.
const STORAGE: &str = "[storage]
driver = \"vfs\"
graphroot = \"/run/lab/image/graph\"
runroot = \"/run/lab/image/run\"
";

fn podman(lab: &Lab, line: &str) -> Output {
    lab.sh(&format!(
        "export CONTAINERS_CONF=/run/lab/image/containers.conf CONTAINERS_STORAGE_CONF=/run/lab/image/storage.conf; {line}"
    ))
}

/// By the script that people call, on a machine without a network.
fn build(lab: &Lab) {
    let files = [
        (
            "deployment/build",
            include_str!("../../../deployment/build"),
        ),
        (
            "deployment/Containerfile",
            include_str!("../../../deployment/Containerfile"),
        ),
        ("LICENSE", include_str!("../../../LICENSE")),
    ];
    fs::create_dir_all("/run/lab/image").unwrap();
    fs::create_dir_all(format!("{TREE}/deployment")).unwrap();
    // podman looks for it, whether it is to be used or not.
    fs::create_dir_all(FOLDER).unwrap();
    for (name, text) in files {
        fs::write(format!("{TREE}/{name}"), text).unwrap();
    }
    let script = format!("{TREE}/deployment/build");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let config =
        include_str!("../runtimes/containers.conf").replace("\"none\"\n\n", "\"k8s-file\"\n\n");
    fs::write("/run/lab/image/containers.conf", config).unwrap();
    fs::write("/run/lab/image/storage.conf", STORAGE).unwrap();
    lab.exec(&format!("strip -o {TREE}/rdmactl {FACES}/rdmactl"))
        .ok();
    podman(lab, &format!("{script} --binary {TREE}/rdmactl -- --quiet")).ok();
}

/// What a kubelet would ask of a runtime for a container of that pod; `document`: where its ConfigMap is.
fn arguments(pod: &Value, container: &Value, document: &str) -> String {
    let security = &container["securityContext"];
    let mut words = vec![format!(
        "--user {}:{}",
        security["runAsUser"], security["runAsGroup"]
    )];
    assert_eq!(security["privileged"], false);
    let network = if pod["hostNetwork"] == true {
        "host"
    } else {
        "none"
    };
    words.push(format!("--network {network}"));
    if pod["hostPID"] == true {
        words.push("--pid host".to_owned());
    }
    if security["readOnlyRootFilesystem"] == true {
        words.push("--read-only --read-only-tmpfs=false".to_owned());
    }
    if security["allowPrivilegeEscalation"] == false {
        words.push("--security-opt no-new-privileges".to_owned());
    }
    for (key, option) in [("drop", "--cap-drop"), ("add", "--cap-add")] {
        for name in strings(&security["capabilities"][key]) {
            words.push(format!("{option} {name}"));
        }
    }
    for mount in container["volumeMounts"].as_array().unwrap() {
        let volumes = pod["volumes"].as_array().unwrap();
        let volume = volumes.iter().find(|each| each["name"] == mount["name"]);
        let host = &volume.unwrap()["hostPath"];
        let path = host["path"].as_str().unwrap_or(document);
        match host["type"].as_str() {
            Some("DirectoryOrCreate") => fs::create_dir_all(path).unwrap(),
            _ => assert!(Path::new(path).is_dir(), "{path}"),
        }
        let mode = if mount["readOnly"] == true { ":ro" } else { "" };
        words.push(format!(
            "-v {path}:{}{mode}",
            mount["mountPath"].as_str().unwrap()
        ));
    }
    if let Some(program) = strings(&container["command"]).first() {
        words.push(format!("--entrypoint {program}"));
    }
    words.push(container["image"].as_str().unwrap().to_owned());
    words.extend(strings(&container["args"]));
    words.join(" ")
}

fn strings(list: &Value) -> Vec<String> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The pod of the DaemonSet of this name.
fn pod(name: &str) -> Value {
    let sets: Value = serde_json::from_str(RENDERED).unwrap();
    let sets = sets.as_array().unwrap();
    let set = sets.iter().find(|set| set["metadata"]["name"] == name);
    set.unwrap()["spec"]["template"]["spec"].clone()
}

fn daemon_sets(lab: &Lab) {
    let kubelet = Path::new(KUBELET).exists();
    build(lab);
    plugins(lab);
    provisioned(lab);
    podman(lab, "podman rm -f -t 0 --all").ok();
    lab.exec(&format!("rm -rf /run/lab/image {TREE} /opt/cni"))
        .ok();
    if !kubelet {
        lab.exec(&format!("rm -r {KUBELET}")).ok();
    }
}

/// Over a plugin that is running, until SIGTERM, with the arguments of either image's users, and away again.
fn plugins(lab: &Lab) {
    let _ = fs::remove_dir_all(FOLDER);
    fs::create_dir_all(FOLDER).unwrap();
    fs::copy("/usr/bin/sleep", format!("{FOLDER}/rdma")).unwrap();
    let busy = Running::new(&[&format!("{FOLDER}/rdma"), "1000"]);
    let pod = pod("rdmactl-cni");
    let asked = arguments(&pod, &pod["containers"][0], "");
    podman(lab, &format!("podman run -d --name cni {asked}")).ok();
    let said = || podman(lab, "podman logs cni").ok().stdout;
    crate::adapter::until("both plugins are there", || said().lines().count() == 2)
        .unwrap_or_else(|error| panic!("{error}: {}", said()));
    assert_eq!(
        said(),
        "rdma: replaced what was no build of rdmactl in /host/opt/cni/bin/rdma \n\
         ib-sriov: installed in /host/opt/cni/bin/ib-sriov \n"
    );
    for name in ["rdma", "ib-sriov"] {
        lab.sh(&format!("CNI_COMMAND=VERSION {FOLDER}/{name}"))
            .ok()
            .stdout_has("\"supportedVersions\"");
    }
    let exe = fs::read_link(format!("/proc/{}/exe", busy.pid())).unwrap();
    assert_eq!(exe.to_str(), Some("/opt/cni/bin/rdma (deleted)"));
    drop(busy);
    let grace = &pod["terminationGracePeriodSeconds"];
    podman(lab, &format!("podman stop -t {grace} cni")).ok();
    // Not 137: it ended when it was told.
    podman(lab, "podman inspect --format {{.State.ExitCode}} cni")
        .ok()
        .stdout_is("0\n");
    assert_eq!(pci::names(FOLDER), ["ib-sriov", "rdma"]);

    // The options of both images, with one dash and two, as people have them.
    let options = "--cni-bin-dir=/host/opt/cni/bin --rdma-cni-bin-file=/usr/bin/rdma \
                   -ib-sriov-cni-bin-file /usr/bin/ib-sriov -no-sleep";
    for (words, says) in [(options, "is already in"), ("--uninstall", "removed from")] {
        let said = podman(lab, &format!("podman run --rm {asked} {words}")).ok();
        assert_eq!(said.stdout.matches(says).count(), 2, "{said}");
    }
    assert_eq!(pci::names(FOLDER), [""; 0]);
}

/// VFs, with addresses that follow from the PF, by what that pod may do; and again, when there is nothing to do.
fn provisioned(lab: &Lab) {
    let pf = lab.pf();
    let text = format!("version = 1\n[[pf]]\nmatch = {{ pci = \"{pf}\" }}\nnum_vfs = 3\n");
    // The kubelet's folder of a ConfigMap.
    let document = "/run/lab/image/document";
    fs::create_dir_all(document).unwrap();
    fs::write(format!("{document}/provision.toml"), &text).unwrap();
    fs::create_dir_all(format!("{KUBELET}/device-plugins")).unwrap();
    let pod = pod("rdmactl-provision");
    let asked = arguments(&pod, &pod["initContainers"][0], document);
    let apply = || podman(lab, &format!("podman run --rm {asked}"));
    let first = apply().ok().stdout;
    assert!(first.contains("create"), "{first}");
    for index in 0..3 {
        assert!(pci::rdma(&lab.vf(index)).is_some());
    }
    with(lab, "plan", &text).ok().stdout_is("");
    let table = with(lab, "-j addresses", &text).ok().json();
    for index in 0..3 {
        let place = format!("{pf}/{index}");
        let shown = lab.rdmactl(&["-j", "vf", "show", &place]).ok().json();
        assert_eq!(shown[0]["node_guid"], table[index]["node_guid"], "{shown}");
        assert!(shown[0]["node_guid"].is_string(), "{shown}");
    }
    apply().ok().silent();

    // It sees who uses a VF on the host, which it could not without the host's processes: another document is refused.
    let user = lab.spawn_in_new_netns(&["sleep", "1000"]);
    let vf = lab.vf_rdma(2);
    let into = user.pid().to_string();
    lab.rdmactl(&["dev", "set", &vf, "netns", &into]).ok();
    let fewer = text
        .replace("= 3", "= 1")
        .replace("[[pf]]", "[policy]\ndisruptive = \"if-idle\"\n[[pf]]");
    fs::write(format!("{document}/provision.toml"), fewer).unwrap();
    podman(lab, &format!("podman run --rm {asked} --yes")).fails(4);
    let there = lab.exec(&format!(
        "nsenter --net=/proc/{into}/ns/net rdma dev show {vf}"
    ));
    there.ok();
    drop(user);
    crate::adapter::until("the device is home", || {
        pci::vf(&pf, 2).is_some_and(|vf| pci::rdma(&vf).is_some())
    })
    .unwrap_or_else(|error| panic!("{error}"));
    lab.rdmactl(&["vf", "destroy", &pf]).ok();
}
