//! `Card`: what the firmware of one card tells of itself and its settings.

use super::setting::{Setting, Value, is_key};

/// More settings than any card has.
pub(super) const MAX_SETTINGS: usize = 4096;

/// A card as the tool describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Card {
    /// As `ConnectX6`.
    pub kind: Option<String>,
    /// Its settings, in the tool's order.
    pub settings: Vec<Setting>,
}

impl Card {
    /// A setting by its name.
    pub fn find(&self, key: &str) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.key == key)
    }

    /// Settings that a reset would change.
    pub fn pending(&self) -> impl Iterator<Item = &Setting> {
        let settings = self.settings.iter();
        settings.filter(|setting| setting.is_pending() == Some(true))
    }

    /// Whether the processors on the card own it, not the host: a restart of the host then does not
    /// load the firmware anew, and what the host sets may never take effect.
    pub fn is_dpu(&self) -> bool {
        const OWNED_BY: [&str; 3] = [
            "INTERNAL_CPU_PAGE_SUPPLIER",
            "INTERNAL_CPU_ESWITCH_MANAGER",
            "INTERNAL_CPU_IB_VPORT0",
        ];
        OWNED_BY.iter().any(|key| {
            let setting = self.find(key);
            let value =
                setting.and_then(|setting| setting.current.as_ref().or(setting.next.as_ref()));
            value.and_then(|value| value.name()) == Some("ECPF")
        })
    }

    /// With what the card offers at present (`sriov_totalvfs`), where its settings do not tell.
    pub fn offering(mut self, total_vfs: Option<u16>) -> Self {
        let Some(total) = total_vfs else {
            return self;
        };
        for setting in &mut self.settings {
            let present = match setting.key.as_str() {
                "NUM_OF_VFS" => u64::from(total),
                "SRIOV_EN" => u64::from(total > 0),
                _ => continue,
            };
            setting.current.get_or_insert(Value::Number(present));
        }
        self
    }

    /// Takes a setting unless its name is none, or has come already.
    pub(super) fn take(&mut self, setting: Setting) {
        if is_key(&setting.key)
            && self.settings.len() < MAX_SETTINGS
            && self.find(&setting.key).is_none()
        {
            self.settings.push(setting);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(key: &str, current: &str) -> Setting {
        Setting {
            key: key.to_owned(),
            is_read_only: false,
            default: None,
            current: Value::parse(current),
            next: Value::parse(current),
        }
    }

    #[test]
    fn who_owns_the_card() {
        let mut card = Card::default();
        card.take(setting("INTERNAL_CPU_ESWITCH_MANAGER", "EXT_HOST_PF(1)"));
        assert!(!card.is_dpu());
        card.take(setting("INTERNAL_CPU_PAGE_SUPPLIER", "ECPF(0)"));
        assert!(card.is_dpu());
    }

    #[test]
    fn what_is_told_is_not_outdone() {
        let mut card = Card::default();
        card.take(setting("NUM_OF_VFS", "8"));
        let mut untold = setting("SRIOV_EN", "True(1)");
        untold.current = None;
        card.take(untold);
        let card = card.offering(Some(0));
        assert_eq!(card.find("NUM_OF_VFS").and_then(Setting::working), Some(8));
        assert_eq!(card.find("SRIOV_EN").and_then(Setting::working), Some(0));
        assert_eq!(card.find("SRIOV_EN").and_then(Setting::coming), Some(1));
    }

    #[test]
    fn the_first_of_a_name_counts() {
        let mut card = Card::default();
        card.take(setting("NUM_OF_VFS", "8"));
        card.take(setting("NUM_OF_VFS", "9"));
        card.take(setting("--help", "9"));
        assert_eq!(card.settings.len(), 1);
        assert_eq!(card.find("NUM_OF_VFS").and_then(Setting::working), Some(8));
    }
}
