//! Delegation: calling an IPAM plugin as the runtime would, with the same configuration.

use std::path::PathBuf;

use super::call::{Call, Env};
use super::config::Config;
use super::object::Object;
use super::result::CniResult;
use super::{Code, Failure};
use crate::kernel::program::{self, Ended};

/// The IPAM plugin of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ipam {
    kind: String,
    program: PathBuf,
}

/// What it is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Reserve addresses.
    Add,
    /// Release them.
    Del,
    /// Look whether they are reserved.
    Check,
    /// Release those of attachments that are no more.
    Gc,
    /// Say whether addresses can be had.
    Status,
}

impl Task {
    const fn command(self) -> &'static str {
        match self {
            Self::Add => "ADD",
            Self::Del => "DEL",
            Self::Check => "CHECK",
            Self::Gc => "GC",
            Self::Status => "STATUS",
        }
    }
}

impl Ipam {
    /// `ipam.type`, found in CNI_PATH; `None` when the configuration wants no addresses.
    ///
    /// # Errors
    /// Code 7 when it is no name of a plugin, or no such plugin is installed.
    pub fn of(config: &Config<'_>, call: &Call) -> Result<Option<Self>, Failure> {
        let kind = kind(config)?;
        if kind.is_empty() {
            return Ok(None);
        }
        let invalid = |msg: String| Failure::new(Code::INVALID_CONFIG, msg);
        if kind.contains('/') || kind == "." || kind == ".." {
            return Err(invalid(format!("invalid plugin name: {kind}"))
                .details("ipam.type is the name of a program in a folder of CNI_PATH"));
        }
        match program::find(&call.path, &kind) {
            Some(program) => Ok(Some(Self { kind, program })),
            None => {
                let folders = call.path.split(':').collect::<Vec<_>>().join(" ");
                Err(invalid(format!(
                    "failed to find plugin {kind:?} in path [{folders}]"
                ))
                .details(
                    "install it there; host-local and static come with containernetworking-plugins",
                ))
            }
        }
    }

    /// Its name.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Asks it; the result of ADD, an empty one for the rest. What it says on its stderr is
    /// returned beside the result.
    ///
    /// # Errors
    /// Its own failure as it is, or code 999 when it dies without one.
    pub fn ask(
        &self,
        task: Task,
        env: &Env,
        config: &Config<'_>,
    ) -> Result<(CniResult, String), Failure> {
        let mut env = env.clone();
        env.insert("CNI_COMMAND".into(), task.command().into());
        let ended = program::run(&self.program, &env, config.text.as_bytes())
            .map_err(|error| self.failed(&format!("cannot be started: {error}")))?;
        let stderr = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
        if !ended.status.success() {
            return Err(self.failure(&ended, &stderr));
        }
        if task != Task::Add {
            return Ok((CniResult::default(), stderr));
        }
        let text = String::from_utf8_lossy(&ended.stdout);
        let result = CniResult::decode(&text, &config.version)
            .map_err(|error| self.failed(&format!("answered what is no result: {error}")))?;
        Ok((result, stderr))
    }

    fn failed(&self, what: &str) -> Failure {
        let msg = format!("IPAM plugin {:?} {what}", self.kind);
        Failure::new(Code::INTERNAL, msg).details(format!("see {}", self.program.display()))
    }

    /// Its own document where it printed one.
    fn failure(&self, ended: &Ended, stderr: &str) -> Failure {
        let text = String::from_utf8_lossy(&ended.stdout);
        if text.trim().is_empty() {
            let why = if stderr.is_empty() {
                "netplugin failed with no error message".to_owned()
            } else {
                format!("netplugin failed: {stderr:?}")
            };
            return self.failed(&format!("failed: {why}: {}", ended.status));
        }
        let own = || -> Option<Failure> {
            let object = Object::parse(&text).ok()?;
            let code = serde_json::from_str(object.get("code").ok()??.get()).ok()?;
            let msg = object.text("msg").ok()?;
            Some(Failure::new(Code(code), msg).details(object.text("details").ok()?))
        };
        own().unwrap_or_else(|| {
            let shown: String = text.chars().take(400).collect();
            self.failed(&format!(
                "failed: netplugin failed but error parsing its diagnostic message {shown:?}"
            ))
        })
    }
}

