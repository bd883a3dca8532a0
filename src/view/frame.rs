//! A frame of `--watch`: what a terminal is sent to show it, a part of a page, a line of JSON.

use std::time::SystemTime;

use super::explain::Explanation;
use super::time::{clock, timestamp};
use super::{Field, Row, json};
use crate::kernel::terminal::Size;

/// What a command printed this time, and what failed.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// When it began.
    pub at: SystemTime,
    /// Its output.
    pub printed: &'a str,
    /// Why some of it is missing, or all.
    pub failed: &'a [Explanation],
}

/// The line above every frame on a terminal, but for the time.
#[derive(Debug, Clone, Copy)]
pub struct Heading<'a> {
    /// Seconds between frames.
    pub every: &'a str,
    /// The command, as it was typed.
    pub command: &'a str,
}

const HOME: &str = "\x1b[H";
const ERASE_TO_END_OF_LINE: &str = "\x1b[K";
const ERASE_BELOW: &str = "\x1b[J";

impl Frame<'_> {
    /// What draws the frame over the last one, to be written at once: nothing is erased before
    /// what takes its place is there, so nothing flickers. The cursor comes to stand below it.
    ///
    /// No mode of the terminal is changed: whatever ends the program, there is none to set back.
    pub fn drawn(&self, heading: Heading<'_>, size: Size, is_first: bool) -> String {
        let rows = self.page(heading, size);
        let columns = usize::from(size.columns);
        // What is on the screen is scrolled out of sight, not lost.
        let scroll = if is_first {
            size.lines.saturating_sub(1)
        } else {
            0
        };
        let mut out = "\n".repeat(scroll.into()) + HOME;
        for (row, left) in rows.iter().zip((0..rows.len()).rev()) {
            if left == 0 {
                out += ERASE_BELOW;
            }
            out += row;
            // Behind a full line the cursor is still on its last character, which would go too.
            if width(row) < columns {
                out += ERASE_TO_END_OF_LINE;
            }
            out.push('\n');
        }
        out
    }

    /// The rows that fit, the last line left for the cursor.
    fn page(&self, heading: Heading<'_>, size: Size) -> Vec<String> {
        let columns = usize::from(size.columns);
        let room = usize::from(size.lines).saturating_sub(1).max(1);
        let mut rows = vec![heading.line(self.at, columns), String::new()];
        let above = rows.len();
        let text = self.text();
        rows.extend(text.lines().flat_map(|line| folded(line, columns)));
        if rows.len() > room {
            let shown = room.saturating_sub(1);
            let hidden = rows.len() - shown.max(above);
            rows.truncate(shown.max(1));
            if room > 1 {
                let s = if hidden == 1 { "" } else { "s" };
                rows.push(cut(&format!("… {hidden} more line{s}"), columns));
            }
        }
        rows
    }

    /// A part of a page: the time, then what would be on a screen.
    pub fn section(&self) -> String {
        format!("{}\n{}", timestamp(self.at), self.text())
    }

    /// A line of JSON: `time`, `rows`, and `errors` if there are any. `printed` is a document.
    pub fn line(&self) -> String {
        let rows = match self.printed {
            "" => "[]".to_owned(),
            document => json::unbroken(document),
        };
        let mut line = format!("{{\"time\":\"{}\",\"rows\":{rows}", timestamp(self.at));
        if !self.failed.is_empty() {
            let errors: Vec<Row> = self.failed.iter().map(error).collect();
            line += ",\"errors\":";
            line += &json::unbroken(&json::render(&errors, false));
        }
        line + "}\n"
    }

    /// What failed comes first: of a long listing a screen shows the beginning.
    fn text(&self) -> String {
        let failed = self.failed.iter().map(Explanation::to_string);
        failed.collect::<String>() + self.printed
    }
}

impl Heading<'_> {
    /// The command on the left, the time on the right; of a long command the end is cut.
    fn line(&self, at: SystemTime, columns: usize) -> String {
        let time = clock(at);
        let left = format!("Every {} s: {}", self.every, visible(self.command));
        let Some(room) = columns.checked_sub(time.len() + 2).filter(|room| *room > 8) else {
            return cut(&left, columns);
        };
        let left = cut(&left, room);
        let gap = columns - width(&left) - time.len();
        format!("{left}{}{time}", " ".repeat(gap))
    }
}

fn error(explanation: &Explanation) -> Row {
    let headline = explanation.headline.as_str();
    let headline = headline.strip_prefix("error: ").unwrap_or(headline);
    let mut row = vec![Field::new("error", "", headline)];
    let mut more = |key, text: &Option<String>| {
        row.extend(text.as_deref().map(|text| Field::new(key, "", text)));
    };
    more("cause", &explanation.cause);
    more("fix", &explanation.cure);
    row
}

/// A line in as many rows as it needs.
fn folded(line: &str, columns: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    let mut used = 0;
    for c in visible(line.trim_end()).chars() {
        if used + cells(c) > columns && used > 0 {
            rows.push(String::new());
            used = 0;
        }
        used += cells(c);
        if let Some(row) = rows.last_mut() {
            row.push(c);
        }
    }
    rows
}

/// The beginning of a text, and a mark where something is missing.
fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut room = columns.saturating_sub(1);
    let fits = |c: &char| {
        let fits = cells(*c) <= room;
        room = room.saturating_sub(cells(*c));
        fits
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

/// Names come from anywhere; none may steer the terminal.
fn visible(text: &str) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}

