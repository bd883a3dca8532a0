//! What leaves no way, and what is kept.

use super::*;

#[test]
fn what_leaves_no_way() {
    let bare = || pf(IB, 0);
    let told = |text: &str, state: PfState| {
        let plan = planned(&entry(IB, text), &observed(vec![state]));
        assert_eq!(plan.steps.len(), 0, "{text}");
        troubles(&plan).concat()
    };
    assert_eq!(
        told("num_vfs = 9", bare()),
        "9 VFs are declared, and the firmware of the PF offers 8"
    );
    assert_eq!(
        told("total_vfs = 9", bare()),
        "9 VFs are declared, and the firmware of the PF offers 8"
    );
    assert_eq!(
        told("link_type = \"eth\"", bare()),
        "the PF is InfiniBand, and Ethernet is declared"
    );
    assert_eq!(
        told(
            "num_vfs = 1",
            PfState {
                driver: None,
                ..bare()
            }
        ),
        "no driver is bound to the PF"
    );
    assert_eq!(
        told(
            "num_vfs = 1",
            PfState {
                guid: None,
                ..bare()
            }
        ),
        "the PF has no port GUID that those of its VFs could follow from"
    );
    assert_eq!(
        told(
            "num_vfs = \"max\"\nguid = { mode = \"list\", list = [\"02:00:00:00:00:00:00:01\"] }",
            bare()
        ),
        "there are 1 GUIDs for 8 VFs"
    );
    assert_eq!(
        told("num_vfs = 1\nvf_defaults = { trust = true }", bare()),
        "VF 0: InfiniBand VFs have no trust"
    );
    let text = entry(IB, "num_vfs = 1");
    let found = |found| Observed {
        host: host(),
        pfs: vec![found],
    };
    assert_eq!(troubles(&planned(&text, &found(Found::Nothing))).len(), 1);
    let optional = entry(IB, "optional = true");
    assert!(planned(&optional, &found(Found::Nothing)).is_empty());
    let several = found(Found::Several(vec![
        IB.parse().unwrap(),
        ETH.parse().unwrap(),
    ]));
    assert_eq!(
        troubles(&planned(&text, &several)),
        ["2 PFs on this host are meant: 0000:01:00.0, 0000:02:00.0"]
    );
    // Two adapters that say they are the same one: neither VF may have the other's address.
    let mut twin = pf(IB, 0);
    twin.pf.address = "0000:03:00.0".parse().unwrap();
    let two = format!("{text}{}", entry("0000:03:00.0", "num_vfs = 1"));
    let plan = planned(&two, &observed(vec![bare(), twin]));
    assert_eq!(
        troubles(&plan),
        ["VF 0 would get ba:59:9f:00:01:f9:8f:86, which VF 0 of 0000:01:00.0 gets"]
    );
    assert!(
        plan.steps
            .iter()
            .all(|step| step.target.pf() == IB.parse().ok())
    );
    // One PF that two entries mean.
    let plan = planned(
        &format!("{text}{}", entry(ETH, "")),
        &observed(vec![bare(), bare()]),
    );
    assert_eq!(troubles(&plan), ["the entry at x:2:1 means the same PF"]);
}

#[test]
fn keep_keeps_what_is_there() {
    let mut state = pf(IB, 2);
    let own = Some(Guid::new(0x0200_0000_0000_0007));
    let told = state.told.get_mut(&0).unwrap();
    (told.node_guid, told.port_guid) = (own, own);
    let side = shown(LinkLayer::InfiniBand, told, "mlx5_core".to_owned());
    state.sides.insert(0, side);
    let text = "[policy]\ndisruptive = \"if-idle\"\n";
    let keep = |vfs| {
        format!(
            "{text}{}",
            entry(
                IB,
                &format!("num_vfs = {vfs}\nguid = {{ mode = \"keep\" }}")
            )
        )
    };
    let plan = planned(&keep(2), &observed(vec![state.clone()]));
    assert!(
        plan.steps
            .iter()
            .all(|step| matches!(step.target, Target::Vf(_, 1)))
    );
    // Through 0 and back too.
    let plan = planned(&keep(1), &observed(vec![state]));
    let set = plan.steps.iter().find_map(|step| match step.action {
        Action::Set {
            to: crate::wire::link::vf::VfSetting::PortGuid(guid),
            ..
        } => Some(guid),
        _ => None,
    });
    assert_eq!(set, own);
}
