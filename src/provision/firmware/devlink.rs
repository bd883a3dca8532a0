//! Settings that a driver offers as permanent parameters of devlink: no tool is needed for them.
//!
//! mlx5 has `enable_sriov` and `total_vfs` since Linux 6.18. What a card lacks is refused, which is
//! the answer that another way has to be taken.

use nix::errno::Errno;

use super::card::Card;
use super::error::FirmwareError;
use super::setting::{Setting, Value};
use crate::kernel::{Conn, Host, NetlinkError};
use crate::types::PciAddr;
use crate::wire::devlink::{self, Data};

/// The parameters, and what the tools call the same setting.
const PARAMS: [(&str, &str); 2] = [("enable_sriov", "SRIOV_EN"), ("total_vfs", "NUM_OF_VFS")];

/// devlink, as this kernel numbers it.
pub struct Devlink {
    conn: Conn,
    family: u16,
}

impl Devlink {
    /// Opens it; `None` when this kernel has no devlink.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn open(host: &Host) -> Result<Option<Self>, NetlinkError> {
        let opened = crate::pci::devlink::open(host)?;
        Ok(opened.map(|(conn, family)| Self { conn, family }))
    }

    /// What the function's driver offers; `None` when not all of what makes VFs is among it. The
    /// permanent value is the next one: the present one is not told.
    ///
    /// # Errors
    /// [`NetlinkError`] other than that there is no such parameter, or no such device.
    pub fn card(&mut self, device: PciAddr) -> Result<Option<Card>, NetlinkError> {
        let mut card = Card::default();
        for (param, key) in PARAMS {
            let Some(data) = self.get(device, param)? else {
                return Ok(None);
            };
            card.take(Setting {
                key: key.to_owned(),
                is_read_only: false,
                default: None,
                current: None,
                next: Some(Value::Number(data.number())),
            });
        }
        Ok(Some(card))
    }

    /// Sets the permanent values, and reads each back.
    ///
    /// # Errors
    /// [`FirmwareError::NotAKey`] for what devlink does not have, or a number that does not fit;
    /// [`FirmwareError::Netlink`] when the kernel says no.
    pub fn set(&mut self, device: PciAddr, changes: &[(&str, u64)]) -> Result<(), FirmwareError> {
        for (key, to) in changes {
            let no_key = || FirmwareError::NotAKey {
                word: format!("{key}={to}"),
            };
            let known = PARAMS.iter().find(|(_, name)| name == key);
            let (param, _) = known.ok_or_else(no_key)?;
            let data = self.get(device, param)?.ok_or_else(no_key)?;
            let data = data.with(*to).ok_or_else(no_key)?;
            let request = devlink::param_set(self.family, &device.to_string(), param, data);
            self.conn.change(&request)?;
            if self.get(device, param)? != Some(data) {
                return Err(FirmwareError::NotKept {
                    key: (*key).to_owned(),
                    device,
                });
            }
        }
        Ok(())
    }

    fn get(&mut self, device: PciAddr, param: &str) -> Result<Option<Data>, NetlinkError> {
        let request = devlink::param_get(self.family, &device.to_string(), param);
        match self.conn.get(&request, devlink::permanent) {
            Ok(data) => Ok(data),
            // No such device or parameter (net/devlink/param.c), or none of it on this card.
            Err(NetlinkError::Refused(refusal))
                if matches!(
                    refusal.errno,
                    Errno::ENODEV | Errno::EINVAL | Errno::EOPNOTSUPP
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// The commands of iproute2 that set the same.
pub(super) fn commands(device: PciAddr, changes: &[(&str, u64)]) -> Vec<String> {
    let command = |(key, to): &(&str, u64)| {
        let (param, _) = PARAMS.iter().find(|(_, name)| name == key)?;
        let value = match (*param, to) {
            ("enable_sriov", 0) => "false".to_owned(),
            ("enable_sriov", _) => "true".to_owned(),
            _ => to.to_string(),
        };
        Some(format!(
            "devlink dev param set pci/{device} name {param} value {value} cmode permanent"
        ))
    };
    changes.iter().filter_map(command).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::{Answer, Machine};
    use crate::wire::{Attrs, Request};
    use std::sync::{Arc, Mutex};

    const DEVICE: &str = "0000:3b:00.0";
    const FAMILY: u16 = 0x15;

    /// A kernel whose card can have VFs, unless `bare`; what is set is kept, unless `forgetful`.
    fn host(machine: &Machine, has_devlink: bool, bare: bool, forgetful: bool) -> Host {
        let values = Mutex::new((false, 8_u32));
        machine.host_with(Arc::new(move |kind, body| {
            if kind == devlink::GENL_ID_CTRL {
                let id = Request::new(0)
                    .fixed(&[1, 2, 0, 0])
                    .bytes(1, &FAMILY.to_ne_bytes());
                return match has_devlink {
                    true => Answer::Data(vec![id.body().to_vec()]),
                    false => Answer::Refused(Errno::ENOENT, None),
                };
            }
            assert_eq!(kind, FAMILY);
            let attributes = Attrs::new(&body[4..]);
            assert_eq!(attributes.find(2).unwrap().text(), DEVICE);
            let name = attributes.find(81).unwrap().text();
            if bare && name == "total_vfs" {
                return Answer::Refused(
                    Errno::EOPNOTSUPP,
                    Some("SRIOV is not per PF on this device"),
                );
            }
            let mut values = values.lock().unwrap();
            if body[0] == devlink::PARAM_SET {
                let data = attributes.find(86);
                match name.as_str() {
                    _ if forgetful => {}
                    "enable_sriov" => values.0 = data.is_some(),
                    _ => values.1 = data.and_then(|attr| attr.u32()).unwrap(),
                }
                return Answer::Done;
            }
            let number = values.1.to_ne_bytes();
            let (type_, data) = match name.as_str() {
                "enable_sriov" => (6, values.0.then_some(&[][..])),
                _ => (3, Some(&number[..])),
            };
            let answer = Request::new(0).fixed(&[38, 1, 0, 0]).nest(80, |param| {
                param.u8(83, type_).nest(84, |list| {
                    list.nest(85, |value| {
                        let value = value.u8(87, 2);
                        match data {
                            Some(data) => value.bytes(86, data),
                            None => value,
                        }
                    })
                })
            });
            Answer::Data(vec![answer.body().to_vec()])
        }))
    }

    #[test]
    fn read_set_and_read_again() {
        let machine = Machine::new();
        let host = host(&machine, true, false, false);
        let mut devlink = Devlink::open(&host).unwrap().unwrap();
        let device = DEVICE.parse().unwrap();
        let card = devlink.card(device).unwrap().unwrap();
        assert_eq!(card.find("NUM_OF_VFS").and_then(Setting::coming), Some(8));
        assert_eq!(card.find("SRIOV_EN").and_then(Setting::coming), Some(0));
        devlink
            .set(device, &[("SRIOV_EN", 1), ("NUM_OF_VFS", 16)])
            .unwrap();
        let card = devlink.card(device).unwrap().unwrap();
        assert_eq!(card.find("NUM_OF_VFS").and_then(Setting::coming), Some(16));
        assert_eq!(card.find("SRIOV_EN").and_then(Setting::coming), Some(1));
        for change in [
            ("LINK_TYPE_P1", 1),
            ("SRIOV_EN", 2),
            ("NUM_OF_VFS", 1 << 40),
        ] {
            assert!(matches!(
                devlink.set(device, &[change]),
                Err(FirmwareError::NotAKey { .. })
            ));
        }
    }

    #[test]
    fn the_same_by_hand() {
        assert_eq!(
            commands(
                DEVICE.parse().unwrap(),
                &[("SRIOV_EN", 1), ("NUM_OF_VFS", 16), ("LINK_TYPE_P1", 1)]
            ),
            [
                "devlink dev param set pci/0000:3b:00.0 name enable_sriov value true cmode permanent",
                "devlink dev param set pci/0000:3b:00.0 name total_vfs value 16 cmode permanent"
            ]
        );
    }

    #[test]
    fn cards_and_kernels_without_it() {
        let machine = Machine::new();
        assert!(
            Devlink::open(&host(&machine, false, false, false))
                .unwrap()
                .is_none()
        );
        let host = host(&machine, true, true, false);
        let mut devlink = Devlink::open(&host).unwrap().unwrap();
        assert_eq!(devlink.card(DEVICE.parse().unwrap()).unwrap(), None);
    }

    #[test]
    fn what_is_not_kept_is_an_error() {
        let machine = Machine::new();
        let host = host(&machine, true, false, true);
        let mut devlink = Devlink::open(&host).unwrap().unwrap();
        assert!(matches!(
            devlink.set(DEVICE.parse().unwrap(), &[("NUM_OF_VFS", 16)]),
            Err(FirmwareError::NotKept { .. })
        ));
    }
}
