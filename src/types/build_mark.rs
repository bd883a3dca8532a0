//! The mark in the program by which every other build of it is known.

/// Stands in the program for every other build to read.
static MARK: &[u8] = concat!("rdmactl build mark: ", env!("CARGO_PKG_VERSION"), ";").as_bytes();

/// What the mark begins with; the version behind it ends with a semicolon.
const MARK_START: usize = "rdmactl build mark: ".len();
const MAX_VERSION: usize = 32;

/// The version of a build of this program; `None` for any other file.
pub fn version(program: &[u8]) -> Option<String> {
    // Or else the compiler compares with numbers, and the mark is nowhere in the program.
    let start = &std::hint::black_box(MARK)[..MARK_START];
    let mut rest = program;
    while let Some(at) = position(rest, start) {
        rest = &rest[at + start.len()..];
        let text: Vec<u8> = rest.iter().copied().take(MAX_VERSION).collect();
        let end = text.iter().position(|byte| *byte == b';');
        let version = end.and_then(|end| std::str::from_utf8(&text[..end]).ok());
        let is_version = |text: &&str| {
            text.bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+'))
        };
        if let Some(version) = version.filter(is_version) {
            return Some(version.to_owned());
        }
    }
    None
}

/// Where `wanted` begins in `text`.
pub fn position(text: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    loop {
        from += text.get(from..)?.iter().position(|byte| *byte == first)?;
        if text[from..].starts_with(wanted) {
            return Some(from);
        }
        from += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn builds_tell_their_version() {
        let program = [b"\x7fELF rdmactl build mark: ", MARK, b" rest"].concat();
        assert_eq!(
            version(&program).as_deref(),
            Some(env!("CARGO_PKG_VERSION"))
        );
        assert_eq!(
            version(b"rdmactl build mark: 9.9.9-rc1;").as_deref(),
            Some("9.9.9-rc1")
        );
        assert_eq!(version(b"rdmactl build mark: 9.9"), None);
        assert_eq!(version(b"rdmactl build mark: \x1b[2J;"), None);
    }

    proptest! {
        #[test]
        fn found_where_it_is(text in prop::collection::vec(0u8..3, 0..40), wanted in prop::collection::vec(0u8..3, 1..4)) {
            let naive = text.windows(wanted.len()).position(|window| window == wanted);
            prop_assert_eq!(position(&text, &wanted), naive);
            version(&text);
        }
    }
}
