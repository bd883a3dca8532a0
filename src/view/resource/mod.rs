//! `resource show`: tracked objects as rows, in iproute2's order of properties.

mod cm_id;
mod cq;
mod driver;
mod frmr_pools;
mod mr;
mod pd;
mod qp;
mod srq;
mod summary;

use super::{Detail, Field, Row};
use crate::kernel::owner::Owner;
use crate::rdma::resource::Maker;
use crate::wire::nldev::resource::{Ctx, Object, Task, What};

pub use summary::row as summary_row;

/// How much of an object is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Show {
    /// More of it, where a kind has more.
    pub detail: Detail,
    /// What the driver adds.
    pub driver_details: bool,
    /// Listed by ports, as queue pairs and connections are.
    pub by_port: bool,
}

/// The row of one object; `maker` is the process behind it.
pub fn row(object: &Object, maker: Option<&Maker>, show: Show) -> Row {
    let mut row = Row::with_capacity(16);
    place(&mut row, object, show.by_port);
    match &object.what {
        What::Qp(qp) => qp::fields(&mut row, qp),
        What::CmId(cm_id) => cm_id::fields(&mut row, cm_id),
        What::Cq(cq) => cq::fields(&mut row, cq),
        What::Mr(mr) => mr::fields(&mut row, mr),
        What::Pd(pd) => pd::fields(&mut row, pd),
        What::Ctx(Ctx { ctxn }) => row.push(Field::new("ctxn", "CTXN", *ctxn)),
        What::Srq(srq) => srq::fields(&mut row, srq),
        What::FrmrPool(pool) => {
            frmr_pools::fields(&mut row, pool, show.detail != Detail::Usual);
        }
        What::Raw(bytes) => row.extend(raw(bytes)),
    }
    made_by(&mut row, &object.task, maker);
    if let What::CmId(cm_id) = &object.what {
        cm_id::addresses(&mut row, cm_id, show.detail);
    }
    if let Some(owner) = maker.and_then(|maker| maker.owner.as_ref()) {
        owned_by(&mut row, owner);
    }
    if show.driver_details {
        driver::fields(&mut row, &object.driver);
    }
    row
}

/// Device and port, as the beginning of the line has them.
fn place(row: &mut Row, object: &Object, by_port: bool) {
    let device = object.device.as_str();
    let name = match (by_port, object.port) {
        (false, _) => ["dev ", device, " "].concat(),
        (true, Some(port)) => ["link ", device, "/", &port.to_string(), " "].concat(),
        (true, None) => ["link ", device, "/- "].concat(),
    };
    row.push(Field::new("ifindex", "", object.device_index).not_in_text());
    row.push(Field::with_text("ifname", "DEVICE", name, device));
    let port = object.port.filter(|_| by_port);
    row.extend(port.map(|port| Field::new("port", "PORT", port).not_in_text()));
}

/// The process and its command name, or the part of the kernel in brackets.
fn made_by(row: &mut Row, task: &Task, maker: Option<&Maker>) {
    row.extend(task.pid.map(|pid| Field::new("pid", "PID", pid)));
    if let Some(name) = &task.kernel {
        let text = format!("comm [{name}] ");
        row.push(Field::with_text("comm", "COMMAND", text, name.as_str()));
    } else if let Some(comm) = maker.and_then(|maker| maker.comm.as_deref()) {
        row.push(Field::new("comm", "COMMAND", comm));
    }
}

/// Who answers for the process.
fn owned_by(row: &mut Row, owner: &Owner) {
    let unit = owner.unit.as_ref().map(|unit| unit.name.as_str());
    row.extend(unit.map(|name| Field::new("unit", "UNIT", name)));
    let user = owner.unit.as_ref().and_then(|unit| unit.user);
    row.extend(user.map(|uid| Field::new("unit-user", "UNIT USER", uid)));
    let container = owner.container.as_ref().map(|each| each.id.as_str());
    row.extend(container.map(|id| Field::new("container", "CONTAINER", id)));
    row.extend(
        owner
            .pod
            .as_deref()
            .map(|uid| Field::new("pod", "POD", uid)),
    );
}

/// A key, in JSON without `0x`.
fn hex(key: &'static str, head: &'static str, value: impl Into<u64>) -> Field {
    let value = value.into();
    Field::with_text(
        key,
        head,
        format!("{key} 0x{value:x} "),
        format!("{value:x}"),
    )
}

/// Bytes that only the driver's tools understand: in text all digits in a row, as iproute2 has them,
/// for people in pairs of hexadecimal digits.
fn raw(bytes: &[u8]) -> Row {
    let text: String = bytes.iter().map(u8::to_string).collect();
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    vec![
        Field::with_text("data", "", text + ">", bytes.to_vec()),
        Field::in_tables("DATA", hex.join(" ")),
    ]
}
