//! Requests about interfaces, addresses and routes, read by an independent library, and back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;

use netlink_packet_core::{Emitable, Parseable};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage, Prop};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteMetric, RouteProtocol, RouteScope,
};
use proptest::prelude::*;
use rdmactl::types::IpNet;
use rdmactl::wire::Request;
use rdmactl::wire::address::{self, Address};
use rdmactl::wire::link::change;
use rdmactl::wire::route::{self, Listed, Route};

fn link_of(request: &Request) -> LinkMessage {
    LinkMessage::parse(request.body()).unwrap()
}

fn address_of(request: &Request) -> AddressMessage {
    AddressMessage::parse(request.body()).unwrap()
}

fn route_of(request: &Request) -> RouteMessage {
    RouteMessage::parse(request.body()).unwrap()
}

#[test]
fn changes_of_an_interface() {
    let up = link_of(&change::set_up(7, true));
    assert_eq!(
        (up.header.index, up.header.flags, up.header.change_mask),
        (7, LinkFlags::Up, LinkFlags::Up)
    );
    let down = link_of(&change::set_up(7, false));
    assert_eq!(
        (down.header.flags, down.header.change_mask),
        (LinkFlags::empty(), LinkFlags::Up)
    );
    let name = "net1".parse().unwrap();
    let renamed = link_of(&change::rename(7, &name));
    assert_eq!(
        renamed.attributes,
        [LinkAttribute::IfName("net1".to_owned())]
    );
    assert_eq!(
        link_of(&change::set_mtu(7, 2044)).attributes,
        [LinkAttribute::Mtu(2044)]
    );
    let file = std::fs::File::open("/dev/null").unwrap();
    let moved = link_of(&change::move_to(7, file.as_fd(), Some(&name)));
    let names = |attribute: &LinkAttribute| matches!(attribute, LinkAttribute::IfName(name) if name == "net1");
    assert!(moved.attributes.iter().any(names));
    assert!(
        moved
            .attributes
            .iter()
            .any(|a| matches!(a, LinkAttribute::NetNsFd(fd) if *fd >= 0))
    );
    let alt = link_of(&change::delete_alt_name(7, "ibp1s0v2"));
    let expected = LinkAttribute::PropList(vec![Prop::AltIfName("ibp1s0v2".to_owned())]);
    assert_eq!(alt.attributes, [expected]);
}

#[test]
fn an_address_with_its_broadcast() {
    let message = address_of(&address::add(7, "10.1.2.3/24".parse().unwrap()));
    assert_eq!((message.header.index, message.header.prefix_len), (7, 24));
    let own = IpAddr::from([10, 1, 2, 3]);
    for expected in [
        AddressAttribute::Local(own),
        AddressAttribute::Address(own),
        AddressAttribute::Broadcast(Ipv4Addr::new(10, 1, 2, 255)),
    ] {
        assert!(message.attributes.contains(&expected), "{expected:?}");
    }
    for (net, broadcast) in [
        ("10.1.2.3/31", false),
        ("10.1.2.3/32", false),
        ("10.1.2.3/0", true),
        ("fd00::2/64", false),
    ] {
        let message = address_of(&address::add(7, net.parse().unwrap()));
        let has = message
            .attributes
            .iter()
            .any(|a| matches!(a, AddressAttribute::Broadcast(_)));
        assert_eq!(has, broadcast, "{net}");
    }
    let v6 = address_of(&address::add(7, "fd00::2/64".parse().unwrap()));
    assert_eq!(v6.header.family, AddressFamily::Inet6);
}

#[test]
fn routes_of_every_kind() {
    let through = |to: &str, gateway: Option<&str>| {
        Route::new(
            to.parse().unwrap(),
            gateway.map(|gateway| gateway.parse().unwrap()),
        )
    };
    let plain = route_of(&route::add(7, &through("10.9.0.0/16", Some("10.0.0.1"))));
    assert_eq!(
        (
            plain.header.table,
            plain.header.scope,
            plain.header.protocol
        ),
        (254, RouteScope::Universe, RouteProtocol::Boot)
    );
    for expected in [
        RouteAttribute::Destination(RouteAddress::Inet(Ipv4Addr::new(10, 9, 0, 0))),
        RouteAttribute::Gateway(RouteAddress::Inet(Ipv4Addr::new(10, 0, 0, 1))),
        RouteAttribute::Oif(7),
        RouteAttribute::Table(254),
    ] {
        assert!(plain.attributes.contains(&expected), "{expected:?}");
    }
    let default = route_of(&route::add(7, &through("0.0.0.0/0", Some("10.0.0.1"))));
    assert_eq!(default.header.destination_prefix_length, 0);
    assert!(
        !default
            .attributes
            .iter()
            .any(|a| matches!(a, RouteAttribute::Destination(_)))
    );
    let onlink = route_of(&route::add(7, &through("10.9.0.0/16", None)));
    assert_eq!(onlink.header.scope, RouteScope::Link);
    let full = Route {
        priority: Some(5),
        table: Some(1000),
        scope: Some(200),
        mtu: Some(1400),
        advmss: Some(1360),
        ..through("fd01::/64", None)
    };
    let full = route_of(&route::add(7, &full));
    assert_eq!(
        (full.header.table, full.header.scope),
        (252, RouteScope::Site)
    );
    for expected in [
        RouteAttribute::Table(1000),
        RouteAttribute::Priority(5),
        RouteAttribute::Metrics(vec![RouteMetric::Mtu(1400), RouteMetric::Advmss(1360)]),
    ] {
        assert!(full.attributes.contains(&expected), "{expected:?} {full:?}");
    }
}

fn net() -> impl Strategy<Value = IpNet> {
    let v4 = (any::<[u8; 4]>(), 0u8..=32).prop_map(|(ip, n)| format!("{}/{n}", IpAddr::from(ip)));
    let v6 = (any::<[u8; 16]>(), 0u8..=128).prop_map(|(ip, n)| format!("{}/{n}", IpAddr::from(ip)));
    prop_oneof![v4, v6].prop_map(|text| text.parse().unwrap())
}

proptest! {
    #[test]
    fn a_written_address_is_read_back(index: u32, net in net()) {
        let read = Address::decode(address::add(index, net).body()).unwrap().unwrap();
        prop_assert_eq!((read.index, read.net), (index, net));
        let mut bytes = vec![0; address_of(&address::add(index, net)).buffer_len()];
        address_of(&address::add(index, net)).emit(&mut bytes);
        prop_assert_eq!(Address::decode(&bytes).unwrap().unwrap().net, net);
    }

    #[test]
    fn a_written_route_is_read_back(index: u32, to in net(), gateway in net(), priority in 1u32.., mtu: u32) {
        let same = to.address().is_ipv4() == gateway.address().is_ipv4();
        let wanted = Route { priority: Some(priority), mtu: Some(mtu), ..Route::new(to, same.then(|| gateway.address())) };
        let read = Listed::decode(route::add(index, &wanted).body()).unwrap().unwrap();
        let expected_to = if to.prefix() == 0 { if to.address().is_ipv4() { "0.0.0.0/0" } else { "::/0" }.parse().unwrap() } else { to };
        prop_assert_eq!((read.index, read.route.to, read.route.gateway), (Some(index), expected_to, wanted.gateway));
        prop_assert_eq!((read.route.priority, read.route.mtu, read.route.table), (Some(priority), Some(mtu), Some(254)));
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Address::decode(&bytes);
        let _ = Listed::decode(&bytes);
    }
}
