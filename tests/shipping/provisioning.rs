//! The overlay that provisions nodes: what its pod may do, and that it does with that what it is for.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::{Value, json};

use crate::manifests::{of_kind, own, rendered, rendered_since};
use crate::root::{BINARY, TREE, run, scratch};

const OVERLAY: &str = "deployment/overlays/provision";

fn listed<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    let list = list.as_array().unwrap().iter();
    list.map(|each| each[key].as_str().unwrap()).collect()
}

/// It has what `provision apply` needs on a node and no more, and only while that runs.
#[test]
fn provisioning_is_a_matter_of_one_init_container() {
    let objects = rendered_since(&[OVERLAY]);
    assert_eq!(objects.len(), 2);
    let set = of_kind(&objects, "DaemonSet")[0];
    let pod = &set["spec"]["template"]["spec"];
    assert_eq!(
        (&pod["hostNetwork"], &pod["hostPID"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(pod["hostIPC"], Value::Null);
    assert_eq!(pod["automountServiceAccountToken"], false);
    assert_eq!(
        pod["securityContext"]["seccompProfile"]["type"],
        "RuntimeDefault"
    );

    assert_eq!(listed(&pod["initContainers"], "name"), ["apply"]);
    let apply = &pod["initContainers"][0];
    assert_eq!(
        apply["securityContext"],
        json!({
            "runAsUser": 0, "runAsGroup": 0, "privileged": false, "readOnlyRootFilesystem": true,
            "capabilities": {
                "drop": ["ALL"],
                "add": ["NET_ADMIN", "SYS_ADMIN", "SYS_PTRACE", "DAC_READ_SEARCH"],
            },
            "appArmorProfile": {"type": "Unconfined"},
        })
    );
    // What fails is to be seen without looking for logs.
    assert_eq!(apply["terminationMessagePolicy"], "FallbackToLogsOnError");
    let mut places: Vec<(&str, &str)> = Vec::new();
    let mut writable = Vec::new();
    for mount in apply["volumeMounts"].as_array().unwrap() {
        let volumes = pod["volumes"].as_array().unwrap();
        let volume = volumes.iter().find(|each| each["name"] == mount["name"]);
        let inside = mount["mountPath"].as_str().unwrap();
        let outside = volume.unwrap()["hostPath"]["path"].as_str();
        places.push((inside, outside.unwrap_or("the document")));
        if mount["readOnly"] != true {
            writable.push(inside);
        }
    }
    assert_eq!(places.len(), pod["volumes"].as_array().unwrap().len());
    // Files of the host are where the program looks for them.
    assert_eq!(places.remove(0), ("/etc/rdmactl", "the document"));
    assert!(
        places.iter().all(|(inside, outside)| inside == outside),
        "{places:?}"
    );
    assert_eq!(writable, ["/sys", "/run/rdmactl", "/var/lib/rdmactl"]);
    let read: Vec<&str> = places.iter().map(|(inside, _)| *inside).skip(3).collect();
    let wanted = [
        "/var/lib/cni",
        "/var/lib/kubelet/device-plugins",
        "/run/udev",
        "/usr/lib/udev/rules.d",
        "/etc/udev/rules.d",
    ];
    assert_eq!(read, wanted);

    assert_eq!(listed(&pod["containers"], "name"), ["stay"]);
    let stay = &pod["containers"][0];
    assert_eq!(stay["volumeMounts"], Value::Null);
    assert_eq!(
        stay["securityContext"],
        json!({
            "runAsNonRoot": true, "runAsUser": 65535, "runAsGroup": 65535, "privileged": false,
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        })
    );

    // A version that does not know all of it would leave the container confined.
    let said = run(&["tests/shipping/manifests.sh", OVERLAY]);
    assert!(
        !said.ok && said.stderr.contains("appArmorProfile"),
        "{said:?}"
    );
}

/// The example passes its own check, needs nothing that a pod lacks, and does nothing where nobody has its PFs.
#[test]
fn the_document_of_the_nodes_is_sound() {
    let objects = rendered_since(&[OVERLAY]);
    let map = of_kind(&objects, "ConfigMap")[0];
    let document = map["data"]["provision.toml"].as_str().unwrap();
    for line in document.lines().filter(|line| !line.starts_with('#')) {
        for key in ["rdma_netns", "modules", "\"write\""] {
            assert!(!line.contains(key), "{line}");
        }
    }
    let folder = scratch();
    let file = folder.path().join("provision.toml");
    fs::write(&file, document).unwrap();
    let file = file.to_str().unwrap();
    let rdmactl = |words: &[&str]| Command::new(BINARY).args(words).output().unwrap();
    let checked = rdmactl(&["provision", "check", "--file", file]);
    assert!(checked.status.success(), "{checked:?}");

    // The container as it is, from the image; the document is a link, as the kubelet has it.
    let pod = &of_kind(&objects, "DaemonSet")[0]["spec"]["template"]["spec"];
    let spec = folder.path().join("pod.json");
    fs::write(&spec, pod.to_string()).unwrap();
    let place = folder.path().join("document");
    fs::create_dir_all(place.join("..data")).unwrap();
    symlink("..data/provision.toml", place.join("provision.toml")).unwrap();
    let pod = format!("POD={}", spec.display());
    let applied = |document: &str| {
        fs::write(place.join("..data/provision.toml"), document).unwrap();
        let folder = folder.path().to_str().unwrap();
        run(&["env", &pod, "tests/shipping/image.sh", BINARY, folder])
    };
    let nothing = applied(document).ok();
    assert!(!nothing.stderr.contains("error"), "{nothing:?}");
    // It does look: a PF that has to be there is missed.
    let missing = document.replace("optional = true", "optional = false");
    let missed = applied(&missing.replace("120s", "1s"));
    let said =
        "error: /etc/rdmactl/provision.toml:17:1: no PF on this host is the one that is meant";
    assert!(!missed.ok && missed.stderr.contains(said), "{missed:?}");
}

/// The lab runs containers as these DaemonSets have them, where nothing can render (`node_image::`).
#[test]
fn the_lab_has_what_is_rendered() {
    let objects = rendered_since(&["deployment/overlays/both", OVERLAY]);
    let sets: Value = of_kind(&objects, "DaemonSet")
        .into_iter()
        .cloned()
        .collect();
    let path = format!("{TREE}/tests/fixtures/daemon-sets.json");
    if std::env::var_os("UPDATE").is_some() {
        let text = serde_json::to_string_pretty(&sets).unwrap();
        fs::write(&path, text + "\n").unwrap();
    }
    let kept: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(
        kept, sets,
        "it is not as it is rendered: UPDATE=1 cargo test --test shipping the_lab_has"
    );
}

/// Beside the plugins, with a document of one's own, as deployment/README.md has it: they stay as modest as they are.
#[test]
fn provisioning_leaves_the_plugins_as_they_are() {
    let folder = own("namespace: kube-system\n\
         resources: [../../../deployment/overlays/both, ../../../deployment/overlays/provision]\n\
         configMapGenerator:\n  - name: rdmactl-provision\n    behavior: replace\n    files: [provision.toml]\n");
    fs::write(
        folder.path().join("provision.toml"),
        "version = 1\n# ours\n",
    )
    .unwrap();
    let objects = rendered_since(&[folder.path().to_str().unwrap()]);
    assert_eq!(objects.len(), 3);
    let sets = of_kind(&objects, "DaemonSet");
    assert_eq!(*sets[0], rendered(&["deployment/overlays/both"])[0]);
    assert_ne!(sets[0]["spec"]["selector"], sets[1]["spec"]["selector"]);
    let map = of_kind(&objects, "ConfigMap")[0];
    assert_eq!(
        map["data"],
        json!({"provision.toml": "version = 1\n# ours\n"})
    );
    let volumes = &sets[1]["spec"]["template"]["spec"]["volumes"];
    assert_eq!(volumes[0]["configMap"]["name"], map["metadata"]["name"]);
    // Another document makes other pods.
    let before = rendered_since(&[OVERLAY]);
    assert_ne!(
        of_kind(&before, "ConfigMap")[0]["metadata"]["name"],
        map["metadata"]["name"]
    );
}
