//! devlink's parameters and switch mode, and the number that generic netlink gives to devlink.
//!
//! Sources: `uapi/linux/genetlink.h`, `uapi/linux/devlink.h`, `net/devlink/param.c`.

use super::{Attrs, DecodeError, Request};

/// Type of messages to the controller of generic netlink (`GENL_ID_CTRL`).
pub const GENL_ID_CTRL: u16 = 0x10;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;

/// What devlink is called there (`DEVLINK_GENL_NAME`).
pub const DEVLINK_GENL_NAME: &str = "devlink";

/// `DEVLINK_CMD_ESWITCH_GET`.
pub const ESWITCH_GET: u8 = 29;
/// `DEVLINK_CMD_ESWITCH_SET`.
pub const ESWITCH_SET: u8 = 30;
/// `DEVLINK_CMD_PARAM_GET`.
pub const PARAM_GET: u8 = 38;
/// `DEVLINK_CMD_PARAM_SET`.
pub const PARAM_SET: u8 = 39;

const BUS_NAME: u16 = 1;
const DEV_NAME: u16 = 2;
const ESWITCH_MODE: u16 = 25;
const PARAM: u16 = 80;
const PARAM_NAME: u16 = 81;
const PARAM_TYPE: u16 = 83;
const PARAM_VALUES_LIST: u16 = 84;
const PARAM_VALUE: u16 = 85;
const PARAM_VALUE_DATA: u16 = 86;
const PARAM_VALUE_CMODE: u16 = 87;

/// The value that is kept by the device and works after a reset
/// (`DEVLINK_PARAM_CMODE_PERMANENT`).
const PERMANENT: u8 = 2;

/// Bytes of `struct genlmsghdr`: command, version, two reserved.
const HEADER: usize = 4;

/// The value of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    /// `DEVLINK_VAR_ATTR_TYPE_FLAG` (6): there or not there.
    Flag(bool),
    /// 1.
    U8(u8),
    /// 2.
    U16(u16),
    /// 3.
    U32(u32),
}

impl Data {
    /// As a number; a flag is 0 or 1.
    pub fn number(self) -> u64 {
        match self {
            Self::Flag(on) => on.into(),
            Self::U8(number) => number.into(),
            Self::U16(number) => number.into(),
            Self::U32(number) => number.into(),
        }
    }

    /// Another value of the same type; `None` when it does not fit.
    pub fn with(self, number: u64) -> Option<Self> {
        match self {
            Self::Flag(_) if number > 1 => None,
            Self::Flag(_) => Some(Self::Flag(number == 1)),
            Self::U8(_) => number.try_into().ok().map(Self::U8),
            Self::U16(_) => number.try_into().ok().map(Self::U16),
            Self::U32(_) => number.try_into().ok().map(Self::U32),
        }
    }

    fn kind(self) -> u8 {
        match self {
            Self::U8(_) => 1,
            Self::U16(_) => 2,
            Self::U32(_) => 3,
            Self::Flag(_) => 6,
        }
    }
}

/// Asks for the number of devlink's messages.
pub fn family_request() -> Request {
    Request::new(GENL_ID_CTRL)
        .fixed(&[CTRL_CMD_GETFAMILY, 1, 0, 0])
        .text(CTRL_ATTR_FAMILY_NAME, DEVLINK_GENL_NAME)
}

/// Reads it.
///
/// # Errors
/// [`DecodeError`].
pub fn family(body: &[u8]) -> Result<u16, DecodeError> {
    let id = attributes(body)?.find(CTRL_ATTR_FAMILY_ID);
    id.and_then(|attr| attr.u16())
        .ok_or(DecodeError::Missing("number of devlink"))
}

/// Asks for a parameter of the device with this PCI address.
pub fn param_get(family: u16, device: &str, name: &str) -> Request {
    named(family, PARAM_GET, device, name)
}

/// Sets the permanent value of a parameter.
pub fn param_set(family: u16, device: &str, name: &str, data: Data) -> Request {
    let request = named(family, PARAM_SET, device, name)
        .u8(PARAM_TYPE, data.kind())
        .u8(PARAM_VALUE_CMODE, PERMANENT);
    match data {
        Data::Flag(false) => request,
        Data::Flag(true) => request.bytes(PARAM_VALUE_DATA, &[]),
        Data::U8(number) => request.u8(PARAM_VALUE_DATA, number),
        Data::U16(number) => request.bytes(PARAM_VALUE_DATA, &number.to_ne_bytes()),
        Data::U32(number) => request.u32(PARAM_VALUE_DATA, number),
    }
}

fn named(family: u16, command: u8, device: &str, name: &str) -> Request {
    of_device(family, command, device).text(PARAM_NAME, name)
}

fn of_device(family: u16, command: u8, device: &str) -> Request {
    Request::new(family)
        .fixed(&[command, 1, 0, 0])
        .text(BUS_NAME, "pci")
        .text(DEV_NAME, device)
}

/// Asks for the mode of the switch in the device with this PCI address.
pub fn eswitch_get(family: u16, device: &str) -> Request {
    of_device(family, ESWITCH_GET, device)
}

