//! What is done, step by step.

use super::*;

#[test]
fn a_bare_host_gets_addresses_before_drivers() {
    let plan = planned(&entry(IB, "num_vfs = 2"), &observed(vec![pf(IB, 0)]));
    assert_eq!(
        short(&plan),
        [
            "pf autoprobe 0",
            "pf create 2",
            "vf 0 set NodeGuid",
            "vf 0 set PortGuid",
            "vf 1 set NodeGuid",
            "vf 1 set PortGuid",
            "pf autoprobe 1",
            "vf 0 bind",
            "vf 1 bind",
        ]
    );
    let eth = planned(&entry(ETH, "num_vfs = 1"), &observed(vec![pf(ETH, 0)]));
    assert_eq!(
        short(&eth),
        [
            "pf autoprobe 0",
            "pf create 1",
            "vf 0 set Mac",
            "pf autoprobe 1",
            "vf 0 bind"
        ]
    );
    // Where somebody keeps drivers away, that stays so.
    let kept = PfState {
        probing: false,
        up: Some(false),
        ..pf(ETH, 0)
    };
    let text = entry(
        ETH,
        "num_vfs = 1\nup = true\nvf_defaults = { driver = \"none\" }",
    );
    let kept = planned(&text, &observed(vec![kept]));
    assert_eq!(short(&kept), ["pf up", "pf create 1", "vf 0 set Mac"]);
}

#[test]
fn the_number_changes_through_zero_and_only_when_allowed() {
    let wanted = entry(IB, "num_vfs = 1\nguid = { mode = \"unmanaged\" }");
    let policy = |word: &str| format!("[policy]\ndisruptive = \"{word}\"\n{wanted}");
    let steps = |mark: &str| {
        [
            "pf remove 2 (destroys-vfs)",
            "pf autoprobe 0",
            "pf create 1",
            "pf autoprobe 1",
            "vf 0 bind",
        ]
        .map(|step| format!("{mark}{step}"))
    };
    let idle = observed(vec![pf(IB, 2)]);
    let used = {
        let mut state = pf(IB, 2);
        let vf = state.pf.vfs[1];
        state.usage.as_mut().unwrap().uses.push(user(vf));
        observed(vec![state])
    };
    let unasked = observed(vec![PfState {
        usage: None,
        ..pf(IB, 2)
    }]);
    let unseen = {
        let mut state = pf(IB, 2);
        state.usage.as_mut().unwrap().hidden = 3;
        observed(vec![state])
    };
    for (word, host, mark, block) in [
        ("if-idle", &unseen, "!", Some(Block::Unseen)),
        ("force", &unseen, "", None),
        ("never", &idle, "!", Some(Block::Policy)),
        ("if-idle", &idle, "", None),
        ("if-idle", &used, "!", Some(Block::InUse)),
        ("force", &used, "", None),
        ("force", &unasked, "!", Some(Block::UsageUnknown)),
    ] {
        let plan = planned(&policy(word), host);
        assert_eq!(short(&plan), steps(mark), "{word}");
        assert_eq!(plan.steps[0].blocked, block, "{word}");
        assert_eq!(
            plan.steps[0].users.len(),
            usize::from(std::ptr::eq(host, &used))
        );
        assert_eq!(
            plan.unasked().len(),
            usize::from(block == Some(Block::UsageUnknown))
        );
    }
    let none = planned(
        &format!(
            "[policy]\ndisruptive = \"force\"\n{}",
            entry(IB, "num_vfs = 0")
        ),
        &idle,
    );
    assert_eq!(short(&none), ["pf remove 2 (destroys-vfs)"]);
}

#[test]
fn vfs_that_are_there_are_put_right_one_by_one() {
    let wanted = entry(IB, "num_vfs = 3");
    let mut state = pf(IB, 3);
    let right = Guid::new(0xba59_9f00_01f9_8f86);
    // VF 0 is right; VF 1 has the old address until its driver is bound anew; VF 2 has no driver.
    let told = state.told.get_mut(&0).unwrap();
    (told.node_guid, told.port_guid) = (Some(right), Some(right));
    let side = shown(LinkLayer::InfiniBand, told, "mlx5_core".to_owned());
    state.sides.insert(0, side);
    let told = state.told.get_mut(&1).unwrap();
    let next = Some(Guid::new(0xba59_9f00_02f9_8f86));
    (told.node_guid, told.port_guid) = (next, next);
    state.sides.insert(2, VfSide::default());
    let steps = [
        "vf 1 unbind mlx5_core (rebind)",
        "vf 1 bind (rebind)",
        "vf 2 set NodeGuid",
        "vf 2 set PortGuid",
        "vf 2 bind",
    ];
    assert_eq!(
        short(&planned(&wanted, &observed(vec![state.clone()]))),
        steps
    );
    let vf = state.pf.vfs[1];
    state.usage.as_mut().unwrap().uses.push(user(vf));
    let plan = planned(&wanted, &observed(vec![state.clone()]));
    assert_eq!(
        short(&plan)[..2],
        ["!vf 1 unbind mlx5_core (rebind)", "!vf 1 bind (rebind)"]
    );
    assert!(plan.steps[2..].iter().all(|step| step.blocked.is_none()));
    // Whoever does not own the number leaves it.
    let theirs = entry(IB, "num_vfs = 4\nownership = \"vfs-only\"");
    let plan = planned(&theirs, &observed(vec![state]));
    assert_eq!(plan.steps.len(), 5);
    assert_eq!(
        troubles(&plan),
        ["4 VFs are declared and 3 are there; another manager makes them"]
    );
}

