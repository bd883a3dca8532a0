//! One manual page: man(7) macros out of a clap command.

use std::fmt::Write;

use clap::{Arg, Command};

/// Of the release that the pages describe.
const DATE: &str = "2026-11-21";

/// Longest line of the source.
const WIDTH: usize = 78;

/// The heading under which help has the keys of `KEY VALUE` pairs.
const WORDS: &str = "Words";

/// Text as roff takes it, with words in backquotes in bold.
fn roff(text: &str) -> String {
    let mut out = String::new();
    for (index, part) in text.split('`').enumerate() {
        let part = part.replace('\\', "\\e").replace('-', "\\-");
        if index % 2 == 1 {
            write!(out, "\\fB{part}\\fR").unwrap();
        } else {
            out.push_str(&part);
        }
    }
    // A line that begins with a dot would be a macro.
    let lines = out.lines().map(|line| match line.starts_with(['.', '\'']) {
        true => format!("\\&{line}"),
        false => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn first_lower(text: &str) -> String {
    let mut chars = text.chars();
    let second_is_upper = text.chars().nth(1).is_some_and(char::is_uppercase);
    match chars.next() {
        Some(first) if !second_is_upper => first.to_lowercase().chain(chars).collect(),
        _ => text.to_owned(),
    }
}

/// One sentence a line, and a paragraph where there is an empty line.
fn paragraphs(text: &str) -> String {
    let each = text.split("\n\n").map(|paragraph| {
        let joined = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        let joined = match joined.ends_with(['.', ':', ';']) {
            true => joined,
            false => format!("{joined}."),
        };
        roff(&joined.replace(". ", ".\n"))
    });
    each.collect::<Vec<_>>().join("\n.PP\n")
}

fn about(command: &Command) -> String {
    let text = command.get_long_about().or_else(|| command.get_about());
    text.map(ToString::to_string).unwrap_or_default()
}

fn usage(command: &mut Command) -> Vec<String> {
    let usage = command.render_usage().to_string();
    let lines = usage
        .lines()
        .map(|line| line.trim_start_matches("Usage:").trim());
    lines
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

/// How an option is written, its value included.
pub(crate) fn option(arg: &Arg) -> String {
    let values = arg.get_value_names().unwrap_or_default();
    let value = values.iter().filter(|_| arg.get_action().takes_values());
    let value: Vec<String> = value
        .map(|name| format!("\\fI{}\\fR", roff(name)))
        .collect();
    let optional = arg.is_require_equals_set();
    let value = match (value.is_empty(), optional) {
        (true, _) => String::new(),
        (false, true) => format!("[={}]", value.join(" ")),
        (false, false) => format!(" {}", value.join(" ")),
    };
    let long = arg.get_long().unwrap_or_default();
    if arg.get_help_heading() == Some(WORDS) {
        return format!("\\fB{}\\fR{value}", roff(long));
    }
    let short = arg.get_short().map(|short| format!("\\fB\\-{short}\\fR, "));
    format!(
        "{}\\fB\\-\\-{}\\fR{value}",
        short.unwrap_or_default(),
        roff(long)
    )
}

fn argument(out: &mut String, arg: &Arg) {
    let heading = match arg.is_positional() {
        true => {
            let id = arg.get_id().as_str().to_uppercase();
            let names = arg.get_value_names().and_then(<[_]>::first);
            format!(
                "\\fI{}\\fR",
                roff(names.map_or(id.as_str(), |name| name.as_str()))
            )
        }
        false => option(arg),
    };
    let help = arg.get_long_help().or_else(|| arg.get_help());
    let mut help = help.map(ToString::to_string).unwrap_or_default();
    let default: Vec<_> = arg
        .get_default_values()
        .iter()
        .filter_map(|value| value.to_str())
        .collect();
    if !default.is_empty() && arg.get_action().takes_values() && !arg.is_hide_default_value_set() {
        write!(help, "; {} unless given", default.join(" ")).unwrap();
    }
    writeln!(out, ".TP\n{heading}\n{}", paragraphs(&help)).unwrap();
    let values = arg.get_possible_values();
    let said = values
        .iter()
        .filter(|value| !value.is_hide_set() && !arg.is_hide_possible_values_set());
    let said: Vec<_> = said.filter(|_| arg.get_action().takes_values()).collect();
    if !said.is_empty() {
        out.push_str(".RS\n");
        for value in said {
            let help = value
                .get_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            writeln!(
                out,
                ".TP\n\\fB{}\\fR\n{}",
                roff(value.get_name()),
                match help.is_empty() {
                    true => "\\&".to_owned(),
                    false => paragraphs(&help),
                }
            )
            .unwrap();
        }
        out.push_str(".RE\n");
    }
}

fn head(name: &str, about: &str) -> String {
    let title = roff(&name.to_uppercase());
    let version = env!("CARGO_PKG_VERSION");
    format!(
        ".\\\" Made by tests/manual.rs; the prose is in man/prose.\n\
         .TH {title} 8 {DATE} \"rdmactl {version}\" \"System Administration\"\n\
         .SH NAME\n{} \\- {}\n",
        roff(name),
        roff(&first_lower(about.trim_end_matches(['.', ',', ' '])))
    )
}

fn synopsis(out: &mut String, lines: &[String]) {
    out.push_str(".SH SYNOPSIS\n");
    for (index, line) in lines.iter().enumerate() {
        if index > 0 {
            out.push_str(".br\n");
        }
        writeln!(out, "{}", roff(line)).unwrap();
    }
}

fn see_also(out: &mut String, names: &[String]) {
    out.push_str(".SH SEE ALSO\n");
    let mut all: Vec<String> = names.to_vec();
    all.sort();
    let last = all.len() - 1;
    for (index, name) in all.iter().enumerate() {
        let comma = if index < last { " ," } else { "" };
        writeln!(out, ".BR {} (8){comma}", roff(name)).unwrap();
    }
}

/// The same page with its lines broken where there are blanks, as readers of the source like them.
fn wrapped(page: &str) -> String {
    let mut out = String::new();
    let mut example = false;
    for line in page.lines() {
        match line {
            ".EX" => example = true,
            ".EE" => example = false,
            _ => {}
        }
        if example || line.starts_with('.') || line.len() <= WIDTH {
            writeln!(out, "{line}").unwrap();
            continue;
        }
        let mut length = 0;
        for word in line.split(' ') {
            // A dot at the beginning of a line would make it a macro.
            let fits = length + 1 + word.len() <= WIDTH || word.starts_with(['.', '\'']);
            if length > 0 {
                out.push(if fits { ' ' } else { '\n' });
            }
            length = if fits && length > 0 {
                length + 1 + word.len()
            } else {
                word.len()
            };
            out.push_str(word);
        }
        out.push('\n');
    }
    out
}

/// The page of a file: prose alone.
pub(crate) fn of_file(name: &str, about: &str, prose: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let title = roff(&name.to_uppercase());
    let mut out = format!(
        ".\\\" Made by tests/manual.rs; the prose is in man/prose.\n\
         .TH {title} 5 {DATE} \"rdmactl {version}\" \"File Formats\"\n\
         .SH NAME\n{} \\- {about}\n",
        roff(name),
    );
    out.push_str(prose);
    see_also(
        &mut out,
        &["rdmactl".to_owned(), "rdmactl-provision".to_owned()],
    );
    wrapped(&out)
}

/// The page of the program: its objects, and the options that every command takes.
pub(crate) fn of_program(root: &mut Command, objects: &[String], prose: &str) -> String {
    let mut out = head("rdmactl", "isolate RDMA devices and provision SR-IOV");
    synopsis(&mut out, &["rdmactl [OPTIONS] OBJECT [COMMAND]".to_owned()]);
    writeln!(out, ".SH DESCRIPTION\n{}", paragraphs(&about(root))).unwrap();
    let after = root
        .get_after_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    writeln!(out, ".PP\n{}", paragraphs(&after)).unwrap();
    out.push_str(".SH OBJECTS\n");
    for name in objects {
        let object = root.find_subcommand(name).unwrap();
        let text = object
            .get_about()
            .map(ToString::to_string)
            .unwrap_or_default();
        writeln!(
            out,
            ".TP\n.BR rdmactl\\-{} (8)\n{}",
            roff(name),
            paragraphs(&text)
        )
        .unwrap();
    }
    out.push_str(".SH OPTIONS\n");
    for arg in root
        .get_arguments()
        .filter(|arg| !arg.is_hide_set() && !arg.is_positional())
    {
        argument(&mut out, arg);
    }
    out.push_str(prose);
    let names: Vec<String> = objects
        .iter()
        .map(|name| format!("rdmactl-{name}"))
        .collect();
    see_also(&mut out, &names);
    wrapped(&out)
}

/// The verbs below a command that have none below them, or can be used without.
fn leaves(command: &mut Command, found: &mut Vec<(Vec<String>, String, String)>) {
    let verbs: Vec<String> = command
        .get_subcommands()
        .filter(|verb| !verb.is_hide_set() && verb.get_name() != "help")
        .map(|verb| verb.get_name().to_owned())
        .collect();
    let own = command.get_arguments().filter(|arg| {
        let common = arg.is_global_set() || matches!(arg.get_long(), Some("help" | "version"));
        !common && !arg.is_hide_set()
    });
    let mut arguments = String::new();
    own.for_each(|arg| argument(&mut arguments, arg));
    if verbs.is_empty() || !arguments.is_empty() {
        let lines = usage(command);
        found.push((lines, about(command), arguments));
    }
    for verb in verbs {
        leaves(command.find_subcommand_mut(&verb).unwrap(), found);
    }
}

/// The page of an object: all its verbs.
pub(crate) fn of_object(object: &mut Command, prose: &str, objects: &[String]) -> String {
    let name = format!("rdmactl-{}", object.get_name());
    let short = object
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    let mut out = head(&name, &short);
    let mut verbs = Vec::new();
    leaves(object, &mut verbs);
    let lines: Vec<String> = verbs
        .iter()
        .flat_map(|(lines, _, _)| lines.clone())
        .collect();
    synopsis(&mut out, &lines);
    writeln!(out, ".SH DESCRIPTION\n{}", paragraphs(&about(object))).unwrap();
    out.push_str(".PP\nThe options that every command takes are in\n.BR rdmactl (8).\n");
    out.push_str(".SH COMMANDS\n");
    for (lines, about, arguments) in &verbs {
        for line in lines {
            writeln!(
                out,
                ".SS \"{}\"",
                roff(&line.replacen("rdmactl ", "", 1)).replace('"', "\\(dq")
            )
            .unwrap();
        }
        writeln!(out, "{}", paragraphs(about)).unwrap();
        out.push_str(arguments);
    }
    out.push_str(prose);
    let others = objects.iter().map(|name| format!("rdmactl-{name}"));
    let others = others
        .filter(|other| *other != name)
        .chain(["rdmactl".to_owned()]);
    see_also(&mut out, &others.collect::<Vec<_>>());
    wrapped(&out)
}
