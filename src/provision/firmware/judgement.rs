//! `Judgement`: what a card's firmware has, against what is wished for.

use super::card::Card;
use super::setting::Setting;
use super::wish::Wish;

/// One setting, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// It is as wished, and stays so.
    Fulfilled {
        /// The setting.
        key: String,
    },
    /// It has to be changed.
    Change {
        /// The setting.
        key: String,
        /// What the firmware works with.
        from: Option<u64>,
        /// What it is to work with.
        to: u64,
    },
    /// It is changed already, and a reset has to come.
    Pending {
        /// The setting.
        key: String,
        /// What the firmware works with.
        from: Option<u64>,
        /// What it will work with.
        to: u64,
    },
    /// It cannot be changed, and is not as wished.
    Impossible {
        /// The setting.
        key: String,
        /// Why.
        obstacle: Obstacle,
        /// What it would have to be.
        to: u64,
    },
}

/// Why a setting cannot be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// The card does not have it: a port of fixed type, or no SR-IOV.
    Absent,
    /// It is read-only.
    ReadOnly,
    /// Processors on the card own it: a restart of the host would not load it.
    Dpu,
}

const ENABLED: &str = "SRIOV_EN";
const VFS: &str = "NUM_OF_VFS";
/// Where this is on, every PF has a number of its own.
const OWN_VFS_ON: &str = "PF_NUM_OF_VF_VALID";
const OWN_VFS: &str = "PF_NUM_OF_VF";

/// Judges every setting that the wish is about, in the order in which they are to be set.
pub fn judge(card: &Card, wish: &Wish) -> Vec<Judgement> {
    let mut judgements = Vec::new();
    if let Some(vfs) = wish.vfs.filter(|vfs| *vfs > 0) {
        // Older cards have no switch: they have VFs when the number is not 0.
        if card.find(ENABLED).is_some() {
            judgements.push(of(card, ENABLED, 1, |number| number == 1));
        }
        let own = card.find(OWN_VFS_ON).and_then(Setting::coming) == Some(1);
        let key = if own { OWN_VFS } else { VFS };
        // Never lowered: other PFs of the card may need more.
        let wanted = u64::from(vfs);
        judgements.push(of(card, key, wanted, |number| number >= wanted));
    }
    for (port, link_type) in &wish.link_types {
        let wanted = link_type.number();
        let key = format!("LINK_TYPE_P{port}");
        judgements.push(of(card, &key, wanted, |number| number == wanted));
    }
    judgements
}

