//! `resource show`: the counts of a device as a row.

use crate::view::{Field, Row};
use crate::wire::nldev::resource::Summary;

/// The row of one device, under the kernel's names of the kinds; where the kernel says how many
/// there can be, behind the count, as iproute2 has it since 7.3.
pub fn row(summary: &Summary) -> Row {
    let mut row = vec![
        Field::head("ifindex", "INDEX", summary.device_index),
        Field::head("ifname", "NAME", summary.device.as_str()),
    ];
    for count in &summary.counts {
        let (name, current) = (count.name.clone(), count.current);
        let head = name.to_uppercase();
        let Some(max) = count.max else {
            row.push(Field::new(name, head, current));
            continue;
        };
        let text = format!("{name} {current}/{max} ");
        let most = format!("{name}-max");
        row.push(Field::with_text(name, head.clone(), text, current));
        row.push(Field::new(most, format!("{head} MAX"), max).not_in_text());
    }
    row
}
