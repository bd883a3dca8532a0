//! `Access`: the way to the settings of one card, the one without a tool first.

use super::card::Card;
use super::devlink::Devlink;
use super::error::FirmwareError;
use super::outcome::Outcome;
use super::tool::Tool;
use super::wish::Wish;
use crate::kernel::Host;
use crate::types::PciAddr;

/// A way that leads to all settings that a wish is about.
pub enum Access {
    /// The driver's permanent parameters.
    Devlink(Devlink),
    /// `mstconfig` or `mlxconfig`.
    Tool(Tool),
}

impl Access {
    /// Finds a way, and what is set now. `total_vfs` is what the card offers at present, which the
    /// ways that know only of the time after a reset do not tell.
    ///
    /// # Errors
    /// [`FirmwareError`]; [`FirmwareError::NoTool`] when the driver does not do.
    pub fn find(
        host: &Host,
        device: PciAddr,
        wish: &Wish,
        total_vfs: Option<u16>,
    ) -> Result<(Self, Card), FirmwareError> {
        // No driver offers the type of its ports.
        if wish.link_types.is_empty()
            && let Some(mut devlink) = Devlink::open(host)?
            && let Some(card) = devlink.card(device)?
        {
            return Ok((Self::Devlink(devlink), card.offering(total_vfs)));
        }
        let tool = Tool::find(host)?;
        let card = tool.query(device)?;
        Ok((Self::Tool(tool), card.offering(total_vfs)))
    }

    /// Changes settings, and says what has to happen then.
    ///
    /// # Errors
    /// [`FirmwareError`].
    pub fn set(
        &mut self,
        device: PciAddr,
        changes: &[(&str, u64)],
    ) -> Result<Outcome, FirmwareError> {
        match self {
            // A driver does not say whether a restart will do.
            Self::Devlink(devlink) => devlink.set(device, changes).map(|()| Outcome::Unsaid),
            Self::Tool(tool) => tool.set(device, changes),
        }
    }

    /// The commands that a person would type for it.
    pub fn commands(&self, device: PciAddr, changes: &[(&str, u64)]) -> Vec<String> {
        match self {
            Self::Devlink(_) => super::devlink::commands(device, changes),
            Self::Tool(tool) => vec![tool.command(device, changes)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::{Answer, Machine};
    use crate::provision::firmware::{Judgement, LinkType, judge};
    use crate::wire::devlink::GENL_ID_CTRL;
    use nix::errno::Errno;
    use std::sync::Arc;

    const TABLE: &str = include_str!("../../../tests/fixtures/firmware/one-column.txt");

    fn machine() -> Machine {
        Machine::new().file("card.txt", TABLE).program(
            "usr/bin/mlxconfig",
            "[ \"$3\" != -j ] && cat \"${0%/*}/../../card.txt\"",
        )
    }

    #[test]
    fn a_tool_where_there_is_no_devlink() {
        let machine = machine();
        let host = machine.host_with(Arc::new(|kind, _| {
            assert_eq!(kind, GENL_ID_CTRL);
            Answer::Refused(Errno::ENOENT, None)
        }));
        let device = "0000:09:00.0".parse().unwrap();
        let wish = Wish {
            vfs: Some(4),
            ..Wish::default()
        };
        let (access, card) = Access::find(&host, device, &wish, Some(2)).unwrap();
        assert_eq!(
            access.commands(device, &[("NUM_OF_VFS", 8)]),
            ["mlxconfig -d 0000:09:00.0 set NUM_OF_VFS=8"]
        );
        // The table tells of the next value alone, sysfs of the present one.
        let pending = Judgement::Pending {
            key: "NUM_OF_VFS".to_owned(),
            from: Some(2),
            to: 4,
        };
        assert_eq!(judge(&card, &wish)[1], pending);
    }

    #[test]
    fn link_types_need_a_tool() {
        let machine = machine();
        let host = machine.host_with(Arc::new(|_, _| panic!("devlink is not asked")));
        let wish = Wish {
            vfs: None,
            link_types: [(2, LinkType::Infiniband)].into(),
        };
        let device = "0000:09:00.0".parse().unwrap();
        let (access, card) = Access::find(&host, device, &wish, None).unwrap();
        assert!(matches!(access, Access::Tool(_)));
        let change = Judgement::Change {
            key: "LINK_TYPE_P2".to_owned(),
            from: None,
            to: 1,
        };
        assert_eq!(judge(&card, &wish), [change]);
    }
}
