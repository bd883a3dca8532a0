//! `Log`: lines on stderr, which runtimes keep, and in a file if one is named; never on stdout.

mod level;
mod origin;
mod settings;

use std::io::Write;
use std::time::SystemTime;

use serde_json::{Map, Value};

use crate::cni::call::Env;
use crate::cni::{Call, Config, Failure};
use crate::kernel::{Host, LogFile};
use crate::view::time::timestamp;
use level::Level;
use origin::Origin;
use settings::{Format, Settings};

/// Longest text of a line; what a message quotes may be of any length.
const MAX_TEXT: usize = 4096;

/// Writes what happens in a call, a line each.
pub struct Log<'a> {
    plugin: &'static str,
    err: &'a mut dyn Write,
    level: Level,
    format: Format,
    file: Option<LogFile>,
    origin: Origin,
}

impl<'a> Log<'a> {
    /// A log on stderr, of what was done and what is wrong.
    pub fn new(plugin: &'static str, err: &'a mut dyn Write) -> Self {
        Self {
            plugin,
            err,
            level: Level::default(),
            format: Format::default(),
            file: None,
            origin: Origin::default(),
        }
    }

    /// The same, knowing the trace that the runtime names in the environment.
    pub fn traced(self, env: &Env) -> Self {
        Self {
            origin: Origin::of_env(env),
            ..self
        }
    }

    /// Follows what the configuration says about the log. What cannot be followed is a warning.
    pub fn begin(&mut self, host: &Host, call: &Call, config: &Config<'_>) {
        let (settings, wrong) = Settings::read(config);
        self.origin.know(call, config);
        self.level = settings.level;
        self.format = settings.format;
        for text in wrong {
            self.warn(text);
        }
        match settings.file.map(|path| LogFile::open(host, &path)) {
            None => self.file = None,
            Some(Ok(file)) => self.file = Some(file),
            Some(Err(error)) => self.warn(format!("no logFile: {}", super::fault::chain(&error))),
        }
    }

    /// Writes down how a call failed, which the runtime is told on stdout.
    pub fn end<T>(&mut self, result: &Result<T, Failure>) {
        if let Err(Failure { code, msg, details }) = result {
            let cure = if details.is_empty() { "" } else { " - " };
            self.line(
                Level::Error,
                &format!("code {}: {msg}{cure}{details}", code.0),
            );
        }
    }

    /// Shows debug lines, or as many as the configuration says.
    pub fn set_debug(&mut self, debug: bool) {
        if debug {
            self.level = Level::Debug;
        }
    }

    /// Something the operator should know though the call goes on.
    pub fn warn(&mut self, text: impl AsRef<str>) {
        self.line(Level::Warning, text.as_ref());
    }

    /// What was done.
    pub fn info(&mut self, text: impl AsRef<str>) {
        self.line(Level::Info, text.as_ref());
    }

    /// What is looked at, when asked for.
    pub fn debug(&mut self, text: impl AsRef<str>) {
        self.line(Level::Debug, text.as_ref());
    }

    fn line(&mut self, level: Level, text: &str) {
        if level > self.level {
            return;
        }
        // Names come from anywhere: they must not move a terminal's cursor or begin a line.
        let text: String = text
            .chars()
            .take(MAX_TEXT)
            .map(|c| if c.is_control() { '?' } else { c })
            .collect();
        let now = SystemTime::now();
        let (short, long) = match self.format {
            Format::Text => (self.short(level, &text), self.long(now, level, &text)),
            Format::Json => {
                let object = self.object(now, level, &text);
                (object.clone(), object)
            }
        };
        // Each in one write: others write there too. When it fails, nowhere is left to complain.
        let _ = self.err.write_all(short.as_bytes());
        if let Some(file) = &mut self.file {
            let _ = file.line(&long);
        }
    }

    /// For stderr, where the runtime says when and whose.
    fn short(&self, level: Level, text: &str) -> String {
        let level = match level {
            Level::Info => String::new(),
            level => format!("{}: ", level.as_str()),
        };
        format!("{}: {level}{text}\n", self.plugin)
    }

    /// For a file, which nothing else explains.
    fn long(&self, now: SystemTime, level: Level, text: &str) -> String {
        let mut line = format!("{} {} {}", timestamp(now), level.as_str(), self.plugin);
        for (key, value) in self.origin.parts() {
            line += &format!(" {key}={value}");
        }
        line + &format!(": {text}\n")
    }

