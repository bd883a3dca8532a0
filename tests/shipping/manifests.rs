//! The manifests: rendered by kustomize, checked against Kubernetes' schemas, and against what the program takes.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::root::{BINARY, TREE, run, scratch};

const OVERLAYS: [&str; 3] = ["rdma", "ib-sriov", "both"];

/// What the overlay `provision` needs of Kubernetes.
const SINCE: &str = "OLDEST=1.30";

/// The objects of these folders, all of which the schemas allow.
pub(crate) fn rendered(folders: &[&str]) -> Vec<Value> {
    rendered_by(&["tests/shipping/manifests.sh"], folders)
}

/// The same where only later versions of Kubernetes know all of it.
pub(crate) fn rendered_since(folders: &[&str]) -> Vec<Value> {
    rendered_by(&["env", SINCE, "tests/shipping/manifests.sh"], folders)
}

fn rendered_by(words: &[&str], folders: &[&str]) -> Vec<Value> {
    let said = run(&[words, folders].concat()).ok();
    serde_json::from_str(&said.stdout).unwrap()
}

/// A folder of somebody's own with this kustomization.
pub(crate) fn own(text: &str) -> tempfile::TempDir {
    let folder = scratch();
    let head = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n";
    fs::write(
        folder.path().join("kustomization.yaml"),
        format!("{head}{text}"),
    )
    .unwrap();
    folder
}

pub(crate) fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|each| each["kind"] == kind).collect()
}

#[test]
fn daemon_sets_are_sound_and_modest() {
    let folders = OVERLAYS.map(|name| format!("deployment/overlays/{name}"));
    let objects = rendered(&folders.each_ref().map(String::as_str));
    assert_eq!(objects.len(), OVERLAYS.len());
    let folder = scratch();
    let mut names = Vec::new();
    for (object, overlay) in objects.iter().zip(OVERLAYS) {
        assert_eq!(object["kind"], "DaemonSet");
        let pod = &object["spec"]["template"]["spec"];
        for key in ["hostNetwork", "hostPID", "hostIPC", "initContainers"] {
            assert_eq!(pod[key], Value::Null, "{overlay}: {key}");
        }
        let container = &pod["containers"][0];
        let security = &container["securityContext"];
        assert_eq!(security["privileged"], false, "{overlay}");
        assert_eq!(security["allowPrivilegeEscalation"], false, "{overlay}");
        assert_eq!(security["readOnlyRootFilesystem"], true, "{overlay}");
        assert_eq!(security["capabilities"], json!({"drop": ["ALL"]}));
        assert_eq!(pod["volumes"].as_array().unwrap().len(), 1, "{overlay}");
        assert_eq!(pod["automountServiceAccountToken"], false, "{overlay}");
        // The pods of one overlay must not be those of another.
        names.push((
            object["metadata"]["name"].clone(),
            object["spec"]["selector"].clone(),
        ));

        let mut command = Command::new(BINARY);
        let at = format!("--cni-bin-dir={}", folder.path().display());
        command.args(["--dry-run", "cni", "install", &at]);
        let arguments = container["args"].as_array().into_iter().flatten();
        let output = command
            .args(arguments.filter_map(Value::as_str))
            .output()
            .unwrap();
        let would = String::from_utf8_lossy(&output.stdout).into_owned();
        let wanted = |name: &str| overlay == "both" || overlay == name;
        assert_eq!(
            would.contains("install rdma as"),
            wanted("rdma"),
            "{overlay}: {would}"
        );
        assert_eq!(
            would.contains("install ib-sriov as"),
            wanted("ib-sriov"),
            "{overlay}: {would}"
        );
    }
    names.dedup();
    assert_eq!(names.len(), OVERLAYS.len(), "{names:?}");
}