fn width(text: &str) -> usize {
    text.chars().map(cells).sum()
}

/// Columns of a character at most: a line that is broken early does no harm, one that the terminal
/// breaks does. Wide characters begin with Hangul Jamo; of those before, and of the mark for what
/// is missing, each has one.
fn cells(c: char) -> usize {
    if c < '\u{1100}' || c == '…' { 1 } else { 2 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::{Duration, UNIX_EPOCH};

    const HEADING: Heading<'_> = Heading {
        every: "0.5",
        command: "rdmactl dev",
    };

    fn frame(printed: &str) -> Frame<'_> {
        Frame {
            at: UNIX_EPOCH + Duration::from_micros(1_795_239_650_000_042),
            printed,
            failed: &[],
        }
    }

    fn size(columns: u16, lines: u16) -> Size {
        Size { columns, lines }
    }

    fn page(printed: &str, columns: u16, lines: u16) -> Vec<String> {
        frame(printed).page(HEADING, size(columns, lines))
    }

    fn gone() -> Explanation {
        Explanation {
            headline: "error: No such device".to_owned(),
            cause: Some("\"x\" is away".to_owned()),
            cure: None,
        }
    }

    #[test]
    fn one_frame_over_the_other() {
        let shown = |text, is_first| frame(text).drawn(HEADING, size(50, 6), is_first);
        let heading = "Every 0.5 s: rdmactl dev      2026-11-21T05:40:50Z";
        let expected = format!("\x1b[H{heading}\n\x1b[K\na\x1b[K\n\x1b[Jb\x1b[K\n");
        assert_eq!(shown("a\nb\n", false), expected);
        // What was on the screen goes up, above it.
        assert_eq!(shown("a\nb\n", true), format!("\n\n\n\n\n{expected}"));
        assert_eq!(shown("", false), format!("\x1b[H{heading}\n\x1b[J\x1b[K\n"));
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let heading = "Every 0.5 s: rdmactl dev      2026-11-21T05:40:50Z";
        let body = "1\n2\n3\n4\n5\n";
        assert_eq!(page(body, 50, 8), [heading, "", "1", "2", "3", "4", "5"]);
        assert_eq!(
            page(body, 50, 7),
            [heading, "", "1", "2", "3", "… 2 more lines"]
        );
        assert_eq!(page(body, 50, 4), [heading, "", "… 5 more lines"]);
        assert_eq!(page(body, 50, 3), [heading, "… 5 more lines"]);
        assert_eq!(page("1\n", 50, 3), [heading, "… 1 more line"]);
        for lines in 0..3 {
            assert_eq!(page(body, 50, lines), [heading]);
        }
    }

    #[test]
    fn long_lines_go_on_below_and_a_long_heading_ends() {
        let rows = page("abcdefghij \nklm\n", 10, 24);
        assert_eq!(rows, ["Every 0.5…", "", "abcdefghij", "klm"]);
        let rows = page("abcdefghijk\n", 10, 24);
        assert_eq!(rows[2..], ["abcdefghij", "k"]);
        // A wide character never straddles the edge.
        assert_eq!(page("a漢漢\n", 4, 24)[2..], ["a漢", "漢"]);
        assert_eq!(page("", 37, 24)[0], "Every 0.5 s: r…  2026-11-21T05:40:50Z");
        // Erasing behind a full line would take its last character.
        let full = frame("abcdefghij\nx\n").drawn(HEADING, size(10, 9), false);
        assert!(full.contains("\nabcdefghij\n"), "{full:?}");
    }

    #[test]
    fn what_failed_stands_above_the_rest() {
        let failed = [gone()];
        let frame = Frame {
            failed: &failed,
            ..frame("rest\n")
        };
        let rows = frame.page(HEADING, size(80, 24));
        let error = ["error: No such device", "cause: \"x\" is away"];
        assert_eq!(rows[2..], [error[0], error[1], "rest"]);
        assert_eq!(
            frame.section(),
            format!(
                "2026-11-21T05:40:50.000042Z\n{}\n{}\nrest\n",
                error[0], error[1]
            )
        );
    }

    #[test]
    fn a_line_of_json() {
        let rows = json::render(&[vec![Field::new("a", "", 1u32)], vec![]], false);
        assert_eq!(
            frame(&rows).line(),
            "{\"time\":\"2026-11-21T05:40:50.000042Z\",\"rows\":[{\"a\":1},{}]}\n"
        );
        let failed = [gone()];
        let frame = Frame {
            failed: &failed,
            ..frame("")
        };
        assert_eq!(
            frame.line(),
            "{\"time\":\"2026-11-21T05:40:50.000042Z\",\"rows\":[],\
             \"errors\":[{\"error\":\"No such device\",\"cause\":\"\\\"x\\\" is away\"}]}\n"
        );
    }

    proptest! {
        #[test]
        fn nothing_leaves_the_screen(
            printed in "(\\PC|[\\x00-\\x1f\\x7f\\u{9b}]){0,300}", columns in 2u16..60, lines in 0u16..12,
        ) {
            let rows = page(&printed, columns, lines);
            prop_assert!(rows.len() <= usize::from(lines).saturating_sub(1).max(1));
            for row in rows {
                prop_assert!(width(&row) <= columns.into(), "{row:?}");
                prop_assert!(!row.contains(char::is_control), "{row:?}");
            }
        }
    }
}
