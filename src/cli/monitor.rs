//! `monitor`: what changes, as it changes, until the reader has enough.

use std::time::SystemTime;

use clap::Args;

use super::{Context, Dialect, Failure};
use crate::kernel::NetlinkError;
use crate::rdma::RdmaError;
use crate::rdma::monitor::{self, scene::Change, watch::Watch};
use crate::view::explain::Explanation;
use crate::view::{self, Format};

/// Tell what changes, as it changes
#[derive(Debug, Clone, Args)]
pub(super) struct Monitor {
    /// Tell what the kernel announces and nothing else, as iproute2 does
    #[arg(long)]
    kernel: bool,
}

impl Monitor {
    pub(super) fn run(self, cx: &mut Context<'_>) -> Result<(), Failure> {
        if self.kernel || (cx.dialect == Dialect::Iproute2 && !cx.all_netns) {
            announcements(cx)
        } else {
            changes(cx)
        }
    }

    /// Whether it is to tell no more than the kernel does.
    pub(super) fn is_of_kernel(&self) -> bool {
        self.kernel
    }
}

fn announcements(cx: &mut Context<'_>) -> Result<(), Failure> {
    let mut conn = cx.rdma()?;
    let listening = monitor::announcements(cx.host, &mut conn)
        .map_err(|error| cx.explain_plain(&mut conn, error))?;
    let Some(mut listening) = listening else {
        return Err(too_old().into());
    };
    // iproute2's JSON is an array that never ends; ours, under our own name, is an object a line.
    let array = cx.dialect == Dialect::Iproute2 && cx.view.style().format == Format::Json;
    let mut lead = "";
    if array {
        cx.view.raw("[")?;
    }
    loop {
        let events = match listening.heard() {
            Ok(events) => events,
            // Some are lost, and nothing tells which; the plain monitor looks again and says so.
            Err(NetlinkError::Overrun) => continue,
            Err(error) => return Err(cx.explain_unconnected(RdmaError::from(error))),
        };
        for event in events {
            if array {
                cx.view.raw(std::mem::replace(&mut lead, ","))?;
            }
            cx.view.streamed(&view::event::announcement(&event))?;
        }
    }
}

fn changes(cx: &mut Context<'_>) -> Result<(), Failure> {
    let failed = |cx: &Context<'_>, error| cx.explain_unconnected(error);
    let (mut watch, there) =
        Watch::begin(cx.host, cx.all_netns).map_err(|error| failed(cx, error))?;
    tell(cx, &there)?;
    loop {
        let changes = watch.changed().map_err(|error| failed(cx, error))?;
        tell(cx, &changes)?;
    }
}

fn tell(cx: &mut Context<'_>, changes: &[Change]) -> Result<(), Failure> {
    let now = SystemTime::now();
    for change in changes {
        cx.view.streamed(&view::event::change(change, now))?;
    }
    Ok(())
}

fn too_old() -> Explanation {
    Explanation {
        headline: "RDMA monitoring is not supported by the kernel".to_owned(),
        cause: Some("the kernel announces devices since Linux 6.12".to_owned()),
        cure: Some("rdmactl monitor, which finds changes on older kernels too".to_owned()),
    }
}