/// Sets the mode of the switch, by its number.
pub fn eswitch_set(family: u16, device: &str, mode: u16) -> Request {
    let request = of_device(family, ESWITCH_SET, device);
    request.bytes(ESWITCH_MODE, &mode.to_ne_bytes())
}

/// The number of the mode of a switch; `None` when the driver tells none.
///
/// # Errors
/// [`DecodeError`].
pub fn eswitch_mode(body: &[u8]) -> Result<Option<u16>, DecodeError> {
    let mode = attributes(body)?.find(ESWITCH_MODE);
    Ok(mode.and_then(|attr| attr.u16()))
}

/// The permanent value of a parameter; `None` when it has none, or one of another type.
///
/// # Errors
/// [`DecodeError`].
pub fn permanent(body: &[u8]) -> Result<Option<Data>, DecodeError> {
    let param = attributes(body)?
        .find(PARAM)
        .ok_or(DecodeError::Missing("parameter"))?
        .nested();
    let kind = param.find(PARAM_TYPE).and_then(|attr| attr.u8());
    let kind = kind.ok_or(DecodeError::Missing("type of a parameter"))?;
    let values = param
        .find(PARAM_VALUES_LIST)
        .ok_or(DecodeError::Missing("values of a parameter"))?
        .nested();
    let mut values = values
        .filter(|attr| attr.id == PARAM_VALUE)
        .map(|attr| attr.nested());
    let is_permanent = |value: &Attrs<'_>| {
        let mode = value.find(PARAM_VALUE_CMODE);
        mode.and_then(|attr| attr.u8()) == Some(PERMANENT)
    };
    let Some(value) = values.find(is_permanent) else {
        return Ok(None);
    };
    let data = value.find(PARAM_VALUE_DATA);
    Ok(match kind {
        1 => data.and_then(|attr| attr.u8()).map(Data::U8),
        2 => data.and_then(|attr| attr.u16()).map(Data::U16),
        3 => data.and_then(|attr| attr.u32()).map(Data::U32),
        6 => Some(Data::Flag(data.is_some())),
        _ => None,
    })
}

fn attributes(body: &[u8]) -> Result<Attrs<'_>, DecodeError> {
    let attributes = body.get(HEADER..);
    Ok(Attrs::new(
        attributes.ok_or(DecodeError::Truncated("generic netlink header"))?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer(kind: u8, modes: &[(u8, Option<&[u8]>)]) -> Vec<u8> {
        let values = |list: Request| {
            modes.iter().fold(list, |list, (mode, data)| {
                list.nest(PARAM_VALUE, |value| {
                    let value = match data {
                        Some(data) => value.bytes(PARAM_VALUE_DATA, data),
                        None => value,
                    };
                    value.u8(PARAM_VALUE_CMODE, *mode)
                })
            })
        };
        let request = Request::new(20)
            .fixed(&[PARAM_GET, 1, 0, 0])
            .text(BUS_NAME, "pci")
            .text(DEV_NAME, "0000:3b:00.0")
            .nest(PARAM, |param| {
                param
                    .text(PARAM_NAME, "total_vfs")
                    .u8(PARAM_TYPE, kind)
                    .nest(PARAM_VALUES_LIST, values)
            });
        request.body().to_vec()
    }

    #[test]
    fn the_permanent_value_among_others() {
        let number = 16_u32.to_ne_bytes();
        let body = answer(3, &[(1, Some(&[9, 0, 0, 0])), (2, Some(&number))]);
        assert_eq!(permanent(&body), Ok(Some(Data::U32(16))));
        let body = answer(3, &[(0, Some(&number))]);
        assert_eq!(permanent(&body), Ok(None));
    }

    #[test]
    fn a_flag_that_is_off_has_no_data() {
        assert_eq!(
            permanent(&answer(6, &[(2, Some(&[]))])),
            Ok(Some(Data::Flag(true)))
        );
        assert_eq!(
            permanent(&answer(6, &[(2, None)])),
            Ok(Some(Data::Flag(false)))
        );
        let off = param_set(20, "0000:3b:00.0", "enable_sriov", Data::Flag(false));
        let attributes = Attrs::new(&off.body()[HEADER..]);
        assert!(attributes.find(PARAM_VALUE_DATA).is_none());
        assert_eq!(attributes.find(PARAM_TYPE).unwrap().u8(), Some(6));
    }

    #[test]
    fn a_value_keeps_its_type() {
        assert_eq!(Data::U8(1).with(16), Some(Data::U8(16)));
        assert_eq!(Data::U8(1).with(256), None);
        assert_eq!(Data::Flag(false).with(1), Some(Data::Flag(true)));
        assert_eq!(Data::Flag(false).with(2), None);
        assert_eq!(Data::U32(7).number(), 7);
    }

    #[test]
    fn the_number_of_devlink() {
        let body = Request::new(GENL_ID_CTRL)
            .fixed(&[1, 2, 0, 0])
            .text(CTRL_ATTR_FAMILY_NAME, DEVLINK_GENL_NAME)
            .bytes(CTRL_ATTR_FAMILY_ID, &0x15_u16.to_ne_bytes());
        assert_eq!(family(body.body()), Ok(0x15));
        assert!(family(&[]).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let _ = permanent(&bytes);
            let _ = family(&bytes);
            let _ = eswitch_mode(&bytes);
        }
    }
}
