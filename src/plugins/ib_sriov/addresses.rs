//! The addresses of the container's interface: from the IPAM plugin, and onto the interface.

use nix::errno::Errno;

use crate::attachment::AttachError;
use crate::cni::ipam::Ipam;
use crate::cni::prev_result::PrevResult;
use crate::cni::result::{CniResult, Ip, Route as Wanted};
use crate::cni::{Call, Code, Config, Failure};
use crate::kernel::{Host, Netns, sysctl};
use crate::netdev::addressing;
use crate::plugins::attach_fault::attach;
use crate::wire::link::message::Link;
use crate::wire::route::Route;

/// The IPAM plugin of the configuration, looked for before anything is changed.
///
/// # Errors
/// Code 7; `dhcp` cannot serve IPoIB, as Go's plugin knows too.
pub fn plugin(config: &Config<'_>, call: &Call) -> Result<Option<Ipam>, Failure> {
    let ipam = Ipam::of(config, call)?;
    match ipam {
        Some(ipam) if ipam.kind() == "dhcp" => Err(Failure::new(
            Code::INVALID_CONFIG,
            "ipam type dhcp is not supported",
        )
        .details("dhcp needs an Ethernet address; use host-local, static or whereabouts")),
        ipam => Ok(ipam),
    }
}

/// What the plugins before this one told, to which its own is added; nothing when it is the first.
///
/// # Errors
/// Code 7.
pub fn previous(config: &Config<'_>) -> Result<CniResult, Failure> {
    let Some(prev) = PrevResult::of(config)? else {
        return Ok(CniResult::default());
    };
    CniResult::decode(&prev.document(), &config.version).map_err(|error| {
        Failure::new(
            Code::INVALID_CONFIG,
            format!("could not parse prevResult: {error}"),
        )
    })
}

/// Puts addresses and routes onto an interface of the container.
///
/// # Errors
/// Code 7 when there is no address, and what the kernel refuses.
pub fn configure(
    host: &Host,
    netns: &Netns,
    link: &Link,
    result: &CniResult,
) -> Result<(), Failure> {
    if result.ips.is_empty() {
        return Err(Failure::new(
            Code::INVALID_CONFIG,
            "IPAM plugin returned missing IP config",
        )
        .details("the plugin answered without an address; see its configuration"));
    }
    let v6 = result.ips.iter().any(|ip| ip.address.address().is_ipv6());
    netns
        .within(|| -> Result<(), AttachError> {
            if v6 {
                // A container that was made without IPv6 gets it where it needs it.
                for (name, value) in [
                    ("lo/disable_ipv6", "0"),
                    (&*format!("{}/disable_ipv6", link.name), "0"),
                    (&*format!("{}/keep_addr_on_down", link.name), "1"),
                ] {
                    match sysctl::write(host, &format!("net/ipv6/conf/{name}"), value) {
                        Err(error) if error.source.raw_os_error() == Some(Errno::ENOENT as i32) => {
                        }
                        outcome => outcome?,
                    }
                }
            }
            let mut conn = host.route()?;
            for ip in &result.ips {
                addressing::add(&mut conn, link, ip.address)?;
            }
            if v6 {
                addressing::await_detection(&mut conn, link)?;
            }
            for route in &result.routes {
                addressing::add_route(&mut conn, link, &onto(route, &result.ips))?;
            }
            Ok(())
        })
        .map_err(AttachError::from)
        .and_then(|outcome| outcome)
        .map_err(|error| attach(&error))
}

/// A route without gateway goes by way of the first gateway of its family, unless its scope is
/// the link's.
pub fn onto(wanted: &Wanted, ips: &[Ip]) -> Route {
    let v4 = wanted.dst.address().is_ipv4();
    let default = || {
        let gateways = ips.iter().filter_map(|ip| ip.gateway);
        gateways
            .filter(|_| wanted.scope.is_none_or(|scope| scope < 253))
            .find(|gateway| gateway.is_ipv4() == v4)
    };
    Route {
        to: wanted.dst,
        gateway: wanted.gw.or_else(default),
        priority: wanted.priority,
        table: wanted.table,
        scope: wanted.scope,
        mtu: wanted.mtu,
        advmss: wanted.advmss,
    }
}
