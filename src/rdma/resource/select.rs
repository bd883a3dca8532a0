//! `Selector`: the device or port that a listing is limited to, in every form that iproute2 takes.

use crate::rdma::RdmaError;
use crate::wire::nldev::device::Device;

/// What a listing is limited to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// `dev DEV`.
    Device(String),
    /// `link DEV`, `link DEV/`, `link DEV/PORT`, or `link DEV/-` for what has no port.
    Link(String),
}

/// The ports of a device that are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ports {
    /// All, and what has no port.
    All,
    /// This one.
    One(u32),
    /// None: what has no port.
    Without,
}

impl Selector {
    /// The word as given.
    pub fn word(&self) -> &str {
        match self {
            Self::Device(word) | Self::Link(word) => word,
        }
    }

    /// The device that is meant, and the ports of it.
    ///
    /// A device name may itself contain `/`, so the whole word counts as a name first.
    ///
    /// # Errors
    /// [`RdmaError::NoSuchDevice`], [`RdmaError::NoSuchPort`].
    pub fn among<'a>(&self, devices: &'a [Device]) -> Result<(&'a Device, Ports), RdmaError> {
        let named = |name: &str| {
            let found = devices.iter().find(|device| device.name == name);
            found.ok_or_else(|| RdmaError::NoSuchDevice {
                name: name.to_owned(),
            })
        };
        let word = match self {
            Self::Device(name) => return Ok((named(name)?, Ports::All)),
            Self::Link(word) => word,
        };
        if let Ok(device) = named(word) {
            return Ok((device, Ports::All));
        }
        let (name, port) = word.rsplit_once('/').unwrap_or((word, ""));
        let device = named(name)?;
        let digits = port.bytes().all(|b| b.is_ascii_digit());
        match (port, port.parse()) {
            ("", _) => Ok((device, Ports::All)),
            ("-", _) => Ok((device, Ports::Without)),
            (_, Ok(port)) if digits => {
                if port == 0 || device.last_port.is_some_and(|last| port > last) {
                    return Err(RdmaError::NoSuchPort {
                        device: device.name.clone(),
                        port,
                    });
                }
                Ok((device, Ports::One(port)))
            }
            _ => named(word).map(|device| (device, Ports::All)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form() {
        let device = |name: &str| Device {
            name: name.to_owned(),
            last_port: Some(2),
            ..Device::default()
        };
        let devices = [device("mlx5_0"), device("a/1")];
        let link = |word: &str| {
            let found = Selector::Link(word.to_owned()).among(&devices);
            found
                .map(|(device, ports)| (device.name.clone(), ports))
                .ok()
        };
        let found = |name: &str, ports| Some((name.to_owned(), ports));
        assert_eq!(link("mlx5_0"), found("mlx5_0", Ports::All));
        assert_eq!(link("mlx5_0/"), found("mlx5_0", Ports::All));
        assert_eq!(link("mlx5_0/-"), found("mlx5_0", Ports::Without));
        assert_eq!(link("mlx5_0/2"), found("mlx5_0", Ports::One(2)));
        assert_eq!(link("a/1"), found("a/1", Ports::All));
        assert_eq!(link("a/1/1"), found("a/1", Ports::One(1)));
        for word in [
            "mlx5_0/0",
            "mlx5_0/3",
            "mlx5_0/x",
            "mlx5_0/+1",
            "mlx5_1",
            "/",
            "",
            "a",
        ] {
            assert_eq!(link(word), None, "{word}");
        }
        assert!(
            Selector::Device("mlx5_0/1".to_owned())
                .among(&devices)
                .is_err()
        );
    }
}
