//! How much the other parity cases of a guest have compared.

use crate::beside::{Setting, Tally};
use crate::case::{Case, case};
use crate::handle::Lab;

/// So many different lines beside each iproute2, in each setting.
const LEAST: usize = 250;

/// Cases of the other files that compare nothing line by line.
const OTHERS: [&str; 3] = [
    "parity::on_purpose",
    "parity_resource::better",
    "parity_statistic::own_dialect",
];

pub(super) fn cases() -> Vec<Case> {
    vec![case("enough_lines_in_every_setting", enough).last()]
}

fn enough(_: &Lab) {
    let tally = Tally::take();
    let missing: Vec<String> = super::all()
        .into_iter()
        .map(|case| case.name)
        .filter(|name| name.starts_with("parity") && !name.starts_with("parity_tally"))
        .filter(|name| !OTHERS.contains(&name.as_str()) && !tally.cases.contains(name))
        .collect();
    assert!(
        missing.is_empty(),
        "they have to pass before, in the same guest: {missing:?}"
    );
    for setting in Setting::ALL {
        assert!(tally.lines_in(setting) >= LEAST, "{setting:?}: {tally}");
    }
}
