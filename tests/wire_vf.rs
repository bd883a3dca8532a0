//! The VF list and the settings of a VF against hostile bytes, an independent library, and bytes of `ip`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use netlink_packet_core::{Emitable, Parseable};
use netlink_packet_route::link::{
    LinkAttribute, LinkMessage, LinkVfInfo, VfInfo, VfInfoGuid, VfInfoLinkState, VfInfoMac,
    VfInfoRate, VfInfoRssQueryEn, VfInfoSpoofCheck, VfInfoTrust, VfInfoTxRate, VfInfoVlan,
    VfLinkState, VfVlan, VfVlanInfo, VlanProtocol,
};
use proptest::prelude::*;
use rdmactl::types::{Guid, LinkPolicy, Mac, Vlan, VlanProto};
use rdmactl::wire::Request;
use rdmactl::wire::link::message::{Link, get, set_vf};
use rdmactl::wire::link::vf::{Rates, Vf, VfSetting};

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_NUM_VF: u16 = 21;
const IFLA_VFINFO_LIST: u16 = 22;
const IFLA_PARENT_DEV_NAME: u16 = 56;

fn written(attributes: Vec<LinkAttribute>) -> Vec<u8> {
    let mut message = LinkMessage::default();
    message.header.index = 7;
    message.attributes = attributes;
    let mut bytes = vec![0; message.buffer_len()];
    message.emit(&mut bytes);
    bytes
}

