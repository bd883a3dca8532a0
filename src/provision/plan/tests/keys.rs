//! The mode of a switch, interrupt vectors, and VFs that are left to others.

use super::*;
use crate::provision::plan::model::carry_out;

/// Does a plan on the model, and finds nothing left.
fn done(text: &str, host: &mut Observed) {
    for step in &planned(text, host).steps {
        carry_out(host, step);
    }
    let left = planned(text, host);
    assert!(left.is_empty(), "{:?}", short(&left));
}

#[test]
fn the_switch_changes_among_vfs_without_drivers() {
    let mac = "mac = { mode = \"unmanaged\" }";
    let text = entry(ETH, &format!("num_vfs = 2\neswitch = \"switchdev\"\n{mac}"));
    let mut bare = observed(vec![pf(ETH, 0)]);
    let expected = [
        "pf autoprobe 0",
        "pf create 2",
        "pf eswitch switchdev (rebind)",
        "pf autoprobe 1",
        "vf 0 bind",
        "vf 1 bind",
    ];
    assert_eq!(short(&planned(&text, &bare)), expected);
    done(&text, &mut bare);
    let mut there = observed(vec![pf(ETH, 2)]);
    let expected = [
        "vf 0 unbind mlx5_core (rebind)",
        "vf 1 unbind mlx5_core (rebind)",
        "pf eswitch switchdev (rebind)",
        "vf 0 bind",
        "vf 1 bind",
    ];
    assert_eq!(short(&planned(&text, &there)), expected);
    done(&text, &mut there);
    // VFs of others get back what they had.
    let left = entry(
        ETH,
        &format!("eswitch = \"switchdev\"\n{mac}\n[[pf.vf]]\nrange = \"1\"\nmanaged = false"),
    );
    let mut there = observed(vec![pf(ETH, 2)]);
    assert_eq!(short(&planned(&left, &there)), expected);
    done(&left, &mut there);
    // One VF in use keeps all as they are.
    let mut used = pf(ETH, 2);
    let vf = used.pf.vfs[1];
    used.usage = Some(Usage {
        uses: vec![user(vf)],
        ..Usage::default()
    });
    let plan = planned(&text, &observed(vec![used]));
    assert!(plan.steps.iter().all(|step| step.blocked.is_some()));
    assert_eq!(plan.steps[1].blocked, Some(Block::InUse));
    assert_eq!(plan.steps[0].blocked, Some(Block::Earlier));
}

#[test]
fn a_driver_that_wants_the_mode_first_makes_its_vfs_anew() {
    let text = format!(
        "[policy]\ndisruptive = \"if-idle\"\n{}",
        entry(
            ETH,
            "num_vfs = 1\neswitch = \"switchdev\"\nmac = { mode = \"unmanaged\" }"
        )
    );
    let ice = PfState {
        driver: Some("ice".to_owned()),
        ..pf(ETH, 1)
    };
    let mut host = observed(vec![ice]);
    let plan = planned(&text, &host);
    assert_eq!(
        short(&plan)[..4],
        [
            "pf remove 1 (destroys-vfs)",
            "pf eswitch switchdev (rebind)",
            "pf autoprobe 0",
            "pf create 1",
        ]
    );
    assert_eq!(plan.steps[0].reason, Reason::EswitchFirst);
    done(&text, &mut host);
}

#[test]
fn a_mode_that_cannot_be_had() {
    let text = |more: &str| entry(ETH, &format!("eswitch = \"switchdev\"\n{more}"));
    let without = PfState {
        eswitch: None,
        ..pf(ETH, 0)
    };
    let plan = planned(&text(""), &observed(vec![without.clone()]));
    assert!(troubles(&plan)[0].contains("has no switch whose mode can be set"));
    let legacy = entry(ETH, "eswitch = \"legacy\"");
    assert!(planned(&legacy, &observed(vec![without])).is_empty());
    let theirs = text("ownership = \"vfs-only\"");
    let plan = planned(&theirs, &observed(vec![pf(ETH, 0)]));
    assert!(troubles(&plan)[0].contains("eswitch = \"switchdev\" is declared, and the switch is"));
    assert!(plan.steps.is_empty());
}

#[test]
fn vectors_are_given_while_the_vf_has_no_driver() {
    let mac = "mac = { mode = \"unmanaged\" }";
    let text = entry(
        ETH,
        &format!(
            "num_vfs = 2\n{mac}\nvf_defaults = {{ msix = 3 }}\n[[pf.vf]]\nrange = \"1\"\nmsix = 8"
        ),
    );
    let mut there = observed(vec![pf(ETH, 2)]);
    assert_eq!(
        short(&planned(&text, &there)),
        [
            "vf 1 unbind mlx5_core (rebind)",
            "vf 1 msix 8 (rebind)",
            "vf 1 bind (rebind)",
        ]
    );
    done(&text, &mut there);
    let mut bare = observed(vec![pf(ETH, 0)]);
    let steps = short(&planned(&text, &bare));
    assert_eq!(steps[2..4], ["vf 0 msix 3", "vf 1 msix 8"]);
    done(&text, &mut bare);
}

#[test]
fn vfs_of_others_are_left_alone() {
    let text = entry(IB, "num_vfs = 2\n[[pf.vf]]\nrange = \"1\"\nmanaged = false");
    let plan = planned(&text, &observed(vec![pf(IB, 2)]));
    assert!(
        short(&plan).iter().all(|step| step.contains("vf 0")),
        "{:?}",
        short(&plan)
    );
    // A new one has the driver that the kernel would have given it, and no address of ours.
    let plan = planned(&text, &observed(vec![pf(IB, 0)]));
    let of_it: Vec<String> = short(&plan)
        .into_iter()
        .filter(|step| step.contains("vf 1"))
        .collect();
    assert_eq!(of_it, ["vf 1 bind"]);
}

#[test]
fn derived_guids_avoid_what_others_hand_out() {
    let pool = "[host]\nreserved = [{ start = \"ba:59:9f:00:01:00:00:00\", end = \"ba:59:9f:00:01:ff:ff:ff\" }]\n";
    let text = format!("{pool}{}", entry(IB, "num_vfs = 2"));
    let plan = planned(&text, &observed(vec![pf(IB, 0)]));
    let guids: Vec<String> = plan
        .steps
        .iter()
        .filter_map(|step| match step.action {
            Action::Set {
                to: crate::wire::link::vf::VfSetting::PortGuid(guid),
                ..
            } => Some(guid.to_string()),
            _ => None,
        })
        .collect();
    assert!(guids[0].starts_with("06:"), "{guids:?}");
    assert_eq!(guids[1], "ba:59:9f:00:02:f9:8f:86");
}
