//! One line a record, every token with its own trailing blank, as iproute2 prints it.

use std::borrow::Borrow;

use super::Row;

/// All records.
pub fn render(rows: impl IntoIterator<Item = impl Borrow<Row>>, oneline: bool) -> String {
    let mut out = String::new();
    put(rows, oneline, &mut out);
    out
}

/// Puts all records behind `out`.
pub(super) fn put(
    rows: impl IntoIterator<Item = impl Borrow<Row>>,
    oneline: bool,
    out: &mut String,
) {
    for row in rows {
        for field in row.borrow() {
            if field.broken && field.in_text() {
                out.push(if oneline { '\\' } else { '\n' });
            }
            field.print(out);
        }
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Field;

    #[test]
    fn inner_breaks_become_backslashes() {
        let caps = Field::with_text("caps", "CAPS", "    caps: <A>".into(), vec!["A"]).broken();
        let rows = [vec![Field::new("lid", "LID", 7u32), caps]];
        assert_eq!(render(&rows, false), "lid 7 \n    caps: <A>\n");
        assert_eq!(render(&rows, true), "lid 7 \\    caps: <A>\n");
    }
}
