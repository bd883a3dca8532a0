//! Columns for a terminal.

use std::borrow::Borrow;

use comfy_table::{ContentArrangement, Table, TableStyle};

use super::Row;
use super::field::plain;

/// All records under one head a property; properties a record lacks are blank.
pub fn render(rows: &[impl Borrow<Row>], width: u16) -> String {
    let heads = heads(rows);
    if heads.is_empty() {
        return String::new();
    }
    let mut table = Table::new();
    table.load_style(TableStyle::new());
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(width);
    table.set_header(&heads);
    for row in rows {
        table.add_row(heads.iter().map(|head| {
            let mut fields = row.borrow().iter();
            fields
                .find(|field| field.head == *head)
                .map_or_else(String::new, |field| visible(&plain(&field.value)))
        }));
    }
    let count = heads.len();
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if at + 1 == count { 0 } else { 2 }));
    }
    table
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}

/// Every head once. One that the first records lack stands before what follows it in its own.
fn heads(rows: &[impl Borrow<Row>]) -> Vec<&str> {
    let mut heads: Vec<&str> = Vec::new();
    for row in rows {
        let own: Vec<&str> = row.borrow().iter().map(|field| &*field.head).collect();
        for (at, head) in own.iter().enumerate() {
            if head.is_empty() || heads.contains(head) {
                continue;
            }
            let mut later = own[at + 1..].iter();
            let next = later.find_map(|later| heads.iter().position(|known| known == later));
            heads.insert(next.unwrap_or(heads.len()), head);
        }
    }
    heads
}

/// Names come from anywhere; none may steer the terminal.
pub(super) fn visible(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Field;

    #[test]
    fn columns_line_up_and_blanks_stay_blank() {
        let rows = [
            vec![
                Field::new("ifindex", "INDEX", 0u32),
                Field::new("ifname", "NAME", "mlx5_0"),
            ],
            vec![
                Field::new("ifindex", "INDEX", 10u32),
                Field::new("fw", "FIRMWARE", "1.2\u{1b}[2J"),
            ],
        ];
        assert_eq!(
            render(&rows, 80),
            "INDEX  NAME    FIRMWARE\n0      mlx5_0\n10             1.2\u{fffd}[2J\n"
        );
        assert_eq!(render(&[] as &[Row], 80), "");
        let field = |head: &'static str| Field::new("", head, head);
        let rows = [
            vec![field("A"), field("D"), field("E")],
            vec![field("A"), field("B"), field("C"), field("E"), field("F")],
        ];
        assert_eq!(heads(&rows), ["A", "D", "B", "C", "E", "F"]);
    }
}
