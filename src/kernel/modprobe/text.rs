//! One file of modprobe: where it sets a parameter of a module, and the text with another value.
//!
//! As libkmod reads it (`libkmod-config.c`): a backslash at the end of a line joins the next one,
//! even in a comment; `#` makes a comment in the first column only; `options MODULE` is followed
//! by parameters, which the kernel then splits (`next_arg`, `lib/cmdline.c`). In names `-` and `_`
//! are the same. Everything else in the file stays as it is, byte for byte.

use std::ops::Range;

/// One place that sets the parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Line in the file, from 1.
    pub line: usize,
    /// What a boolean parameter makes of it; `None` when the kernel would refuse the value.
    pub value: Option<bool>,
    /// The bytes of the value with its quotes, or the place behind the name when it has none.
    at: Range<usize>,
    /// The name stands alone, without `=`.
    bare: bool,
}

/// Every place that sets `parameter` of `module`, in the order of the file; the last one counts.
pub fn settings(text: &[u8], module: &str, parameter: &str) -> Vec<Setting> {
    let mut found = Vec::new();
    for line in Lines(text, 0) {
        if line.first().is_none_or(|(byte, _)| *byte == b'#') {
            continue;
        }
        let mut rest = line.as_slice();
        if !is(word(&mut rest), "options") || !is(word(&mut rest), module) {
            continue;
        }
        while let Some(argument) = argument(&mut rest) {
            if is(argument.name, parameter) {
                let start = argument.at.start;
                let newlines = text[..start].iter().filter(|byte| **byte == b'\n');
                found.push(Setting {
                    line: newlines.count() + 1,
                    value: argument.boolean(),
                    at: argument.at,
                    bare: argument.value.is_none(),
                });
            }
        }
    }
    found
}

/// The text with every place that sets `parameter` of `module` set to `value`.
pub fn with_all_set(text: &[u8], module: &str, parameter: &str, value: bool) -> Vec<u8> {
    let mut text = text.to_vec();
    let digit = if value { "1" } else { "0" };
    for setting in settings(&text, module, parameter).into_iter().rev() {
        let new = if setting.bare {
            format!("={digit}")
        } else {
            digit.to_owned()
        };
        text.splice(setting.at, new.into_bytes());
    }
    text
}

/// The text with a line at its end that sets `parameter` of `module`.
pub fn with_line(text: &[u8], module: &str, parameter: &str, value: bool) -> Vec<u8> {
    let mut text = text.to_vec();
    if !text.is_empty() && !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    // A backslash there would draw our line into its own.
    if text.ends_with(b"\\\n") {
        text.push(b'\n');
    }
    let line = format!("options {module} {parameter}={}\n", u8::from(value));
    text.extend(line.into_bytes());
    text
}

/// What `parameter` of `module` is set to on a kernel command line; the last one counts.
pub fn on_command_line(text: &[u8], module: &str, parameter: &str) -> Option<bool> {
    let wanted = format!("{module}.{parameter}");
    let line: Vec<Placed> = text.iter().copied().zip(0..).collect();
    let mut rest = line.as_slice();
    let mut last = None;
    while let Some(argument) = argument(&mut rest) {
        // What follows is for init.
        if is(argument.name, "__") {
            break;
        }
        if is(argument.name, &wanted) {
            last = argument.boolean();
        }
    }
    last
}

/// A byte and its place in the file.
type Placed = (u8, usize);

/// The logical lines of a text, from an offset on.
struct Lines<'a>(&'a [u8], usize);

impl Iterator for Lines<'_> {
    type Item = Vec<Placed>;

    fn next(&mut self) -> Option<Vec<Placed>> {
        if self.1 >= self.0.len() {
            return None;
        }
        let mut line = Vec::new();
        while let Some(byte) = self.0.get(self.1) {
            if *byte == b'\\' && self.0.get(self.1 + 1) == Some(&b'\n') {
                self.1 += 2;
                continue;
            }
            self.1 += 1;
            if *byte == b'\n' {
                break;
            }
            line.push((*byte, self.1 - 1));
        }
        Some(line)
    }
}

/// The next word, split as libkmod does: at spaces and tabs.
fn word<'a>(rest: &mut &'a [Placed]) -> &'a [Placed] {
    let blank = |(byte, _): &Placed| matches!(byte, b' ' | b'\t');
    let start = rest.iter().position(|placed| !blank(placed));
    let text = &rest[start.unwrap_or(rest.len())..];
    let (word, behind) = text.split_at(text.iter().position(blank).unwrap_or(text.len()));
    *rest = behind;
    word
}

