//! `PciAddr`: the address of one PCI function.

use std::fmt;
use std::str::FromStr;

use super::Invalid;

/// Domain, bus, device and function, as sysfs spells them: `0000:01:10.2`.
///
/// Domains above `ffff` exist (VMD puts its buses there), hence 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PciAddr {
    domain: u32,
    bus: u8,
    device: u8,
    function: u8,
}

impl PciAddr {
    /// The number of the function, 0 to 7.
    pub const fn function(self) -> u8 {
        self.function
    }

    /// The address of a virtual function of this physical one, whose `First VF Offset` and `VF Stride` these are (PCI
    /// Express, SR-IOV capability); `None` when it would lie outside the domain.
    pub fn virtual_function(self, offset: u16, stride: u16, index: u16) -> Option<Self> {
        let own = u32::from(self.bus) << 8 | u32::from(self.device) << 3 | u32::from(self.function);
        let number = own + u32::from(offset) + u32::from(stride) * u32::from(index);
        Some(Self {
            domain: self.domain,
            bus: u8::try_from(number >> 8).ok()?,
            device: (number >> 3 & 0x1f) as u8,
            function: (number & 7) as u8,
        })
    }

    /// The first function of the same device.
    pub const fn first(self) -> Self {
        Self {
            function: 0,
            ..self
        }
    }
}

impl fmt::Display for PciAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:04x}:{:02x}:{:02x}.{:x}",
            self.domain, self.bus, self.device, self.function
        )
    }
}

impl FromStr for PciAddr {
    type Err = Invalid;

    /// `DDDD:BB:DD.F`; the domain has four to eight digits and may be left out when it is zero.
    fn from_str(word: &str) -> Result<Self, Invalid> {
        let bad = || {
            Invalid::new(
                word,
                "PCI address",
                "write domain:bus:device.function, as 0000:01:10.2",
            )
        };
        let hex = |digits: &str, min: usize, max: usize| {
            let sound = (min..=max).contains(&digits.len())
                && digits.bytes().all(|b| b.is_ascii_hexdigit());
            sound
                .then(|| u32::from_str_radix(digits, 16).ok())
                .flatten()
                .ok_or_else(bad)
        };
        let (rest, function) = word.rsplit_once('.').ok_or_else(bad)?;
        let (rest, device) = rest.rsplit_once(':').ok_or_else(bad)?;
        let (domain, bus) = rest.rsplit_once(':').unwrap_or(("0000", rest));
        let function = hex(function, 1, 1)?;
        let device = hex(device, 2, 2)?;
        let bus = hex(bus, 2, 2)?;
        let domain = hex(domain, 4, 8)?;
        if function > 7 || device > 0x1f {
            return Err(bad());
        }
        Ok(Self {
            domain,
            bus: bus as u8,
            device: device as u8,
            function: function as u8,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_form_is_the_name_in_sysfs() {
        for (word, canonical) in [
            ("0000:01:10.2", "0000:01:10.2"),
            ("0000:AF:00.1", "0000:af:00.1"),
            ("01:10.2", "0000:01:10.2"),
            ("10000:e1:00.0", "10000:e1:00.0"),
        ] {
            assert_eq!(word.parse::<PciAddr>().unwrap().to_string(), canonical);
        }
    }

    #[test]
    fn virtual_functions_are_counted_from_their_physical_one() {
        let pf: PciAddr = "10000:01:00.1".parse().unwrap();
        let vf = |offset, stride, index| {
            let vf = pf.virtual_function(offset, stride, index);
            vf.map(|vf| vf.to_string())
        };
        assert_eq!(vf(1, 1, 0).as_deref(), Some("10000:01:00.2"));
        assert_eq!(vf(128, 2, 3).as_deref(), Some("10000:01:10.7"));
        assert_eq!(vf(2, 1, 253).as_deref(), Some("10000:02:00.0"));
        assert_eq!(vf(u16::MAX, u16::MAX, 1), None);
    }

    #[test]
    fn no_path_passes_for_an_address() {
        for word in [
            "",
            "../../etc",
            "../../pci/devices/0000:01:10.0",
            "0000:1:10.2",
            "0000:01:10.8",
            "0000:01:20.0",
            "000:01:10.2",
            "0000:01:10.",
            "0000:01:10.2 ",
            "0000:+1:10.2",
            "100000000:01:10.2",
            "mlx5_core.sf.4",
        ] {
            assert!(word.parse::<PciAddr>().is_err(), "{word}");
        }
    }
}