    fn object(&self, now: SystemTime, level: Level, text: &str) -> String {
        let mut object = Map::new();
        let mut put = |key: &str, value: &str| object.insert(key.to_owned(), Value::from(value));
        put("time", &timestamp(now));
        put("level", level.as_str());
        put("plugin", self.plugin);
        for (key, value) in self.origin.parts() {
            put(key, value);
        }
        put("msg", text);
        format!("{}\n", Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cni::{Code, Verb};
    use crate::kernel::fake::Machine;

    fn call() -> Call {
        Call {
            verb: Verb::Add,
            container: "c1".to_owned(),
            netns: "/n".to_owned(),
            ifname: "net1".to_owned(),
            args: "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0".to_owned(),
            path: String::new(),
            netns_override: false,
        }
    }

    /// What `tell` writes to stderr, and to the file `/log`.
    fn told(members: &str, tell: impl Fn(&mut Log<'_>)) -> (String, String) {
        let machine = Machine::new();
        let env = [(
            "TRACEPARENT".into(),
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into(),
        )];
        let text = format!("{{\"name\":\"net\"{members}}}");
        let mut bytes = Vec::new();
        let mut log = Log::new("rdma", &mut bytes).traced(&env.into());
        log.begin(&machine.host(), &call(), &Config::parse(&text).unwrap());
        tell(&mut log);
        let file = if machine.path("log").exists() {
            machine.read("log")
        } else {
            String::new()
        };
        (String::from_utf8(bytes).unwrap(), file)
    }

    #[test]
    fn one_line_each() {
        let (err, file) = told("", |log| {
            log.debug("unseen");
            log.warn("a\nb\x1b");
            log.set_debug(true);
            log.debug("seen");
            log.info("x".repeat(9999));
        });
        assert!(err.starts_with("rdma: warning: a?b?\nrdma: debug: seen\nrdma: xxx"));
        assert_eq!(err.lines().count(), 3);
        assert!(err.len() < 4200);
        assert_eq!(file, "");
    }

    #[test]
    fn levels_leave_out_what_is_below_them() {
        let all = |log: &mut Log<'_>| {
            log.end::<()>(&Err(Failure::new(Code(7), "no").details("do")));
            log.warn("w");
            log.info("i");
            log.debug("d");
        };
        for (level, lines) in [
            ("panic", 0),
            ("error", 1),
            ("warning", 2),
            ("info", 3),
            ("debug", 4),
        ] {
            let (err, _) = told(&format!(",\"logLevel\":\"{level}\""), all);
            assert_eq!(err.lines().count(), lines, "{level}: {err}");
        }
        let (err, _) = told("", all);
        assert_eq!(
            err,
            "rdma: error: code 7: no - do\nrdma: warning: w\nrdma: i\n"
        );
    }

    #[test]
    fn a_file_says_when_and_whose() {
        let (err, file) = told(r#","logFile":"/log""#, |log| log.warn("w"));
        assert_eq!(err, "rdma: warning: w\n");
        let (time, rest) = file.split_once(' ').unwrap();
        assert!(time.ends_with('Z') && time.starts_with("20"));
        assert_eq!(
            rest,
            "warning rdma verb=ADD network=net container=c1 ifname=net1 pod_namespace=shop pod_name=web-0 trace_id=4bf92f3577b34da6a3ce929d0e0e4736: w\n"
        );
        let (err, file) = told(r#","logFile":"/no/such/log""#, |log| log.info("i"));
        assert!(err.starts_with("rdma: warning: no logFile: cannot open "));
        assert!(err.ends_with("\nrdma: i\n"), "{err}");
        assert_eq!(file, "");
    }

    #[test]
    fn objects_have_the_same_keys_in_both_places() {
        let (err, file) = told(r#","logFormat":"json","logFile":"/log""#, |log| {
            log.info("say \"x\"")
        });
        assert_eq!(err, file);
        let value: Value = serde_json::from_str(&err).unwrap();
        let keys: Vec<&String> = value.as_object().unwrap().keys().collect();
        assert_eq!(
            keys.iter().map(|key| key.as_str()).collect::<Vec<_>>(),
            [
                "time",
                "level",
                "plugin",
                "verb",
                "network",
                "container",
                "ifname",
                "pod_namespace",
                "pod_name",
                "trace_id",
                "msg"
            ]
        );
        assert_eq!(value["msg"], "say \"x\"");
        assert_eq!(value["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    }
}