struct Argument<'a> {
    name: &'a [Placed],
    value: Option<Vec<u8>>,
    at: Range<usize>,
}

impl Argument<'_> {
    /// `param_set_bool` and `kstrtobool`: a name alone is true.
    fn boolean(&self) -> Option<bool> {
        let Some(value) = &self.value else {
            return Some(true);
        };
        match value.as_slice() {
            [b'y' | b'Y' | b't' | b'T' | b'1', ..] => Some(true),
            [b'n' | b'N' | b'f' | b'F' | b'0', ..] => Some(false),
            [b'o' | b'O', b'n' | b'N', ..] => Some(true),
            [b'o' | b'O', b'f' | b'F', ..] => Some(false),
            _ => None,
        }
    }
}

/// The next parameter, split as the kernel does: at white space outside double quotes.
fn argument<'a>(rest: &mut &'a [Placed]) -> Option<Argument<'a>> {
    let start = rest.iter().position(|(b, _)| !b.is_ascii_whitespace())?;
    let text = &rest[start..];
    let mut quoted = false;
    let end = text.iter().position(|(byte, _)| {
        quoted ^= *byte == b'"';
        byte.is_ascii_whitespace() && !quoted
    });
    let (mut text, behind) = text.split_at(end.unwrap_or(text.len()));
    *rest = behind;
    // Quotes around the whole: `"name=value"`.
    if let Some(inside) = text.split_first().filter(|(first, _)| first.0 == b'"') {
        text = inside.1;
        text = text
            .split_last()
            .filter(|(last, _)| last.0 == b'"')
            .map_or(text, |(_, inside)| inside);
    }
    let equals = text.iter().position(|(byte, _)| *byte == b'=');
    let (name, value) = match equals {
        None => (text, None),
        Some(equals) => (&text[..equals], Some(&text[equals + 1..])),
    };
    // Behind the last byte that belongs to the name, the `=` included.
    let behind_name = text[..equals.map_or(text.len(), |equals| equals + 1)]
        .last()
        .map_or(0, |(_, place)| place + 1);
    let at = match value.and_then(|value| Some((value.first()?, value.last()?))) {
        Some((first, last)) => first.1..last.1 + 1,
        None => behind_name..behind_name,
    };
    let value = value.map(|value| {
        let bytes = value.iter().map(|(byte, _)| *byte);
        bytes.filter(|byte| *byte != b'"').collect()
    });
    Some(Argument { name, value, at })
}

