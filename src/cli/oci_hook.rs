//! `oci-hook`: a hook of an OCI runtime, with the state of the container on standard input.

use std::io::Read;

use clap::{Args, ValueEnum};

use super::{Context, Failure};
use crate::kernel::{Conn, Host};
use crate::oci::give::{self, Gift};
use crate::oci::state::{MAX_STATE, Status};
use crate::oci::{HookError, State, Word, home};
use crate::types::{ContainerId, Invalid};
use crate::view::explain;

/// When a runtime calls; the words are those of the OCI runtime specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Phase {
    /// The container is being made: it gets its devices
    #[value(name = "createRuntime", alias = "prestart")]
    CreateRuntime,
    /// The container has ended: its devices come home
    #[value(name = "poststop")]
    Poststop,
}

/// Give containers RDMA devices of their own, as a hook of runc, crun, podman or Docker
///
/// The container's state is read from standard input. Its devices are those of its annotation
/// rdmactl.io/devices, a list such as mlx5_2,0000:01:10.2, and those named here. They are moved
/// into its network namespace, all or none, and are on record until they are home.
#[derive(Debug, Clone, Args)]
pub(super) struct OciHook {
    /// When it is called; without it the status in the state says it
    phase: Option<Phase>,
    /// A device of the container: RDMA device, PCI address or auxiliary device; may be repeated
    #[arg(long, value_name = "DEV")]
    device: Vec<Word>,
    /// A file of /dev/infiniband that the container was given for its one device, such as uverbs2;
    /// may be repeated. If these are not the files of the device, the container is not started
    #[arg(long, value_name = "NAME", requires = "device")]
    node: Vec<String>,
}

impl OciHook {
    pub(super) fn run(self, cx: &mut Context<'_>) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        let read = cx.input.take(MAX_STATE + 1).read_to_end(&mut bytes);
        read.map_err(|error| {
            let why = format!("error: cannot read standard input: {error}");
            explain::Explanation::of(why)
        })?;
        let phase = match self.phase {
            Some(phase) => phase,
            None => phase(&bytes)?,
        };
        // Nobody reads what a hook prints: not even an empty array, as other changes have for programs.
        match phase {
            Phase::CreateRuntime => self.create(cx, &bytes),
            Phase::Poststop => poststop(cx, &bytes),
        }
    }

    fn create(self, cx: &mut Context<'_>, bytes: &[u8]) -> Result<(), Failure> {
        let state = State::parse(bytes).map_err(|error| said(&error.into()))?;
        let words = [state.devices.as_slice(), &self.device].concat();
        if words.is_empty() {
            // Hooks are often called for every container.
            return Ok(());
        }
        let mut conn = cx.rdma()?;
        let planned = give::plan(cx.host, &mut conn, &state, &words);
        let plan = planned.map_err(|error| told(cx, &mut conn, error))?;
        if !self.node.is_empty() && plan.ids.len() != 1 {
            let word = self.node.join(" ");
            let rule = "it goes with one device alone";
            return Err(Invalid::new(&word, "use of --node", rule).into());
        }
        let steps = || {
            let place = plan.netns.word();
            let step = |id| format!("move the RDMA device of {id} to {place}");
            plan.ids.iter().map(step).collect()
        };
        if cx.plan_all(steps)? {
            return Ok(());
        }
        let mut gift = Gift {
            host: cx.host,
            home: &mut conn,
            plan: &plan,
            given: &self.node,
            notes: Vec::new(),
        };
        let given = gift.give();
        for note in gift.notes {
            cx.note(note);
        }
        given.map_err(|error| told(cx, &mut conn, error))
    }
}

/// By the status; a container that runs has no hook of ours.
fn phase(bytes: &[u8]) -> Result<Phase, Failure> {
    let word = match State::status(bytes).map_err(|error| said(&error.into()))? {
        Status::Creating => return Ok(Phase::CreateRuntime),
        Status::Stopped => return Ok(Phase::Poststop),
        Status::Running => "running",
        Status::Other => "its own status",
    };
    let rule = "say createRuntime or poststop";
    Err(Invalid::new(word, "status to tell the phase by", rule).into())
}

fn poststop(cx: &mut Context<'_>, bytes: &[u8]) -> Result<(), Failure> {
    let container = State::container(bytes).map_err(|error| said(&error.into()))?;
    let entries = home::on_record(cx.host, &container).map_err(|error| said(&error.into()))?;
    let step = |entry| step(&container, entry);
    if cx.plan_all(|| entries.iter().map(step).collect())? {
        return Ok(());
    }
    let mut notes = Vec::new();
    let brought = home::bring(cx.host, &container, &entries, &mut notes);
    for note in notes {
        cx.note(note);
    }
    brought.map_err(|failures| {
        let explained = failures.into_iter().flat_map(|error| match open(cx.host) {
            Some(mut conn) => told(cx, &mut conn, error).explanations(),
            None => said(&error).explanations(),
        });
        Failure::Several(explained.collect())
    })
}

fn open(host: &Host) -> Option<Conn> {
    host.rdma().ok()
}

fn step(container: &ContainerId, entry: &crate::rdma::lease::Entry) -> String {
    let device = home::device(container, entry).map(|id| id.to_string());
    let device = device.unwrap_or_else(|| "a device".to_owned());
    format!("bring {device} of container {container} home")
}

/// Why, where nobody has to be asked.
pub(super) fn said(error: &HookError) -> Failure {
    explain::oci::hook(error).into()
}

/// Why, by what the kernel and `/proc` tell.
pub(super) fn told(cx: &Context<'_>, conn: &mut Conn, error: HookError) -> Failure {
    use crate::rdma::lease::LeaseError;
    match error {
        HookError::Rdma(error) | HookError::Lease(LeaseError::Rdma(error)) => {
            cx.explain_plain(conn, error)
        }
        HookError::Netns(error) | HookError::Lease(LeaseError::Netns(error)) => {
            cx.explain_netns(&error)
        }
        other => said(&other),
    }
}
