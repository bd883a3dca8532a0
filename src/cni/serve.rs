//! `serve`: one call of a runtime, and exactly one document in answer, whatever happens.

use std::any::Any;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::call::{Call, Env, Verb};
use super::config::{self, Config};
use super::version;
use super::{Code, Failure};

/// What a plugin does. Everything in the protocol was checked before one of these is called.
pub trait Verbs {
    /// Attaches the container; the result to print.
    ///
    /// # Errors
    /// Nothing it changed is left then.
    fn add(&mut self, call: &Call, config: &Config<'_>) -> Result<String, Failure>;

    /// Undoes ADD; done already is done.
    ///
    /// # Errors
    /// Only when something is left that a repeat may free.
    fn del(&mut self, call: &Call, config: &Config<'_>) -> Result<(), Failure>;

    /// Looks whether what ADD made still stands.
    ///
    /// # Errors
    /// What does not.
    fn check(&mut self, call: &Call, config: &Config<'_>) -> Result<(), Failure>;

    /// Frees what belongs to none of the attachments in the configuration.
    ///
    /// # Errors
    /// What could not be freed, after the rest has been.
    fn gc(&mut self, call: &Call, config: &Config<'_>) -> Result<(), Failure>;

    /// Whether ADD can be served.
    ///
    /// # Errors
    /// Code 50 or 51.
    fn status(&mut self, call: &Call, config: &Config<'_>) -> Result<(), Failure>;
}

/// The end of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Empty, or one JSON document.
    pub stdout: String,
    /// The exit status.
    pub status: u8,
}

/// Answers one call. A panic below becomes code 999.
pub fn serve(env: &Env, stdin: &mut dyn Read, verbs: &mut dyn Verbs) -> Outcome {
    let mut spoken = String::from(version::CURRENT);
    let answer = catch_unwind(AssertUnwindSafe(|| answer(env, stdin, verbs, &mut spoken)));
    let failure = match answer {
        Ok(Ok(stdout)) => return Outcome { stdout, status: 0 },
        Ok(Err(failure)) => failure,
        Err(panic) => Failure::new(
            Code::INTERNAL,
            format!("internal error: {}", panic_text(panic.as_ref())),
        )
        .details("this is a bug in the plugin; its stderr says where. DEL undoes what was done"),
    };
    Outcome {
        stdout: failure.document(&spoken),
        status: 1,
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("panic")
}

fn answer(
    env: &Env,
    stdin: &mut dyn Read,
    verbs: &mut dyn Verbs,
    spoken: &mut String,
) -> Result<String, Failure> {
    let call = Call::read(env)?;
    if call.verb == Verb::Version {
        return Ok(version::DOCUMENT.to_owned());
    }
    let text = config::read(stdin)?;
    let config = Config::parse(&text)?;
    spoken.clone_from(&config.version);
    let gate = |least, verb| version::require_at_least(&config.version, least, verb);
    match &call.verb {
        Verb::Check => gate("0.4.0", "CHECK")?,
        Verb::Gc => gate("1.1.0", "GC")?,
        Verb::Status => gate("1.1.0", "STATUS")?,
        Verb::Unknown(word) => {
            let msg = format!("unknown CNI_COMMAND: {word}");
            return Err(Failure::new(Code::INVALID_ENVIRONMENT, msg));
        }
        Verb::Add | Verb::Del | Verb::Version => {}
    }
    version::require_supported(&config.version)?;
    let silent = |()| String::new();
    match &call.verb {
        Verb::Add => verbs.add(&call, &config),
        Verb::Del => verbs.del(&call, &config).map(silent),
        Verb::Check => verbs.check(&call, &config).map(silent),
        Verb::Gc => verbs.gc(&call, &config).map(silent),
        Verb::Status => verbs.status(&call, &config).map(silent),
        Verb::Version | Verb::Unknown(_) => Ok(String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// Prints what it was asked; DEL panics.
    struct Echo;

    impl Verbs for Echo {
        fn add(&mut self, call: &Call, config: &Config<'_>) -> Result<String, Failure> {
            Ok(format!("\"{} {}\"", config.name, call.container))
        }
        fn del(&mut self, _: &Call, _: &Config<'_>) -> Result<(), Failure> {
            panic!("broken {}", "on purpose")
        }
        fn check(&mut self, _: &Call, _: &Config<'_>) -> Result<(), Failure> {
            Ok(())
        }
        fn gc(&mut self, _: &Call, _: &Config<'_>) -> Result<(), Failure> {
            Ok(())
        }
        fn status(&mut self, _: &Call, _: &Config<'_>) -> Result<(), Failure> {
            Err(Failure::new(Code::NOT_AVAILABLE, "no"))
        }
    }

    fn call(verb: &str, stdin: &str) -> (u8, String) {
        let env = [
            ("CNI_COMMAND", verb),
            ("CNI_CONTAINERID", "c"),
            ("CNI_NETNS", "/n"),
            ("CNI_IFNAME", "i"),
            ("CNI_PATH", "/p"),
        ];
        let env = env.iter().map(|(k, v)| (k.into(), v.into())).collect();
        let outcome = serve(&env, &mut stdin.as_bytes(), &mut Echo);
        (outcome.status, outcome.stdout)
    }

    fn failed(verb: &str, stdin: &str) -> (u64, String) {
        let (status, out) = call(verb, stdin);
        assert_eq!(status, 1);
        let value: Value = serde_json::from_str(&out).unwrap();
        assert!(value["cniVersion"].is_string());
        (
            value["code"].as_u64().unwrap(),
            value["msg"].as_str().unwrap().to_owned(),
        )
    }

    #[test]
    fn the_order_of_the_checks() {
        let conf = |version: &str| format!(r#"{{"name":"n","cniVersion":"{version}"}}"#);
        assert_eq!(call("ADD", &conf("1.0.0")), (0, "\"n c\"".to_owned()));
        assert_eq!(call("CHECK", &conf("0.4.0")), (0, String::new()));
        let unknown = (4, "unknown CNI_COMMAND: FOO".to_owned());
        assert_eq!(failed("FOO", &conf("9.9.9")), unknown);
        assert_eq!(failed("FOO", "{}").1, "missing network name");
        assert_eq!(failed("ADD", &conf("9.9.9")).0, 1);
        assert_eq!(
            failed("CHECK", &conf("0.3.1")).1,
            "config version does not allow CHECK"
        );
        assert_eq!(
            failed("GC", &conf("1.0.0")).1,
            "config version does not allow GC"
        );
        assert_eq!(
            failed("STATUS", &conf("1.0.0")).1,
            "config version does not allow STATUS"
        );
        assert_eq!(failed("STATUS", &conf("1.1.0")), (50, "no".to_owned()));
        assert_eq!(failed("ADD", "").0, 6);
    }

    #[test]
    fn a_panic_is_a_document() {
        let internal = (999, "internal error: broken on purpose".to_owned());
        assert_eq!(failed("DEL", r#"{"name":"n"}"#), internal);
    }

    #[test]
    fn version_reads_no_stdin() {
        struct Unread;
        impl Read for Unread {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                panic!("stdin was read")
            }
        }
        let env = [("CNI_COMMAND".into(), "VERSION".into())].into();
        let outcome = serve(&env, &mut Unread, &mut Echo);
        assert_eq!(outcome.stdout, version::DOCUMENT);
        assert_eq!(outcome.status, 0);
    }
}