/// Whether a word is `name`, where `-` and `_` are the same.
fn is(word: &[Placed], name: &str) -> bool {
    let same = |byte: u8| if byte == b'-' { b'_' } else { byte };
    word.len() == name.len()
        && word
            .iter()
            .zip(name.bytes())
            .all(|((byte, _), wanted)| same(*byte) == same(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ARGS: (&str, &str) = ("ib_core", "netns_mode");

    fn values(text: &str) -> Vec<(usize, Option<bool>)> {
        let found = settings(text.as_bytes(), ARGS.0, ARGS.1).into_iter();
        found.map(|each| (each.line, each.value)).collect()
    }

    fn exclusive(text: &str) -> String {
        let text = with_all_set(text.as_bytes(), ARGS.0, ARGS.1, false);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn read_and_set_as_modprobe_does() {
        for (text, found, set) in [
            (
                "options ib_core netns_mode=1\n",
                vec![(1, Some(true))],
                "options ib_core netns_mode=0\n",
            ),
            (
                "# mine\noptions\tib-core  send_queue_size=64 netns-mode=Y recv_queue_size=2 # x\nblacklist foo",
                vec![(2, Some(true))],
                "# mine\noptions\tib-core  send_queue_size=64 netns-mode=0 recv_queue_size=2 # x\nblacklist foo",
            ),
            (
                "options ib_core \\\n  a=1 \\\n  netns_mode=on \\\n  b=2\n",
                vec![(3, Some(true))],
                "options ib_core \\\n  a=1 \\\n  netns_mode=0 \\\n  b=2\n",
            ),
            (
                "options ib_core netns_mode\noptions ib_core netns_mode=off\n",
                vec![(1, Some(true)), (2, Some(false))],
                "options ib_core netns_mode=0\noptions ib_core netns_mode=0\n",
            ),
            (
                "options ib_core a=\"x netns_mode=1\" netns_mode=\"1\" \"netns_mode=1\"",
                vec![(1, Some(true)), (1, Some(true))],
                "options ib_core a=\"x netns_mode=1\" netns_mode=0 \"netns_mode=0\"",
            ),
            (
                "options ib_core netns_mode=\noptions ib_core netns_mode=2\r\n",
                vec![(1, None), (2, None)],
                "options ib_core netns_mode=0\noptions ib_core netns_mode=0\r\n",
            ),
            (
                "options ib_core netns_\\\nmode=\\\n1\n",
                vec![(3, Some(true))],
                "options ib_core netns_\\\nmode=\\\n0\n",
            ),
        ] {
            assert_eq!(values(text), found, "{text}");
            let changed = exclusive(text);
            // The carriage return of the last case is white space to the kernel.
            assert_eq!(changed, set, "{text}");
            assert!(
                values(&changed)
                    .iter()
                    .all(|(_, value)| *value == Some(false))
            );
            assert_eq!(exclusive(&changed), changed);
        }
    }

    #[test]
    fn what_does_not_set_it_stays() {
        for text in [
            "",
            "#options ib_core netns_mode=1\n",
            "# a comment that goes on \\\noptions ib_core netns_mode=1\n",
            "options mlx5_core netns_mode=1\n",
            "options ib_core netns_modes=1 xnetns_mode=1\n",
            "install ib_core netns_mode=1\n",
            "options ib_core\n",
            "options",
        ] {
            assert!(values(text).is_empty(), "{text}");
            assert_eq!(exclusive(text), text);
        }
    }

    #[test]
    fn a_line_of_its_own() {
        for (before, after) in [
            ("", "options ib_core netns_mode=0\n"),
            ("# x", "# x\noptions ib_core netns_mode=0\n"),
            ("# x\\", "# x\\\n\noptions ib_core netns_mode=0\n"),
            ("# x\\\n", "# x\\\n\noptions ib_core netns_mode=0\n"),
        ] {
            let text = with_line(before.as_bytes(), ARGS.0, ARGS.1, false);
            assert_eq!(String::from_utf8(text.clone()).unwrap(), after);
            assert_eq!(settings(&text, ARGS.0, ARGS.1).len(), 1);
        }
    }

    #[test]
    fn the_command_line_of_the_kernel() {
        for (text, value) in [
            ("quiet ib_core.netns_mode=0 ro\n", Some(false)),
            ("ib-core.netns-mode=1 ib_core.netns_mode=0", Some(false)),
            ("ib_core.netns_mode", Some(true)),
            ("a=\"ib_core.netns_mode=0\" ib_corexnetns_mode=0", None),
            ("quiet -- ib_core.netns_mode=0", None),
            ("", None),
        ] {
            assert_eq!(
                on_command_line(text.as_bytes(), ARGS.0, ARGS.1),
                value,
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_all_but_the_values_stays(
            text in "((options|ib_core|ib-core|netns_mode|netns-mode|a=1|=|[01yn\"\\\\# \t\n\r\u{fc}]){0,4}[ \n]){0,12}",
            to in any::<bool>(),
        ) {
            let before = settings(text.as_bytes(), ARGS.0, ARGS.1);
            let changed = with_all_set(text.as_bytes(), ARGS.0, ARGS.1, to);
            let after = settings(&changed, ARGS.0, ARGS.1);
            prop_assert_eq!(before.len(), after.len());
            prop_assert!(after.iter().all(|each| each.value == Some(to)));
            let strip = |text: &[u8], all: &[Setting]| {
                let mut text = text.to_vec();
                for each in all.iter().rev() {
                    text.splice(each.at.clone(), []);
                }
                text.retain(|byte| *byte != b'=');
                text
            };
            prop_assert_eq!(strip(text.as_bytes(), &before), strip(&changed, &after));
            let longer = with_line(text.as_bytes(), ARGS.0, ARGS.1, to);
            prop_assert_eq!(settings(&longer, ARGS.0, ARGS.1).len(), before.len() + 1);
        }

        #[test]
        fn no_bytes_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
            with_all_set(&text, ARGS.0, ARGS.1, true);
            on_command_line(&text, ARGS.0, ARGS.1);
        }
    }
}
