//! The picture in the README: drawn from the session in docs/session.txt, which the lab holds to what happens.
//!
//! `UPDATE=1 cargo test --test picture` draws it anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

/// Of a character and a line, in the units of the picture.
const CHARACTER: f32 = 8.4;
const LINE: usize = 20;

/// Between the edge and the text, and above it, where a window has its buttons.
const MARGIN: usize = 18;
const BAR: usize = 34;

fn docs(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("docs/{name}"))
}

fn session() -> String {
    fs::read_to_string(docs("session.txt")).unwrap()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// What kind of line it is, for the style sheet.
fn class(line: &str, before: Option<&str>) -> &'static str {
    let typed = |line: &str| line.starts_with("# ");
    let first = line.split(' ').next().unwrap_or_default();
    match first {
        "#" => "typed",
        "error:" | "Wrong" => "error",
        "cause:" => "cause",
        _ if line.trim_start().starts_with("fix:") => "fix",
        // A table begins with names of columns.
        _ if before.is_some_and(typed) && line == line.to_uppercase() => "head",
        _ => "said",
    }
}

/// A terminal with `text` on it. Nothing in it is fetched, and it needs no font that may be lacking.
fn drawn(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let columns = lines.iter().map(|line| line.chars().count()).max().unwrap();
    let width = (columns as f32 * CHARACTER).ceil() as usize + 2 * MARGIN;
    let height = BAR + lines.len() * LINE + MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n\
         <!-- Made by tests/picture.rs out of docs/session.txt. -->\n\
         <title>rdmactl on a terminal: a GUID, a device in a namespace, and who has what</title>\n\
         <style>\n\
         text {{ font: 14px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #d4d7dd; white-space: pre }}\n\
         .typed {{ fill: #8fd18a; font-weight: bold }} .head {{ fill: #8ab4f8 }}\n\
         .error {{ fill: #f28b82 }} .cause {{ fill: #fdd663 }} .fix {{ fill: #8fd18a }}\n\
         </style>\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#1e2127\"/>\n"
    );
    for (at, colour) in [(18, "#f28b82"), (38, "#fdd663"), (58, "#8fd18a")] {
        writeln!(
            out,
            "<circle cx=\"{at}\" cy=\"16\" r=\"6\" fill=\"{colour}\"/>"
        )
        .unwrap();
    }
    let mut before = None;
    for (index, line) in lines.iter().enumerate() {
        let y = BAR + index * LINE + 14;
        // A fixed length keeps columns below each other whatever font a reader has.
        let length = (line.chars().count() as f32 * CHARACTER).round();
        if !line.is_empty() {
            writeln!(
                out,
                "<text x=\"{MARGIN}\" y=\"{y}\" class=\"{}\" textLength=\"{length}\" xml:space=\"preserve\">{}</text>",
                class(line, before),
                escaped(line)
            )
            .unwrap();
        }
        before = Some(*line);
    }
    out + "</svg>\n"
}

#[test]
fn it_is_drawn_from_the_session() {
    let picture = drawn(&session());
    let path = docs("session.svg");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &picture).unwrap();
    }
    assert_eq!(
        fs::read_to_string(&path).unwrap_or_default(),
        picture,
        "it is not as it would be drawn: UPDATE=1 cargo test --test picture"
    );
}

#[test]
fn kinds_of_lines() {
    let text =
        "# rdmactl x <y>\nVF  RDMA\n0   mlx5_0\nWrong device name\ncause: a & b\n  fix: it\n";
    let picture = drawn(text);
    for part in [
        "class=\"typed\" textLength=\"126\" xml:space=\"preserve\"># rdmactl x &lt;y&gt;<",
        "class=\"head\" textLength=\"67\" xml:space=\"preserve\">VF  RDMA<",
        "class=\"said\" textLength=\"84\" xml:space=\"preserve\">0   mlx5_0<",
        "class=\"error\"",
        ">cause: a &amp; b<",
        "class=\"fix\"",
    ] {
        assert!(picture.contains(part), "{part}:\n{picture}");
    }
}

/// It shows both pictures: the session, and the topology as the program draws it.
#[test]
fn the_readme_shows_them() {
    let tree = env!("CARGO_MANIFEST_DIR");
    let readme = fs::read_to_string(format!("{tree}/README.md")).unwrap();
    let topology = fs::read_to_string(docs("topology.mermaid")).unwrap();
    assert!(readme.contains("](docs/session.svg)"));
    assert!(readme.contains(&format!("```mermaid\n{topology}```\n")));
}