fn kind(config: &Config<'_>) -> Result<String, Failure> {
    let ipam = config.object.object("ipam");
    ipam.and_then(|ipam| ipam.text("type"))
        .map_err(|error| super::config::load_error(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;

    /// Installs `ipam` that runs `script`, and asks it.
    fn ask(task: Task, script: &str) -> Result<(CniResult, String), Failure> {
        let machine = Machine::new().program("x-ipam", script);
        let env: Env = [
            ("CNI_COMMAND", "STATUS"),
            ("CNI_PATH", machine.path("").to_str().unwrap()),
            ("PATH", "/bin:/usr/bin"),
        ]
        .map(|(k, v)| (k.into(), v.into()))
        .into();
        let config =
            Config::parse(r#"{"name":"n","cniVersion":"1.0.0","ipam":{"type":"x-ipam"}}"#)?;
        let call = Call::read(&env)?;
        let ipam = Ipam::of(&config, &call)?.unwrap();
        ipam.ask(task, &env, &config)
    }

    #[test]
    fn asked_with_the_same_configuration_and_another_verb() {
        let script = r#"[ "$CNI_COMMAND" = ADD ] && grep -q x-ipam && echo hi >&2 &&
            echo '{"ips":[{"address":"10.0.0.2/24"}]}'"#;
        let (result, stderr) = ask(Task::Add, script).unwrap();
        assert_eq!(result.ips[0].address.to_string(), "10.0.0.2/24");
        assert_eq!(stderr, "hi");
        assert!(ask(Task::Del, "[ $CNI_COMMAND = DEL ]").is_ok());
        assert!(ask(Task::Gc, "[ $CNI_COMMAND = GC ]").is_ok());
    }

    #[test]
    fn its_failure_is_passed_on() {
        let told = ask(
            Task::Add,
            r#"echo '{"code":11,"msg":"full","details":"d"}'; exit 1"#,
        );
        assert_eq!(
            told.unwrap_err(),
            Failure::new(Code::TRY_AGAIN, "full").details("d")
        );
        let msg = |script| ask(Task::Add, script).unwrap_err().msg;
        assert!(msg("exit 4").contains("no error message: exit status: 4"));
        assert!(msg("echo oops >&2; exit 4").contains("netplugin failed: \"oops\""));
        assert!(msg("echo oops; exit 4").contains("diagnostic message \"oops"));
        assert!(msg("echo oops").contains("answered what is no result"));
        assert!(msg("kill -9 $$").contains("signal: 9"));
    }

    #[test]
    fn a_plugin_that_is_none() {
        let of = |kind: &str| {
            let text = format!(r#"{{"name":"n","ipam":{kind}}}"#);
            let config = Config::parse(&text).unwrap();
            let env: Env = [("CNI_COMMAND", "STATUS"), ("CNI_PATH", "/nowhere:/none")]
                .map(|(k, v)| (k.into(), v.into()))
                .into();
            Ipam::of(&config, &Call::read(&env).unwrap()).map_err(|failure| failure.msg)
        };
        assert_eq!(of("{}"), Ok(None));
        assert_eq!(of("null"), Ok(None));
        assert_eq!(
            of(r#"{"type":"a/b"}"#),
            Err("invalid plugin name: a/b".to_owned())
        );
        assert_eq!(
            of(r#"{"type":"nope"}"#),
            Err("failed to find plugin \"nope\" in path [/nowhere /none]".to_owned())
        );
        assert!(of("[]").is_err());
    }
}