#[test]
fn a_component_for_selinux() {
    let folder = own(
        "resources: [../../../deployment/overlays/rdma, ../../../deployment/overlays/both, \
                     ../../../deployment/overlays/provision]\n\
         components: [../../../deployment/components/selinux]\n",
    );
    let objects = rendered_since(&[folder.path().to_str().unwrap()]);
    // Only containers that write to the host have it.
    let mut with = Vec::new();
    for set in of_kind(&objects, "DaemonSet") {
        let pod = &set["spec"]["template"]["spec"];
        for key in ["initContainers", "containers"] {
            for container in pod[key].as_array().into_iter().flatten() {
                let security = &container["securityContext"];
                assert_eq!(security["privileged"], false);
                if security["seLinuxOptions"] == json!({"type": "spc_t"}) {
                    with.push((set["metadata"]["name"].as_str(), container["name"].as_str()));
                }
            }
        }
    }
    with.sort_unstable();
    let wanted = [
        ("rdmactl-cni", "install"),
        ("rdmactl-cni-rdma", "install"),
        ("rdmactl-provision", "apply"),
    ];
    assert_eq!(with, wanted.map(|(set, name)| (Some(set), Some(name))));
}

/// Pods ask for networks and resources that are there.
#[test]
fn a_workload_fits_together() {
    let objects = rendered(&["deployment/workload"]);
    let config = of_kind(&objects, "ConfigMap")[0]["data"]["config.json"].as_str();
    let config: Value = serde_json::from_str(config.unwrap()).unwrap();
    let resources: Vec<String> = config["resourceList"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| {
            format!(
                "{}/{}",
                each["resourcePrefix"].as_str().unwrap(),
                each["resourceName"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(resources.len(), 2);
    let resource_of = |network: &Value| {
        network["metadata"]["annotations"]["k8s.v1.cni.cncf.io/resourceName"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let networks = of_kind(&objects, "NetworkAttachmentDefinition");
    assert_eq!(networks.len(), 3);
    for network in &networks {
        assert!(resources.contains(&resource_of(network)), "{network}");
    }
    let pods = of_kind(&objects, "Pod");
    assert_eq!(pods.len(), 2);
    for pod in pods {
        let wanted = &pod["metadata"]["annotations"]["k8s.v1.cni.cncf.io/networks"];
        let network = networks
            .iter()
            .find(|each| each["metadata"]["name"] == *wanted)
            .unwrap();
        let limits = &pod["spec"]["containers"][0]["resources"]["limits"];
        assert_eq!(limits[resource_of(network)], "1", "{pod}");
    }
}

/// The check is one: no key, value or kind passes that no version knows.
#[test]
fn what_the_schemas_do_not_know_is_refused() {
    let base = |file: &str| fs::read_to_string(format!("{TREE}/deployment/base/{file}")).unwrap();
    let broken = [
        ("readOnlyRootFilesystem", "readOnlyRootFileSystem"),
        ("privileged: false", "privileged: \"no\""),
        ("path: /opt/cni/bin\n", "paths: /opt/cni/bin\n"),
        ("kind: DaemonSet", "kind: DaemonSett"),
    ];
    let folders = broken.map(|(right, wrong)| {
        let folder = scratch();
        let text = base("daemonset.yaml").replace(right, wrong);
        assert!(text.contains(wrong), "{right}");
        fs::write(folder.path().join("daemonset.yaml"), text).unwrap();
        let kustomization = base("kustomization.yaml").replace("true", "false");
        fs::write(folder.path().join("kustomization.yaml"), kustomization).unwrap();
        folder
    });
    let paths = folders
        .each_ref()
        .map(|folder| folder.path().to_str().unwrap());
    let said = run(&[&["tests/shipping/manifests.sh"], &paths[..]].concat());
    assert!(!said.ok, "{said:?}");
    for what in [
        "readOnlyRootFileSystem",
        "'no'",
        "'path' is a required",
        "DaemonSett",
    ] {
        assert!(said.stderr.contains(what), "{what}: {said:?}");
    }
}