/// What netlink-packet-route reads in a request that sets a property of VF 5.
fn read_elsewhere(setting: VfSetting) -> Vec<VfInfo> {
    let request = set_vf(7, 5, setting);
    assert_eq!(request.kind(), 19, "RTM_SETLINK");
    let message = LinkMessage::parse(request.body()).unwrap();
    assert_eq!(message.header.index, 7);
    match &message.attributes[..] {
        [LinkAttribute::VfInfoList(list)] => match &list[..] {
            [LinkVfInfo(infos)] => infos.clone(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn states(policy: LinkPolicy) -> VfLinkState {
    match policy {
        LinkPolicy::Auto => VfLinkState::Auto,
        LinkPolicy::Enable => VfLinkState::Enable,
        LinkPolicy::Disable => VfLinkState::Disable,
    }
}

proptest! {
    #[test]
    fn every_property_as_another_library_writes_it(
        index in 0u32..256, mac: [u8; 6], vlan in 0u16..4095, qos in 0u8..8, ad: bool, min: u32, max: u32,
        flags: [bool; 3], state in 0u32..3, node: u64, port: u64,
    ) {
        let policy = LinkPolicy::from_number(state).unwrap();
        let proto = if ad { VlanProtocol::Ieee8021Ad } else { VlanProtocol::Ieee8021Q };
        let list = vec![LinkVfInfo(vec![
            VfInfo::Mac(VfInfoMac::new(index, &mac)),
            VfInfo::Vlan(VfInfoVlan::new(index, vlan.into(), qos.into())),
            VfInfo::Rate(VfInfoRate::new(index, min, max)),
            VfInfo::TxRate(VfInfoTxRate::new(index, max)),
            VfInfo::SpoofCheck(VfInfoSpoofCheck::new(index, flags[0])),
            VfInfo::LinkState(VfInfoLinkState::new(index, states(policy))),
            VfInfo::RssQueryEn(VfInfoRssQueryEn::new(index, flags[1])),
            VfInfo::Trust(VfInfoTrust::new(index, flags[2])),
            VfInfo::VlanList(vec![VfVlan::Info(VfVlanInfo::new(index, vlan.into(), qos.into(), proto))]),
            VfInfo::IbNodeGuid(VfInfoGuid::new(index, node)),
            VfInfo::IbPortGuid(VfInfoGuid::new(index, port)),
        ])];
        let read = Link::decode(&written(vec![LinkAttribute::VfInfoList(list)])).unwrap();
        let proto = if ad { VlanProto::Ad } else { VlanProto::Q };
        prop_assert_eq!(read.vfs, vec![Vf {
            index,
            mac: Some(Mac::new(mac)),
            broadcast: None,
            vlan: Some(Vlan { id: vlan, qos, proto }),
            rates: Some(Rates { min, max }),
            spoofchk: Some(flags[0]),
            state: Some(policy),
            query_rss: Some(flags[1]),
            trust: Some(flags[2]),
            node_guid: Some(Guid::new(node)),
            port_guid: Some(Guid::new(port)),
        }]);
    }

    #[test]
    fn every_setting_as_another_library_reads_it(
        mac: [u8; 6], vlan in 0u16..4095, qos in 0u8..8, min: u32, max: u32, on: bool, state in 0u32..3, guid: u64,
    ) {
        let policy = LinkPolicy::from_number(state).unwrap();
        let tag = |proto| Vlan { id: vlan, qos, proto };
        let outer = VfVlanInfo::new(5, vlan.into(), qos.into(), VlanProtocol::Ieee8021Ad);
        for (setting, expected) in [
            (VfSetting::NodeGuid(Guid::new(guid)), VfInfo::IbNodeGuid(VfInfoGuid::new(5, guid))),
            (VfSetting::PortGuid(Guid::new(guid)), VfInfo::IbPortGuid(VfInfoGuid::new(5, guid))),
            (VfSetting::Mac(Mac::new(mac)), VfInfo::Mac(VfInfoMac::new(5, &mac))),
            (VfSetting::Vlan(tag(VlanProto::Q)), VfInfo::Vlan(VfInfoVlan::new(5, vlan.into(), qos.into()))),
            (VfSetting::Vlan(tag(VlanProto::Ad)), VfInfo::VlanList(vec![VfVlan::Info(outer)])),
            (VfSetting::Rates(Rates { min, max }), VfInfo::Rate(VfInfoRate::new(5, min, max))),
            (VfSetting::Spoofchk(on), VfInfo::SpoofCheck(VfInfoSpoofCheck::new(5, on))),
            (VfSetting::Trust(on), VfInfo::Trust(VfInfoTrust::new(5, on))),
            (VfSetting::QueryRss(on), VfInfo::RssQueryEn(VfInfoRssQueryEn::new(5, on))),
            (VfSetting::State(policy), VfInfo::LinkState(VfInfoLinkState::new(5, states(policy)))),
        ] {
            prop_assert_eq!(read_elsewhere(setting), vec![expected]);
        }
    }

    /// Bytes that look like the attributes of a VF reach deeper than noise does.
    #[test]
    fn no_vf_makes_the_decoder_panic(
        attrs in proptest::collection::vec((0u16..16, proptest::collection::vec(any::<u8>(), 0..40)), 0..20),
        num_vf: u32, claimed: u16, cut in 0usize..64,
    ) {
        let entry = |list: Request| {
            list.nest(1, |vf| attrs.iter().fold(vf, |vf, (id, value)| vf.bytes(*id, value)))
        };
        let list = entry(entry(Request::new(0)));
        let mut body = Request::new(0).fixed(&[0; 16]).u32(IFLA_NUM_VF, num_vf).body().to_vec();
        body.extend(claimed.to_ne_bytes());
        body.extend(IFLA_VFINFO_LIST.to_ne_bytes());
        body.extend(list.body());
        let link = Link::decode(&body[..body.len().saturating_sub(cut)]).unwrap_or_default();
        prop_assert!(link.vfs.len() <= 2);
    }
}

/// strace of `ip link set ib0 vf 1 node_guid 00:11:22:33:44:55:66:77` (iproute2 6.15): the VF
/// list, but for NLA_F_NESTED, which the kernel does not ask for and `ip` does not set.
#[test]
fn the_bytes_of_a_guid() {
    let guid = Guid::new(0x0011_2233_4455_6677);
    let request = set_vf(2, 1, VfSetting::NodeGuid(guid));
    let mut expected = vec![0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    expected.extend([28, 0, 22, 0x80, 24, 0, 1, 0x80, 20, 0, 10, 0]);
    // u32 vf, padding, and the number in host order.
    expected.extend([1, 0, 0, 0, 0, 0, 0, 0]);
    expected.extend([0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0x00]);
    assert_eq!(request.body(), expected);
    assert!(request.is_acknowledged());
}

/// One entry as the kernel writes it; `silent` as a driver without these operations.
fn entry(list: Request, index: u32, silent: bool) -> Request {
    let number = |value: u32| [index.to_ne_bytes(), value.to_ne_bytes()].concat();
    let flag = if silent { u32::MAX } else { 1 };
    list.nest(1, |vf| {
        let mut mac = index.to_ne_bytes().to_vec();
        mac.extend([2, 0, 0, 0, 0, index as u8]);
        mac.resize(36, 0);
        let mut guid = [0; 16];
        guid[8..].copy_from_slice(&u64::from(index + 1).to_ne_bytes());
        vf.bytes(1, &mac)
            .bytes(13, &[0xff; 32])
            .bytes(4, &number(flag))
            .bytes(5, &number(7))
            .bytes(7, &number(flag))
            .bytes(9, &number(flag))
            .bytes(10, &guid)
            .bytes(11, &guid)
    })
}

#[test]
fn what_a_driver_does_not_tell_is_absent() {
    let list = entry(Request::new(0), 3, true);
    let message = Request::new(0)
        .fixed(&[0; 16])
        .bytes(IFLA_VFINFO_LIST, list.body());
    let link = Link::decode(message.body()).unwrap();
    assert_eq!(
        link.vfs,
        [Vf {
            index: 3,
            mac: Some(Mac::new([2, 0, 0, 0, 0, 3])),
            broadcast: Some(Mac::new([0xff; 6])),
            node_guid: Some(Guid::new(4)),
            port_guid: Some(Guid::new(4)),
            ..Vf::default()
        }]
    );
    // An older kernel has no list of VLANs, and its 802.1Q goes without saying.
    let old = |vf: Request| vf.bytes(2, &[3, 0, 0, 0, 100, 0, 0, 0, 6, 0, 0, 0]);
    let message = Request::new(0)
        .fixed(&[0; 16])
        .nest(IFLA_VFINFO_LIST, |list| list.nest(1, old));
    let vlan = Link::decode(message.body()).unwrap().vfs[0].vlan.unwrap();
    assert_eq!((vlan.id, vlan.qos, vlan.proto), (100, 6, VlanProto::Q));
}

/// The kernel's `nla_nest_end` keeps 16 bits of the length, whatever the list holds.
#[test]
fn a_list_longer_than_its_length_can_say() {
    for count in [1, 250, 400, 700] {
        let list = (0..count).fold(Request::new(0), |list, index| entry(list, index, false));
        let length = list.body().len() + 4;
        assert_eq!(length > 65_535, count > 300, "{length} bytes");
        let mut body = Request::new(0)
            .fixed(&[0; 16])
            .text(IFLA_IFNAME, "ib0")
            .bytes(IFLA_ADDRESS, &[1; 20])
            .u32(IFLA_NUM_VF, count)
            .body()
            .to_vec();
        body.extend((length as u16).to_ne_bytes());
        body.extend(IFLA_VFINFO_LIST.to_ne_bytes());
        body.extend(list.body());
        body.extend(
            Request::new(0)
                .text(IFLA_PARENT_DEV_NAME, "0000:01:00.0")
                .body(),
        );
        let link = Link::decode(&body).unwrap();
        let indices: Vec<u32> = link.vfs.iter().map(|vf| vf.index).collect();
        assert_eq!(indices, (0..count).collect::<Vec<_>>());
        assert_eq!((link.name.as_str(), link.address.len()), ("ib0", 20));
        assert_eq!(link.parent.as_deref(), Some("0000:01:00.0"));
    }
}

/// A driver that fails for one VF leaves it out; what follows is not taken for its entry.
#[test]
fn fewer_entries_than_vfs() {
    let message = Request::new(0)
        .fixed(&[0; 16])
        .u32(IFLA_NUM_VF, 3)
        .nest(IFLA_VFINFO_LIST, |list| {
            entry(entry(list, 0, false), 2, false)
        })
        .text(IFLA_PARENT_DEV_NAME, "0000:01:00.0");
    let link = Link::decode(message.body()).unwrap();
    let indices: Vec<u32> = link.vfs.iter().map(|vf| vf.index).collect();
    assert_eq!((indices, link.num_vf), (vec![0, 2], Some(3)));
    assert!(link.parent.is_some());
}

#[test]
fn counters_are_never_asked_for() {
    // struct ifinfomsg, then IFLA_EXT_MASK: RTEXT_FILTER_SKIP_STATS with or without _VF.
    let mut expected = [0; 24];
    expected[4] = 9;
    expected[16..20].copy_from_slice(&[8, 0, 29, 0]);
    for (with_vfs, mask) in [(true, 9), (false, 8)] {
        expected[20] = mask;
        assert_eq!(get(9, with_vfs).body(), expected);
    }
}