fn of(card: &Card, key: &str, wanted: u64, fulfils: impl Fn(u64) -> bool) -> Judgement {
    let key = key.to_owned();
    let Some(setting) = card.find(&key) else {
        return Judgement::Impossible {
            key,
            obstacle: Obstacle::Absent,
            to: wanted,
        };
    };
    let now = setting.working().is_some_and(&fulfils);
    let then = setting.coming().is_some_and(&fulfils);
    let from = setting.current.as_ref().and_then(|value| value.number());
    match (now, then) {
        (true, true) => Judgement::Fulfilled { key },
        (false, true) => Judgement::Pending {
            key,
            from,
            to: setting.coming().unwrap_or(wanted),
        },
        (_, false) => {
            let obstacle = match setting.is_read_only {
                true => Some(Obstacle::ReadOnly),
                false => card.is_dpu().then_some(Obstacle::Dpu),
            };
            match obstacle {
                Some(obstacle) => Judgement::Impossible {
                    key,
                    obstacle,
                    to: wanted,
                },
                None => Judgement::Change {
                    key,
                    from,
                    to: wanted,
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provision::firmware::{LinkType, Value, table};

    /// `KEY CURRENT NEXT`, and `RO` behind it.
    fn card(rows: &[&str]) -> Card {
        let mut card = Card::default();
        for row in rows {
            let words: Vec<&str> = row.split(' ').collect();
            card.take(Setting {
                key: words[0].to_owned(),
                is_read_only: words.get(3) == Some(&"RO"),
                default: None,
                current: Value::parse(words[1]),
                next: Value::parse(words[2]),
            });
        }
        card
    }

    fn words(card: &Card, wish: &Wish) -> Vec<String> {
        let number = |number: Option<u64>| number.map_or_else(|| "?".to_owned(), |n| n.to_string());
        let word = |judgement| match judgement {
            Judgement::Fulfilled { key } => format!("{key} ok"),
            Judgement::Change { key, from, to } => format!("{key} {}->{to}", number(from)),
            Judgement::Pending { key, from, to } => format!("{key} {}..{to}", number(from)),
            Judgement::Impossible { key, obstacle, to } => format!("{key} no {to} {obstacle:?}"),
        };
        judge(card, wish).into_iter().map(word).collect()
    }

    fn vfs(vfs: u16) -> Wish {
        Wish {
            vfs: Some(vfs),
            ..Wish::default()
        }
    }

    #[test]
    fn vfs_are_enabled_and_never_fewer() {
        let bare = card(&["SRIOV_EN False(0) False(0)", "NUM_OF_VFS 0 0"]);
        assert_eq!(words(&bare, &vfs(8)), ["SRIOV_EN 0->1", "NUM_OF_VFS 0->8"]);
        assert!(words(&bare, &vfs(0)).is_empty());
        let ready = card(&["SRIOV_EN True(1) True(1)", "NUM_OF_VFS 16 16"]);
        assert_eq!(words(&ready, &vfs(8)), ["SRIOV_EN ok", "NUM_OF_VFS ok"]);
        // Somebody has set fewer, and the restart is still to come.
        let lowered = card(&["SRIOV_EN True(1) True(1)", "NUM_OF_VFS 16 4"]);
        assert_eq!(words(&lowered, &vfs(8))[1], "NUM_OF_VFS 16->8");
        let set = card(&["SRIOV_EN False(0) True(1)", "NUM_OF_VFS 0 16"]);
        assert_eq!(words(&set, &vfs(8)), ["SRIOV_EN 0..1", "NUM_OF_VFS 0..16"]);
    }

    #[test]
    fn cards_that_differ() {
        let no_switch = card(&["NUM_OF_VFS 0 0"]);
        assert_eq!(words(&no_switch, &vfs(8)), ["NUM_OF_VFS 0->8"]);
        let none = card(&["SRIOV_EN True(1) True(1)"]);
        assert_eq!(words(&none, &vfs(8))[1], "NUM_OF_VFS no 8 Absent");
        let own = card(&[
            "NUM_OF_VFS 0 0",
            "PF_NUM_OF_VF_VALID True(1) True(1)",
            "PF_NUM_OF_VF 8 8",
        ]);
        assert_eq!(words(&own, &vfs(8)), ["PF_NUM_OF_VF ok"]);
        let locked = card(&["NUM_OF_VFS 4 4 RO"]);
        assert_eq!(words(&locked, &vfs(8)), ["NUM_OF_VFS no 8 ReadOnly"]);
        assert_eq!(words(&locked, &vfs(4)), ["NUM_OF_VFS ok"]);
        let dpu = card(&["NUM_OF_VFS 4 4", "INTERNAL_CPU_IB_VPORT0 ECPF(0) ECPF(0)"]);
        assert_eq!(words(&dpu, &vfs(8)), ["NUM_OF_VFS no 8 Dpu"]);
        assert_eq!(words(&dpu, &vfs(4)), ["NUM_OF_VFS ok"]);
        // A tool that tells the next values alone: they are taken for the present ones.
        let old = card(&["NUM_OF_VFS N/A 4"]);
        assert_eq!(words(&old, &vfs(4)), ["NUM_OF_VFS ok"]);
        assert_eq!(words(&old, &vfs(8)), ["NUM_OF_VFS ?->8"]);
    }

    #[test]
    fn link_types_by_port() {
        let text = include_str!("../../../tests/fixtures/firmware/three-columns.txt");
        let ports = table::read(text).unwrap();
        let wish = Wish {
            vfs: None,
            link_types: [
                (1, LinkType::Infiniband),
                (2, LinkType::Ethernet),
                (3, LinkType::Ethernet),
            ]
            .into(),
        };
        assert_eq!(
            words(&ports, &wish),
            [
                "LINK_TYPE_P1 ok",
                "LINK_TYPE_P2 1->2",
                "LINK_TYPE_P3 no 2 Absent"
            ]
        );
        // VPI: the port finds out what it is connected to, which is no promise.
        let senses = card(&["LINK_TYPE_P1 VPI(3) VPI(3)"]);
        let wish = Wish {
            vfs: None,
            link_types: [(1, LinkType::Infiniband)].into(),
        };
        assert_eq!(words(&senses, &wish), ["LINK_TYPE_P1 3->1"]);
    }
}