/// Whoever only observes is told of everything that is not as declared, and does nothing.
#[test]
fn only_observed() {
    let with = |more: &str| entry(IB, &format!("{more}\nownership = \"observe\""));
    let mut state = pf(IB, 3);
    let host = |state: &PfState| observed(vec![state.clone()]);
    let plan = planned(&with("num_vfs = 3\nup = true"), &host(&state));
    let expected: Vec<String> = (0..3)
        .flat_map(|index| {
            [
                format!("!vf {index} set NodeGuid (rebind)"),
                format!("!vf {index} set PortGuid (rebind)"),
                format!("!vf {index} unbind mlx5_core (rebind)"),
                format!("!vf {index} bind (rebind)"),
            ]
        })
        .collect();
    assert_eq!(short(&plan), expected);
    let blocked = |step: &Step| step.blocked == Some(Block::Observed) && step.users.is_empty();
    assert!(plan.steps.iter().all(blocked), "{plan:#?}");
    assert!(plan.unasked().is_empty());
    // Nobody is asked, and nothing allows it.
    state.usage = None;
    state.up = Some(false);
    state.probing = false;
    state.left_off = true;
    let text = "[policy]\ndisruptive = \"force\"\nfirmware = \"write\"\n";
    let wanted = format!(
        "{text}{}",
        with("num_vfs = 9\nlink_type = \"ib\"\nup = true")
    );
    let plan = planned(&wanted, &host(&state));
    assert_eq!(
        troubles(&plan),
        [
            "9 VFs are declared, and the firmware of the PF offers 8",
            "9 VFs are declared and 3 are there; another manager makes them"
        ]
    );
    assert_eq!(plan.steps.len(), 13);
    let wanted = format!("{text}{}", with("num_vfs = 2\nup = true\ntotal_vfs = 9"));
    let plan = planned(&wanted, &host(&state));
    assert_eq!(short(&plan)[..2], ["!pf up", "!vf 0 set NodeGuid (rebind)"]);
    assert!(plan.steps.iter().all(blocked), "{plan:#?}");
    assert_eq!(
        troubles(&plan),
        [
            "9 VFs are declared, and the firmware of the PF offers 8",
            "2 VFs are declared and 3 are there; another manager makes them"
        ]
    );
    let wanted = format!("{text}{}", with("link_type = \"eth\""));
    let plan = planned(&wanted, &host(&state));
    assert_eq!(
        troubles(&plan),
        ["the PF is InfiniBand, and Ethernet is declared"]
    );
    // IPoIB is loaded for nobody who only looks.
    state.up = None;
    let plan = planned(
        &with("up = true\nguid = { mode = \"keep\" }"),
        &host(&state),
    );
    assert!(
        short(&plan).iter().all(|step| step.starts_with('!')),
        "{plan:#?}"
    );
}

#[test]
fn drivers() {
    let wanted = |driver: &str| {
        let more =
            format!("mac = {{ mode = \"unmanaged\" }}\nvf_defaults = {{ driver = \"{driver}\" }}");
        entry(ETH, &more)
    };
    let with = |driver: Option<&str>| {
        let mut state = pf(ETH, 1);
        state.sides.get_mut(&0).unwrap().driver = driver.map(str::to_owned);
        observed(vec![state])
    };
    for (driver, now, steps) in [
        ("default", Some("mlx5_core"), &[][..]),
        ("default", None, &["vf 0 bind"]),
        (
            "default",
            Some("vfio-pci"),
            &["vf 0 unbind vfio-pci (rebind)", "vf 0 bind (rebind)"],
        ),
        ("vfio-pci", Some("vfio-pci"), &[]),
        ("vfio-pci", None, &["vf 0 bind vfio-pci"]),
        (
            "vfio-pci",
            Some("mlx5_core"),
            &[
                "vf 0 unbind mlx5_core (rebind)",
                "vf 0 bind vfio-pci (rebind)",
            ],
        ),
        ("none", None, &[]),
        (
            "none",
            Some("mlx5_core"),
            &["vf 0 unbind mlx5_core (rebind)"],
        ),
        ("unmanaged", None, &[]),
        ("unmanaged", Some("vfio-pci"), &[]),
    ] {
        let plan = planned(&wanted(driver), &with(now));
        assert_eq!(short(&plan), steps, "{driver} {now:?}");
    }
}

#[test]
fn the_host_comes_first() {
    let text = "[host]\nrdma_netns = \"exclusive\"\nmodules = [\"ib_umad\", \"ib_uverbs\"]\n";
    let mut state = observed(vec![PfState {
        up: None,
        ..pf(IB, 0)
    }]);
    let module = |name: &str| name.parse::<crate::types::ModuleName>().unwrap();
    state
        .host
        .modules
        .insert(module("ib_umad"), Availability::Installed);
    state
        .host
        .modules
        .insert(module("ib_uverbs"), Availability::Present);
    state
        .host
        .modules
        .insert(module("ib_ipoib"), Availability::Installed);
    let text = format!("{text}{}", entry(IB, "num_vfs = 1"));
    let first = [
        "host load ib_umad",
        "host load ib_ipoib",
        "host persist exclusive",
    ];
    let plan = planned(&text, &state);
    assert_eq!(
        short(&plan)[..4],
        [&first[..], &["host netns exclusive"]].concat()
    );
    state.host.other_namespaces = 2;
    let plan = planned(&text, &state);
    assert_eq!(
        short(&plan)[..4],
        [&first[..], &["!host netns exclusive (reboot)"]].concat()
    );
    // What runs counts: an answer that a reboot would not change asks for none.
    state.host.netns.running = Some(NetnsMode::Exclusive);
    assert_eq!(short(&planned(&text, &state))[2], "host persist exclusive");
    state.host.netns.command_line = Some(NetnsMode::Exclusive);
    assert_eq!(short(&planned(&text, &state))[2], "pf autoprobe 0");
}
