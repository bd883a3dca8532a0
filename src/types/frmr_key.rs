//! `FrmrKey`: what the memory regions of one pool have in common.

use std::fmt;
use std::str::FromStr;

use super::Invalid;

/// Written as hexadecimal `VENDOR:BLOCKS:ACCESS:ATS`, as iproute2 shows and takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FrmrKey {
    /// A number of the driver.
    pub vendor: u64,
    /// DMA blocks of a region.
    pub dma_blocks: u64,
    /// `enum ib_access_flags`.
    pub access_flags: u32,
    /// Whether addresses are translated by the device.
    pub ats: bool,
}

impl fmt::Display for FrmrKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            vendor,
            dma_blocks,
            access_flags,
            ats,
        } = self;
        let ats = u8::from(*ats);
        write!(f, "{vendor:x}:{dma_blocks:x}:{access_flags:x}:{ats:x}")
    }
}

impl FromStr for FrmrKey {
    type Err = Invalid;

    fn from_str(word: &str) -> Result<Self, Invalid> {
        const FORM: &str = "write VENDOR:BLOCKS:ACCESS:ATS in hexadecimal, ATS 0 or 1";
        let invalid = |why| Invalid::new(word, "pool key", why);
        let hex = |field: &str| {
            let digits = field.strip_prefix("0x").unwrap_or(field);
            let sound = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
            sound
                .then(|| u64::from_str_radix(digits, 16).ok())
                .flatten()
        };
        let fields: Option<Vec<u64>> = word.split(':').map(hex).collect();
        let fields = fields.ok_or_else(|| invalid(FORM))?;
        let [vendor, dma_blocks, access_flags, ats, rest @ ..] = &fields[..] else {
            return Err(invalid(FORM));
        };
        if rest.iter().any(|field| *field != 0) {
            return Err(invalid("only the first four fields are known"));
        }
        Ok(Self {
            vendor: *vendor,
            dma_blocks: *dma_blocks,
            access_flags: u32::try_from(*access_flags)
                .map_err(|_| invalid("the access flags have 32 bits"))?,
            ats: match ats {
                0 => false,
                1 => true,
                _ => return Err(invalid(FORM)),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_key() {
        for word in [
            "",
            "1:2:3",
            "1:2:3:2",
            "1:2:3:1:1",
            "1:2:100000000:0",
            "g:1:1:1",
            "1::1:1",
        ] {
            assert!(word.parse::<FrmrKey>().is_err(), "{word}");
        }
        let key: FrmrKey = "0x1f:10:f:1:0".parse().unwrap();
        assert_eq!(key.to_string(), "1f:10:f:1");
    }

    proptest! {
        #[test]
        fn a_key_stays_itself(vendor: u64, dma_blocks: u64, access_flags: u32, ats: bool) {
            let key = FrmrKey { vendor, dma_blocks, access_flags, ats };
            prop_assert_eq!(key.to_string().parse::<FrmrKey>().unwrap(), key);
        }
    }
}
