//! `vf set`: what a VF is given, and whether its driver is to take it at once.

use std::time::Duration;

use clap::error::{Error, ErrorKind};
use clap::{ArgAction, Args};

use super::binding::{self, Bind};
use super::{guids, plain, unselected};
use crate::cli::words::WORDS;
use crate::cli::{Context, Failure};
use crate::kernel::netns_sysfs::NetnsSysfs;
use crate::sriov::carrying_out;
use crate::sriov::change::{self, Change, Way};
use crate::sriov::ipoib;
use crate::sriov::selector::{self, SelectError};
use crate::sriov::vf_side::{self, Identity};
use crate::sriov::wish::Wish;
use crate::types::shell::quoted;
use crate::types::{Guid, Invalid, LinkPolicy, Mac, Vlan, VlanProto};
use crate::view::explain;
use crate::view::vf::words;

/// What an address is taken back with.
const NONE: &str = "none";

/// How long a PF may take over one setting: more than what a driver gives its firmware for a command (mlx5: 60 s).
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug, Clone, Args)]
#[command(
    override_usage = "rdmactl vf set <VF> <KEY> <VALUE> [<KEY> <VALUE>]... [--rebind]",
    after_help = "What is not named stays as it is. A VF is named PF/INDEX (PF by netdev, RDMA \
                  device or PCI address), or by its own PCI address, netdev or RDMA device."
)]
pub(super) struct Set {
    /// The VF
    #[arg(value_parser = plain)]
    vf: String,
    /// Node GUID and port GUID (InfiniBand); none takes them back
    #[arg(long, value_name = "GUID", value_parser = guid, help_heading = WORDS)]
    #[arg(conflicts_with_all = ["node_guid", "port_guid"])]
    guid: Option<Guid>,
    /// Node GUID alone
    #[arg(long, alias = "node_guid", value_name = "GUID", value_parser = guid, help_heading = WORDS)]
    node_guid: Option<Guid>,
    /// Port GUID alone
    #[arg(long, alias = "port_guid", value_name = "GUID", value_parser = guid, help_heading = WORDS)]
    port_guid: Option<Guid>,
    /// MAC address (Ethernet, as all that follow but state); none takes it back
    #[arg(long, value_name = "MAC", value_parser = mac, help_heading = WORDS)]
    mac: Option<Mac>,
    /// VLAN id, 1 to 4094; none for no tag
    #[arg(long, value_name = "ID", value_parser = vlan, help_heading = WORDS)]
    vlan: Option<u16>,
    /// VLAN priority, 0 to 7
    #[arg(long, value_name = "N", value_parser = qos, help_heading = WORDS)]
    qos: Option<u8>,
    /// VLAN protocol: 802.1Q or 802.1ad
    #[arg(long, value_name = "PROTO", help_heading = WORDS)]
    proto: Option<VlanProto>,
    /// Link: auto (as the PF's port), enable or disable
    #[arg(long, value_name = "STATE", help_heading = WORDS)]
    state: Option<LinkPolicy>,
    /// Let it change what otherwise only the PF may
    #[arg(long, action = ArgAction::Set, value_name = "on|off", value_parser = on_off, help_heading = WORDS)]
    trust: Option<bool>,
    /// Drop frames with another source address than its own
    #[arg(long, action = ArgAction::Set, value_name = "on|off", value_parser = on_off, help_heading = WORDS)]
    spoofchk: Option<bool>,
    /// Mbit/s that it is guaranteed; 0 for none
    #[arg(long, alias = "min_tx_rate", value_name = "N", value_parser = rate, help_heading = WORDS)]
    min_rate: Option<u32>,
    /// Mbit/s that it may send; 0 for all
    #[arg(long, alias = "max_tx_rate", value_name = "N", value_parser = rate, help_heading = WORDS)]
    max_rate: Option<u32>,
    /// Let it read the hash key and table of receive-side scaling
    #[arg(long, alias = "query_rss", action = ArgAction::Set, value_name = "on|off", value_parser = on_off, help_heading = WORDS)]
    query_rss: Option<bool>,
    /// Bind its driver again where it still goes by another address
    #[arg(long)]
    rebind: bool,
}

/// Zero and all ones are what a device without a GUID has.
fn guid(word: &str) -> Result<Guid, Invalid> {
    if word == NONE {
        return Ok(Guid::new(0));
    }
    let guid: Guid = word.parse()?;
    let rule = "all zeros and all ones mean that there is none; write none to take it back";
    let sound = guid.is_assignable().then_some(guid);
    sound.ok_or_else(|| Invalid::new(word, "GUID", rule))
}

/// As `is_valid_ether_addr` (`linux/etherdevice.h`).
fn mac(word: &str) -> Result<Mac, Invalid> {
    if word == NONE {
        return Ok(Mac::new([0; 6]));
    }
    let mac: Mac = word.parse()?;
    let bad = |rule| Err(Invalid::new(word, "MAC address", rule));
    match mac {
        _ if mac.is_zero() => bad("all zeros mean that there is none; write none to take it back"),
        _ if mac.bytes()[0] & 1 == 1 => bad("an odd first byte is the address of a group"),
        _ => Ok(mac),
    }
}

fn vlan(word: &str) -> Result<u16, Invalid> {
    let id = if word == NONE {
        Some(0)
    } else {
        word.parse().ok()
    };
    let sound = id.filter(|id| *id <= Vlan::MAX_ID);
    sound.ok_or_else(|| Invalid::new(word, "VLAN id", "write 1 to 4094, or none"))
}

fn qos(word: &str) -> Result<u8, Invalid> {
    let qos = word.parse().ok().filter(|qos| *qos <= Vlan::MAX_QOS);
    qos.ok_or_else(|| Invalid::new(word, "VLAN priority", "write 0 to 7"))
}

