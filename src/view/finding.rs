//! Findings of the doctor: blocks that can be read at 80 columns, and objects for programs.

use super::explain;
use super::namespace::describe;
use super::{Field, Row};
use crate::doctor::{Evidence, Finding, Remedy, Saw, Severity};

/// A person reads so many pieces of evidence, or commands, and no more.
const MAX_SHOWN: usize = 6;

const INDENT: usize = 9;

/// The object of one finding.
pub fn object(finding: &Finding) -> Row {
    let id = finding.id;
    let mut row = vec![
        Field::new("id", "", id.as_str()),
        Field::new("area", "", id.area().as_str()),
        Field::new("severity", "", id.severity().as_str()),
    ];
    row.extend(
        finding
            .about
            .as_deref()
            .map(|about| Field::new("about", "", about)),
    );
    row.push(Field::new("meaning", "", id.meaning()));
    let evidence: Vec<String> = finding.evidence.iter().map(seen).collect();
    row.push(Field::new("evidence", "", evidence));
    let remedy = &finding.remedy;
    row.extend(
        remedy
            .advice
            .as_deref()
            .map(|advice| Field::new("advice", "", advice)),
    );
    if let Some((path, content)) = &remedy.file {
        row.push(Field::new("file", "", path.as_str()));
        row.push(Field::new("content", "", content.as_str()));
    }
    let commands = commands(remedy);
    if !commands.is_empty() {
        row.push(Field::new("commands", "", commands));
    }
    row
}

/// The block of one finding, in lines of at most `width` characters where that breaks no command
/// and no file; with details, all of it.
pub fn block(finding: &Finding, width: u16, details: bool) -> Row {
    let width = usize::from(width).max(40);
    let id = finding.id;
    let about = finding.about.as_ref().map(|about| format!("{about}: "));
    let head = format!(
        "{} {}: {}{}",
        id.severity().as_str(),
        id.as_str(),
        about.unwrap_or_default(),
        id.meaning()
    );
    let most = if details { usize::MAX } else { MAX_SHOWN };
    let mut lines = wrapped(&head, width, "", 4);
    let seen: Vec<String> = finding.evidence.iter().map(seen).collect();
    for (at, text) in seen.iter().take(most).enumerate() {
        lines.extend(wrapped(text, width, label("saw", at == 0), INDENT));
    }
    lines.extend(more(seen.len(), most));
    lines.extend(fix(&finding.remedy, width, most));
    let line = |line: String| Field::with_text("", "", visible(&line), line).broken();
    let mut row: Row = lines.into_iter().map(line).collect();
    if let Some(first) = row.first_mut() {
        first.broken = false;
    }
    row
}

/// What is said at the end.
pub fn summary(findings: &[Finding]) -> Row {
    let count = |severity: Severity, word: &str| {
        let number = findings
            .iter()
            .filter(|finding| finding.id.severity() == severity)
            .count();
        match number {
            0 => None,
            1 => Some(format!("1 {word}")),
            number => Some(format!("{number} {word}s")),
        }
    };
    let counts: Vec<String> = [Severity::Error, Severity::Warning, Severity::Note]
        .into_iter()
        .filter_map(|severity| count(severity, severity.as_str()))
        .collect();
    let text = match counts.is_empty() {
        true => "nothing found".to_owned(),
        false => counts.join(", "),
    };
    vec![Field::with_text("", "", text.clone(), text)]
}

fn seen(evidence: &Evidence) -> String {
    let saw = match &evidence.saw {
        Saw::Text(text) => text.clone(),
        Saw::Namespace(namespace) => describe(namespace),
    };
    format!("{}: {saw}", evidence.place)
}

fn commands(remedy: &Remedy) -> Vec<String> {
    let mut ends: Vec<String> = remedy.end.iter().filter_map(explain::end).collect();
    ends.dedup();
    ends.extend(remedy.commands.iter().cloned());
    ends
}

fn fix(remedy: &Remedy, width: usize, most: usize) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(advice) = &remedy.advice {
        lines.extend(wrapped(advice, width, label("fix", true), INDENT));
    }
    if let Some((path, content)) = &remedy.file {
        let first = lines.is_empty();
        lines.push(format!("{}write {path}:", label("fix", first)));
        let inside = content
            .lines()
            .map(|line| format!("{:INDENT$}  {line}", ""));
        lines.extend(inside);
    }
    let commands = commands(remedy);
    for command in commands.iter().take(most) {
        let first = lines.is_empty();
        lines.push(format!("{}{command}", label("fix", first)));
    }
    lines.extend(more(commands.len(), most));
    lines
}

