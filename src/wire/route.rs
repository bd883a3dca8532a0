//! Routes through an interface: RTM_NEWROUTE and the list of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::address::{family, ip, octets};
use super::{Attrs, DecodeError, Request};
use crate::types::IpNet;

const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;

/// Bytes of `struct rtmsg` (`uapi/linux/rtnetlink.h`): family, two prefix lengths, TOS, table,
/// protocol, scope, type, u32 flags.
const RTMSG_LEN: usize = 12;

const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_METRICS: u16 = 8;
const RTA_TABLE: u16 = 15;
const RTAX_MTU: u16 = 2;
const RTAX_ADVMSS: u16 = 8;

const RT_TABLE_MAIN: u32 = 254;
/// `RT_TABLE_COMPAT`: the number does not fit the byte, RTA_TABLE has it.
const RT_TABLE_COMPAT: u8 = 252;
/// `RTPROT_BOOT`, as `ip route` sets.
const RTPROT_BOOT: u8 = 3;
const RTN_UNICAST: u8 = 1;

/// `RT_SCOPE_UNIVERSE`: through a gateway.
const SCOPE_UNIVERSE: u8 = 0;
/// `RT_SCOPE_LINK`: to neighbours on the link.
const SCOPE_LINK: u8 = 253;

/// A unicast route through an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Route {
    /// Where to.
    pub to: IpNet,
    /// By way of.
    pub gateway: Option<IpAddr>,
    /// Lower goes first; the kernel has a default of its own.
    pub priority: Option<u32>,
    /// The table, main unless said.
    pub table: Option<u32>,
    /// `RT_SCOPE_*`, found from the gateway unless said.
    pub scope: Option<u8>,
    /// Bytes a packet may have.
    pub mtu: Option<u32>,
    /// Largest segment told to TCP peers, in bytes.
    pub advmss: Option<u32>,
}

impl Route {
    /// A route with nothing but its ends.
    pub fn new(to: IpNet, gateway: Option<IpAddr>) -> Self {
        Self {
            to,
            gateway,
            priority: None,
            table: None,
            scope: None,
            mtu: None,
            advmss: None,
        }
    }
}

/// A route in a listing, and the interface it goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// Index of the interface; `None` for a route through none, or through several.
    pub index: Option<u32>,
    /// The route; a destination without address is the default one.
    pub route: Route,
}

impl Listed {
    /// Reads one RTM_NEWROUTE; `None` for a route of another kind (multicast, local, ...).
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(body: &[u8]) -> Result<Option<Self>, DecodeError> {
        let fixed: &[u8; RTMSG_LEN] = body.first_chunk().ok_or(DecodeError::Truncated("rtmsg"))?;
        let attrs = Attrs::new(&body[RTMSG_LEN..]);
        let any: IpAddr = match fixed[0] {
            super::address::AF_INET => Ipv4Addr::UNSPECIFIED.into(),
            super::address::AF_INET6 => Ipv6Addr::UNSPECIFIED.into(),
            _ => return Ok(None),
        };
        if fixed[7] != RTN_UNICAST {
            return Ok(None);
        }
        let to = match attrs.find(RTA_DST).and_then(|attr| ip(attr.value)) {
            Some(address) => IpNet::new(address, fixed[1]),
            None => IpNet::new(any, 0),
        };
        let number = |id| attrs.find(id).and_then(|attr| attr.u32());
        let mut route = Route::new(
            to.ok_or(DecodeError::Missing("prefix length"))?,
            attrs.find(RTA_GATEWAY).and_then(|attr| ip(attr.value)),
        );
        route.priority = number(RTA_PRIORITY);
        route.table = number(RTA_TABLE).or(Some(fixed[4].into()));
        route.scope = Some(fixed[6]);
        if let Some(metrics) = attrs.find(RTA_METRICS) {
            route.mtu = metrics.nested().find(RTAX_MTU).and_then(|attr| attr.u32());
            route.advmss = metrics
                .nested()
                .find(RTAX_ADVMSS)
                .and_then(|attr| attr.u32());
        }
        Ok(Some(Self {
            index: number(RTA_OIF),
            route,
        }))
    }
}

/// Lists the routes of the socket's namespace.
pub fn dump() -> Request {
    Request::dump(RTM_GETROUTE).fixed(&[0; RTMSG_LEN])
}

/// Adds a route through the interface with this index, beside any other of the same destination.
pub fn add(index: u32, route: &Route) -> Request {
    let table = route.table.unwrap_or(RT_TABLE_MAIN);
    let without_gateway = if route.gateway.is_none() && route.to.address().is_ipv4() {
        SCOPE_LINK
    } else {
        SCOPE_UNIVERSE
    };
    let mut fixed = [0; RTMSG_LEN];
    fixed[0] = family(route.to.address());
    fixed[1] = route.to.prefix();
    fixed[4] = u8::try_from(table).unwrap_or(RT_TABLE_COMPAT);
    fixed[5] = RTPROT_BOOT;
    fixed[6] = route.scope.unwrap_or(without_gateway);
    fixed[7] = RTN_UNICAST;
    let mut request = Request::appending(RTM_NEWROUTE)
        .fixed(&fixed)
        .u32(RTA_OIF, index)
        .u32(RTA_TABLE, table);
    if route.to.prefix() > 0 {
        request = request.bytes(RTA_DST, &octets(route.to.address()));
    }
    if let Some(gateway) = route.gateway {
        request = request.bytes(RTA_GATEWAY, &octets(gateway));
    }
    if let Some(priority) = route.priority {
        request = request.u32(RTA_PRIORITY, priority);
    }
    if route.mtu.is_some() || route.advmss.is_some() {
        request = request.nest(RTA_METRICS, |mut metrics| {
            if let Some(mtu) = route.mtu {
                metrics = metrics.u32(RTAX_MTU, mtu);
            }
            if let Some(advmss) = route.advmss {
                metrics = metrics.u32(RTAX_ADVMSS, advmss);
            }
            metrics
        });
    }
    request
}
