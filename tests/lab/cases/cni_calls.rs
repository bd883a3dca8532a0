//! What a call of a plugin asks of the kernel: no more on a machine with many devices than on one with few.

use std::fs;
use std::process::Command;

use serde_json::json;

use super::cni_call;
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::output::run;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("rdma_among_121_devices", rdma_among_many)
            .exclusive()
            .pf("nvme")
            .vfs(120)
            .may_change(&["folder /"])
            .limit(120)
            .only(&["6.12"], "the calls are ours"),
        case("rdma_bound_anew_among_121_devices", rdma_bound_anew)
            .exclusive()
            .pf("nvme")
            .vfs(120)
            .may_change(&["folder /", "rdma device"])
            .limit(120)
            .only(&["6.12"], "the calls are ours"),
    ]
}

/// The calls that the plugin makes, one a line.
fn calls(lab: &Lab, verb: &str, vf: &str) -> String {
    const TRACE: &str = "/run/lab/trace";
    let env = [("CNI_NETNS", "/run/netns/pod")];
    let plugin = lab.cni_command("rdma", verb, &env);
    let mut command = Command::new("strace");
    command.env_clear();
    for (name, value) in plugin.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command.args(["-f", "-o", TRACE]).arg(plugin.get_program());
    let config = cni_call::with("cniVersion", json!("1.1.0"), cni_call::config(vf));
    let config = cni_call::with("prevResult", json!({"cniVersion": "1.1.0"}), config);
    run(&mut command, &config.to_string()).ok();
    let trace = fs::read_to_string(TRACE).expect("strace wrote it");
    fs::remove_file(TRACE).expect("it is ours");
    trace
}

/// A driver that is bound anew makes the newest device, whose index its name does not tell: after one listing it is known
/// which was the newest, and the next ones are found from there.
fn rdma_bound_anew(lab: &Lab) {
    let _pod = lab.netns("pod");
    let listings = |vf: &str| {
        let trace = calls(lab, "ADD", vf);
        calls(lab, "DEL", vf);
        // The first entry of a listing may be asked for, by a call of another name.
        trace.matches("recvmmsg(").count()
    };
    // The node's lock, in which it is noted, is there from the first ADD on.
    assert_eq!(listings(&lab.vf(0)), 0);
    for index in [40, 7, 99] {
        let vf = lab.vf(index);
        let driver = "/sys/bus/pci/drivers/mlx5_core";
        lab.sh(&format!(
            "echo {vf} > {driver}/unbind; echo {vf} > {driver}/bind"
        ))
        .ok();
    }
    assert!(listings(&lab.vf(7)) > 0, "nothing told where it is");
    for index in [7, 40, 99, 40, 0] {
        assert_eq!(listings(&lab.vf(index)), 0, "VF {index}");
    }
}

/// A listing is a call for each device. Without one, the last VF costs as much as the first.
fn rdma_among_many(lab: &Lab) {
    let _pod = lab.netns("pod");
    for verb in ["ADD", "CHECK", "DEL"] {
        let counts = [0, 119].map(|index| {
            let vf = lab.vf(index);
            if verb != "ADD" {
                calls(lab, "ADD", &vf);
            }
            let trace = calls(lab, verb, &vf);
            if verb != "DEL" {
                calls(lab, "DEL", &vf);
            }
            let of = |word: &str| trace.lines().filter(|line| line.contains(word)).count();
            assert!(of("recvfrom(") < 25, "{verb} of VF {index}:\n{trace}");
            trace.lines().count()
        });
        assert!(
            counts[1] < counts[0] + 40 && counts[1] < 400,
            "{verb}: {counts:?}"
        );
    }
}