fn label(word: &'static str, first: bool) -> &'static str {
    match (first, word) {
        (true, "saw") => "    saw: ",
        (true, _) => "    fix: ",
        (false, _) => "         ",
    }
}

fn more(count: usize, most: usize) -> Option<String> {
    let left = count.checked_sub(most).filter(|left| *left > 0)?;
    Some(format!("{:INDENT$}and {left} more: -d shows all", ""))
}

/// The text behind `first`, in lines of at most `width` characters as far as its words allow;
/// every line but the first begins with `indent` blanks.
fn wrapped(text: &str, width: usize, first: &str, indent: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut is_empty = true;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let length = line.chars().count() + 1 + word.chars().count();
        if !is_empty && length > width {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    lines.push(line);
    lines
}

/// Files and names come from anywhere; none may steer the terminal.
fn visible(line: &str) -> String {
    line.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Id;
    use crate::view::{json, text};
    use proptest::prelude::*;

    fn finding() -> Finding {
        let finding = Finding::about(Id::VfsGuidZero, "0000:01:00.0 (ib0)")
            .saw("ip link show ib0", "node or port GUID unset: VFs 0-7");
        (0..8).fold(finding, |finding, vf| {
            finding.run(format!(
                "rdmactl vf set 0000:01:00.0/{vf} guid GUID --rebind"
            ))
        })
    }

    #[test]
    fn a_block_is_read_at_80_columns() {
        let shown = text::render(&[block(&finding(), 80, false)], false);
        let begins = "error vfs.guid-zero: 0000:01:00.0 (ib0): VFs have no GUID: RDMA connections fail\n    \
                      on them and CNI plugins refuse them\n    \
                      saw: ip link show ib0: node or port GUID unset: VFs 0-7\n    \
                      fix: rdmactl vf set 0000:01:00.0/0 guid GUID --rebind\n         \
                      rdmactl vf set 0000:01:00.0/1 guid GUID --rebind\n";
        assert!(shown.starts_with(begins), "{shown}");
        assert!(shown.ends_with("/5 guid GUID --rebind\n         and 2 more: -d shows all\n"));
        assert!(shown.lines().all(|line| line.chars().count() <= 80));
        let all = text::render(&[block(&finding(), 80, true)], false);
        assert_eq!(all.lines().count(), 11);
        assert_eq!(
            text::render(&[block(&finding(), 80, true)], true)
                .lines()
                .count(),
            1
        );
    }

    #[test]
    fn a_file_to_write_keeps_its_lines() {
        let finding = Finding::new(Id::NamesUnstable)
            .saw("a\u{1b}[2J", "b")
            .advise("do so")
            .write("/etc/x", "{\n  \"a\": 1\n}\n");
        let shown = text::render(&[block(&finding, 80, false)], false);
        assert!(
            shown.ends_with("    fix: do so\n         write /etc/x:\n           {\n             \"a\": 1\n           }\n"),
            "{shown}"
        );
        assert!(!shown.contains('\u{1b}'));
        let read: serde_json::Value =
            serde_json::from_str(&json::render(&[object(&finding)], false)).unwrap();
        assert_eq!(read[0]["content"], "{\n  \"a\": 1\n}\n");
        assert!(read[0].get("about").is_none() && read[0].get("commands").is_none());
    }

    #[test]
    fn counted_at_the_end() {
        let text = |findings: &[Finding]| text::render(&[summary(findings)], false);
        assert_eq!(text(&[]), "nothing found\n");
        let note = Finding::new(Id::NetnsShared);
        assert_eq!(text(&[finding(), note.clone(), note]), "1 error, 2 notes\n");
    }

    proptest! {
        #[test]
        fn no_text_steers_the_terminal(word in any::<String>(), width in any::<u16>()) {
            let finding = Finding::about(Id::LeasesGarbage, word.as_str())
                .saw(word.as_str(), word.as_str())
                .advise(word.as_str())
                .write(word.as_str(), word.as_str())
                .run(word.as_str());
            let shown = text::render(&[block(&finding, width, false)], false);
            prop_assert!(shown.chars().all(|c| c == '\n' || !c.is_control()));
            let objects = json::render(&[object(&finding)], false);
            let read: serde_json::Value = serde_json::from_str(&objects).unwrap();
            prop_assert_eq!(read[0]["about"].as_str(), Some(word.as_str()));
        }
    }
}
