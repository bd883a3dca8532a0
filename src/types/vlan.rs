//! `Vlan`: the VLAN that a PF puts around the frames of a VF.

use std::fmt;
use std::str::FromStr;

use super::Invalid;

/// The EtherType of a VLAN tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum VlanProto {
    /// 802.1Q, the usual one.
    #[default]
    Q,
    /// 802.1ad, a provider's outer tag.
    Ad,
}

impl VlanProto {
    /// `ETH_P_8021Q` or `ETH_P_8021AD` (`uapi/linux/if_ether.h`), as a number.
    pub const fn ether_type(self) -> u16 {
        match self {
            Self::Q => 0x8100,
            Self::Ad => 0x88a8,
        }
    }

    /// The protocol with this EtherType; a driver that fills none in means 802.1Q.
    pub const fn from_ether_type(number: u16) -> Option<Self> {
        match number {
            0 | 0x8100 => Some(Self::Q),
            0x88a8 => Some(Self::Ad),
            _ => None,
        }
    }

    /// The word of `ip link`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Q => "802.1Q",
            Self::Ad => "802.1ad",
        }
    }
}

impl fmt::Display for VlanProto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for VlanProto {
    type Err = Invalid;

    /// In any case, as `ip link` takes it.
    fn from_str(word: &str) -> Result<Self, Invalid> {
        let mut all = [Self::Q, Self::Ad].into_iter();
        all.find(|each| each.as_str().eq_ignore_ascii_case(word))
            .ok_or_else(|| Invalid::new(word, "VLAN protocol", "write 802.1Q or 802.1ad"))
    }
}

/// The tag of a VF's frames; id 0 with QoS 0 is no tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Vlan {
    /// 0 to 4094.
    pub id: u16,
    /// Priority, 0 to 7.
    pub qos: u8,
    /// Kind of tag.
    pub proto: VlanProto,
}

impl Vlan {
    /// The largest id; 4095 is reserved (IEEE 802.1Q).
    pub const MAX_ID: u16 = 4094;
    /// The largest priority.
    pub const MAX_QOS: u8 = 7;
}

impl fmt::Display for Vlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, qos, proto } = self;
        write!(f, "{id} qos {qos} proto {proto}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols() {
        for (word, number) in [("802.1Q", 0x8100), ("802.1ad", 0x88a8)] {
            let proto: VlanProto = word.parse().unwrap();
            assert_eq!(
                (proto.ether_type(), proto.to_string().as_str()),
                (number, word)
            );
            assert_eq!(VlanProto::from_ether_type(number), Some(proto));
        }
        assert_eq!("802.1AD".parse::<VlanProto>(), Ok(VlanProto::Ad));
        assert!("qinq".parse::<VlanProto>().is_err());
        assert_eq!(VlanProto::from_ether_type(0), Some(VlanProto::Q));
        assert_eq!(VlanProto::from_ether_type(0x86dd), None);
        let vlan = Vlan {
            id: 100,
            qos: 3,
            proto: VlanProto::Ad,
        };
        assert_eq!(vlan.to_string(), "100 qos 3 proto 802.1ad");
    }
}