/// The kernel keeps both limits in a signed number (`struct ifla_vf_info`).
fn rate(word: &str) -> Result<u32, Invalid> {
    let rate = word.parse().ok().filter(|rate| *rate <= i32::MAX as u32);
    let rule = "write a whole number of Mbit/s, 0 for no limit";
    rate.ok_or_else(|| Invalid::new(word, "rate", rule))
}

fn on_off(word: &str) -> Result<bool, Invalid> {
    match word {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(Invalid::new(word, "switch", "write on or off")),
    }
}

impl Set {
    fn wish(&self) -> Wish {
        Wish {
            node_guid: self.guid.or(self.node_guid),
            port_guid: self.guid.or(self.port_guid),
            mac: self.mac,
            vlan: self.vlan,
            qos: self.qos,
            proto: self.proto,
            state: self.state,
            trust: self.trust,
            spoofchk: self.spoofchk,
            min_rate: self.min_rate,
            max_rate: self.max_rate,
            query_rss: self.query_rss,
        }
    }

    pub(super) fn run(self, cx: &mut Context<'_>) -> Result<(), Failure> {
        let wish = self.wish();
        if wish == Wish::default() {
            let what = "nothing is named that is to be set; see rdmactl vf set --help\n";
            let error = Error::raw(ErrorKind::MissingRequiredArgument, what);
            return Err(Failure::Words(error));
        }
        let own = NetnsSysfs::of_caller(cx.host);
        let sysfs = own.as_ref().map_or(cx.host.sysfs(), NetnsSysfs::tree);
        let (pf, vf) = selector::vf(sysfs, &self.vf).map_err(unselected)?;
        let word = quoted(&self.vf);
        let failed = |error| Failure::from(explain::vf_change::explain(&error, &word));
        let _claims = match cx.dry_run {
            true => Vec::new(),
            false => guids::claim(cx, &wish)?,
        };
        guids::require_free(cx, vf, &wish)?;
        let mut change = change::plan(cx.host, &pf, vf, &wish, cx.force).map_err(failed)?;
        change.limit = Some(PATIENCE);
        let unread = |error| unselected(SelectError::Sysfs(error));
        let identity = Identity::from(&wish);
        let stale = vf_side::read(sysfs, vf).map_err(unread)?.stale(&identity);
        let rebind = (self.rebind && !stale.is_empty()).then(|| Bind::to_its_own(vf));
        let mut steps = self.steps(&change);
        if let Some(bind) = &rebind {
            // Whoever uses the VF is named before anything is changed.
            steps.extend(bind.steps(cx, &pf, vf, binding::Way::Rebind)?);
        }
        if cx.plan_all(|| steps)? {
            return Ok(());
        }
        let mut notes = Vec::new();
        let outcome = carrying_out::apply(cx.host, change, &wish, cx.force, &mut notes);
        for note in &notes {
            cx.note(words::note(note));
        }
        match (outcome.map_err(failed), rebind) {
            (Ok(()), Some(bind)) => bind.run(cx, binding::Way::Rebind).inspect_err(|_| {
                cx.note(format!("what was set for VF {word} stays set"));
            })?,
            // Programs get their array, done or not.
            (outcome, _) => cx.changed(outcome)?,
        }
        let side = vf_side::read(sysfs, vf).map_err(unread)?;
        let stale = side.stale(&identity);
        if self.rebind && !side.stale(&identity.given()).is_empty() {
            return Err(explain::vf_change::still(&word, &stale).into());
        }
        // What was taken back and bound again goes by whatever its driver found.
        if let Some(note) = words::stale(&word, &stale).filter(|_| !self.rebind) {
            cx.note(note);
        }
        if identity != Identity::default() && side.is_out_of_sight() {
            cx.note(words::out_of_sight(&word, &side));
        }
        Ok(())
    }

    fn steps(&self, change: &Change) -> Vec<String> {
        let load = matches!(change.way, Way::Ipoib) && !change.steps.is_empty();
        let load = load.then(|| format!("load the module {}", ipoib::MODULE));
        let steps = change.steps.iter();
        let steps = steps.map(|step| words::step(&self.vf, step));
        load.into_iter().chain(steps).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_at_their_edges() {
        assert_eq!(guid(NONE).unwrap(), Guid::new(0));
        for word in ["0x0011223344556677", "0011:2233:4455:6677"] {
            assert_eq!(guid(word).unwrap().value(), 0x0011_2233_4455_6677);
        }
        for word in ["00:00:00:00:00:00:00:00", "ffff:ffff:ffff:ffff"] {
            assert!(
                guid(word).unwrap_err().to_string().contains("write none"),
                "{word}"
            );
        }
        assert!(mac(NONE).unwrap().is_zero());
        assert!(mac("02:00:00:00:00:01").is_ok());
        for word in ["00:00:00:00:00:00", "01:00:5e:00:00:01", "02:00:00:00:00"] {
            assert!(mac(word).is_err(), "{word}");
        }
        assert_eq!(
            (vlan("0"), vlan(NONE), vlan("4094")),
            (Ok(0), Ok(0), Ok(4094))
        );
        assert!(vlan("4095").is_err() && vlan("-1").is_err() && vlan("").is_err());
        assert_eq!(qos("7"), Ok(7));
        assert!(qos("8").is_err());
        assert_eq!(rate("2147483647"), Ok(2_147_483_647));
        assert!(rate("2147483648").is_err() && rate("10G").is_err());
        assert!(on_off("on").unwrap() && !on_off("off").unwrap() && on_off("o").is_err());
    }
}
