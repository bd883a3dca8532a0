//! Doing what a plan says leaves nothing to do, whatever the host was.

use proptest::prelude::*;

use super::*;
use crate::provision::plan::model::carry_out;

fn anything() -> impl Strategy<Value = (String, Observed)> {
    let pf_text = (0u16..=8, 0usize..4, 0usize..4, any::<bool>());
    let pf_state = (
        0u16..=8,
        any::<bool>(),
        proptest::option::of(any::<bool>()),
        0u64..4,
        0usize..4,
    );
    let one = (pf_text, pf_state);
    let hosts = (0usize..3, any::<bool>(), any::<bool>());
    (one.clone(), one, hosts).prop_map(|(ib, eth, (mode, exclusive, ipoib))| {
        let modes = ["unmanaged", "shared", "exclusive"];
        let mut text = format!(
            "[host]\nrdma_netns = \"{}\"\n[policy]\ndisruptive = \"force\"\n",
            modes[mode]
        );
        let mut pfs = Vec::new();
        for (address, ((wanted, scheme, driver, up), (now, probing, is_up, seed, bound))) in [(IB, ib), (ETH, eth)] {
            let key = if address == IB { "guid" } else { "mac" };
            let schemes = ["pf-derived", "keep", "unmanaged", "pf-derived"];
            let drivers = ["default", "vfio-pci", "none", "unmanaged"];
            let trust = if address == ETH { ", trust = true, vlan = 5" } else { "" };
            text.push_str(&entry(address, &format!(
                "num_vfs = {wanted}\nup = {up}\n{key} = {{ mode = \"{}\" }}\nvf_defaults = {{ driver = \"{}\", policy = \"up\"{trust} }}",
                schemes[scheme], drivers[driver],
            )));
            let mut state = pf(address, now);
            state.probing = probing;
            // Only InfiniBand can be without an interface and get one.
            state.up = if address == IB && !ipoib {
                is_up
            } else {
                is_up.or(Some(true))
            };
            for index in 0..now {
                let told = state.told.get_mut(&index).unwrap();
                let value = seed * 100 + u64::from(index);
                if told.node_guid.is_some() && seed > 0 {
                    told.node_guid = Some(Guid::new(0x0200_0000_0000_0000 + value));
                    told.port_guid = told.node_guid;
                } else if seed > 0 {
                    told.mac = Some(Mac::from_value(0x0200_0000_0000 + value));
                }
                let side = match bound {
                    0 => VfSide::default(),
                    1 => shown(state.layer.unwrap(), told, "vfio-pci".to_owned()),
                    2 => shown(state.layer.unwrap(), told, "mlx5_core".to_owned()),
                    // A driver that was there before the addresses.
                    _ => shown(state.layer.unwrap(), &blank(state.layer.unwrap(), index), "mlx5_core".to_owned()),
                };
                state.sides.insert(index, side);
            }
            pfs.push(state);
        }
        let mut observed = observed(pfs);
        if exclusive {
            observed.host.netns.running = Some(NetnsMode::Exclusive);
        }
        let there = if ipoib { Availability::Present } else { Availability::Installed };
        observed.host.modules.insert("ib_ipoib".parse().unwrap(), there);
        (text, observed)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_was_planned_and_done_leaves_nothing((text, mut host) in anything()) {
        let document = document(&format!("version = 1\n{text}"));
        let probing = |host: &Observed| -> Vec<bool> {
            host.pfs.iter().map(|found| match found {
                Found::One(state) => state.probing,
                _ => panic!("{found:?}"),
            }).collect()
        };
        let before = probing(&host);
        let first = plan(&document, &host);
        prop_assert!(first.troubles.is_empty(), "{:?}", first.troubles);
        for step in &first.steps {
            prop_assert_eq!(step.blocked, None);
            carry_out(&mut host, step);
        }
        let second = plan(&document, &host);
        prop_assert!(second.is_empty(), "{text}\n{:?}\nthen\n{:?}", short(&first), short(&second));
        prop_assert_eq!(probing(&host), before);
    }
}
