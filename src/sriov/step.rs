//! `Step`: one setting of a VF, and what it was.

use crate::wire::link::vf::VfSetting;

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What is set.
    pub setting: VfSetting,
    /// What it was; `None` when the PF does not tell.
    pub before: Option<VfSetting>,
}
