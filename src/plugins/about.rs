//! `-v`, `--version` and `-h`: what a plugin says of itself when a person runs it.

use std::ffi::OsString;

use super::{Plugin, Stdio};

/// Answers a command line with flags and gives the exit status; `None` when there are none and
/// the environment decides. Words that are no flags are ignored, as Go's plugins do.
pub fn about(plugin: Plugin, words: &[OsString], stdio: &mut Stdio<'_>) -> Option<u8> {
    let flag = words
        .iter()
        .filter_map(|word| word.to_str())
        .find(|word| word.len() > 1 && word.starts_with('-'))?;
    let name = plugin.name();
    let usage = format!(
        "usage: {name} [-v | --version | -h | --help]\nA CNI plugin: a container runtime sets CNI_COMMAND and writes the configuration to stdin.\n"
    );
    let (text, err, status) = match flag.trim_start_matches('-') {
        "v" | "version" => (version(plugin), String::new(), 0),
        "h" | "help" => (String::new(), usage, 0),
        _ => {
            let err = format!("{name}: unknown option {flag}\n{usage}");
            (String::new(), err, 2)
        }
    };
    let written = stdio
        .out
        .write_all(text.as_bytes())
        .and_then(|()| stdio.err.write_all(err.as_bytes()));
    Some(if written.is_ok() { status } else { 1 })
}

/// One line in the shape of Go's plugins.
fn version(plugin: Plugin) -> String {
    let known = |value: Option<&'static str>| value.unwrap_or("unknown");
    let full = match plugin {
        Plugin::Rdma => "rdma-cni cni",
        Plugin::IbSriov => "ib-sriov cni",
    };
    format!(
        "{full} version:{}, commit:{}, date:{}\n",
        env!("CARGO_PKG_VERSION"),
        known(option_env!("RDMACTL_COMMIT")),
        known(option_env!("RDMACTL_DATE")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(words: &[&str]) -> (Option<u8>, String, String) {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut stdio = Stdio {
            input: &mut std::io::empty(),
            out: &mut out,
            err: &mut err,
        };
        let status = about(Plugin::Rdma, &words, &mut stdio);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status, text(out), text(err))
    }

    #[test]
    fn flags() {
        for word in ["-v", "--version", "-version"] {
            let (status, out, err) = ask(&[word]);
            assert_eq!((status, err.as_str()), (Some(0), ""));
            assert!(out.starts_with("rdma-cni cni version:"), "{out}");
        }
        assert_eq!(ask(&["-h"]).0, Some(0));
        assert_eq!(ask(&["--nope"]).0, Some(2));
        assert_eq!(ask(&["word"]).0, None);
        assert_eq!(ask(&[]).0, None);
    }
}
