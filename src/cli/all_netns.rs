//! `--all-netns`: a show command run in every network namespace, its rows told apart by it.

use super::reader::Later;
use super::{Context, Failure, Object, dispatch, opened};
use crate::kernel::{Conn, Namespace, NetnsError};
use crate::rdma::{RdmaError, system, whereabouts};
use crate::types::NetnsMode;
use crate::view::explain::Explanation;
use crate::view::{self, Row};

/// Whether a command may be run with these options.
pub(super) fn allowed(object: &Object, all_netns: bool) -> Result<(), &'static str> {
    match object {
        _ if !all_netns => Ok(()),
        Object::Monitor(Later(monitor)) if monitor.is_of_kernel() => Err(
            "--kernel tells what the kernel announces to one network namespace: leave out --all-netns",
        ),
        // These look at every namespace themselves.
        Object::Monitor(_) | Object::Topology(_) => Ok(()),
        Object::Vf(vf) if vf.0.only_shows() => Ok(()),
        Object::Cni(cni) if cni.0.only_shows() => Ok(()),
        _ if object.again().is_some() => Ok(()),
        _ => Err(
            "--all-netns is for commands that show what network namespaces have: name that of a change with --netns",
        ),
    }
}

impl Object {
    /// The same command once more, if it shows what one namespace has.
    pub(super) fn again(&self) -> Option<Self> {
        let only_shows = match self {
            Self::Dev(Later(dev)) => dev.only_shows(),
            Self::Link(Later(link)) => link.only_shows(),
            Self::Resource(Later(resource)) => resource.only_shows(),
            Self::System(Later(system)) => system.only_shows(),
            Self::Statistic(Later(statistic)) => statistic.only_shows(),
            _ => false,
        };
        only_shows.then(|| self.clone())
    }
}

/// Runs a command that shows in one namespace after the other and prints what they have at once.
/// In shared mode all have the same devices; only the interfaces of ports differ.
///
/// # Errors
/// [`Failure::Several`] when a namespace or a device could not be asked; the rest is printed.
pub(super) fn run(
    object: &Object,
    cx: &mut Context<'_>,
    conn: &mut Option<Conn>,
) -> Result<(), Failure> {
    let shared = is_shared(cx, opened(cx, conn)?)?;
    let alike = match object {
        // Settings are the whole machine's.
        Object::System(_) => true,
        Object::Link(_) => false,
        _ => shared,
    };
    if alike {
        return object
            .again()
            .map_or(Ok(()), |object| dispatch(object, cx, conn));
    }
    let survey = whereabouts::everywhere(cx.host, cx.host.sysfs());
    let survey = survey.map_err(|error| Explanation::of(error.to_string()))?;
    let mut tour = Tour::default();
    cx.roams = true;
    cx.view.hold();
    let outcome = survey
        .namespaces
        .iter()
        .try_for_each(|namespace| tour.visit(namespace, object, cx, conn));
    cx.view.release();
    cx.roams = false;
    outcome?;
    if shared {
        tour.rows = once_each(tour.rows);
    }
    tour.end(cx, conn, survey.hidden)
}

fn is_shared(cx: &Context<'_>, conn: &mut Conn) -> Result<bool, Failure> {
    match system::get(conn) {
        Ok(system) => Ok(system.netns_mode() != Some(NetnsMode::Exclusive)),
        // Kernels too old to tell have the shared mode only.
        Err(RdmaError::TooOld { .. }) => Ok(true),
        Err(error) => Err(cx.explain_plain(conn, error)),
    }
}

/// What was found in the namespaces so far.
#[derive(Default)]
struct Tour {
    rows: Vec<Row>,
    /// Why parts are missing, each reason once.
    failed: Vec<Explanation>,
    /// Namespaces that could not be entered.
    unseen: Vec<NetnsError>,
    /// The device that was asked for is not here.
    absent: Option<RdmaError>,
    /// It is there.
    found: bool,
}

impl Tour {
    fn visit(
        &mut self,
        namespace: &Namespace,
        object: &Object,
        cx: &mut Context<'_>,
        conn: &mut Option<Conn>,
    ) -> Result<(), Failure> {
        let Some(object) = object.again() else {
            return Ok(());
        };
        let outcome = if namespace.is_current {
            dispatch(object, cx, conn)
        } else {
            let opened = namespace.open(cx.host);
            let outcome = opened.and_then(|netns| netns.within(|| dispatch(object, cx, &mut None)));
            match outcome {
                Ok(outcome) => outcome,
                // It may have ended since it was found.
                Err(error) => {
                    self.unseen.extend((!error.is_absent()).then_some(error));
                    return Ok(());
                }
            }
        };
        let label = view::namespace::fields(namespace, cx.details > 0);
        let rows = cx.view.held().into_iter();
        self.rows
            .extend(rows.map(|row| view::namespace::labelled(row, &label)));
        match outcome {
            Ok(()) => self.found = true,
            Err(Failure::Absent(error)) => self.lacks(*error),
            Err(Failure::Explained(explanation)) => self.lost(*explanation),
            Err(Failure::Several(explanations)) => {
                self.found = true;
                explanations.into_iter().for_each(|each| self.lost(each));
            }
            Err(other) => return Err(other),
        }
        Ok(())
    }

    fn lost(&mut self, explanation: Explanation) {
        if !self.failed.contains(&explanation) {
            self.failed.push(explanation);
        }
    }

    /// Of a device that is there, a port that is not says more than all other namespaces.
    fn lacks(&mut self, error: RdmaError) {
        if self.absent.is_none() || matches!(error, RdmaError::NoSuchPort { .. }) {
            self.absent = Some(error);
        }
    }

    fn end(
        mut self,
        cx: &mut Context<'_>,
        conn: &mut Option<Conn>,
        hidden: usize,
    ) -> Result<(), Failure> {
        cx.view.rows(&self.rows)?;
        if let Some(error) = self.absent.filter(|_| !self.found) {
            let failure = cx.explain_plain(opened(cx, conn)?, error);
            if let Failure::Explained(explanation) = failure {
                self.failed.push(*explanation);
            }
        }
        self.failed.extend(cx.gaps(&self.unseen, hidden));
        if self.failed.is_empty() {
            return Ok(());
        }
        Err(Failure::Several(self.failed))
    }
}

/// In shared mode every namespace has every port, but the interface of a port has one: the row
/// with the interface keeps its namespace, the others are all the same and have none.
fn once_each(rows: Vec<Row>) -> Vec<Row> {
    let has = |row: &Row, key: &str| row.iter().any(|field| field.key == key);
    let value = |row: &Row, key: &str| {
        let field = row.iter().find(|field| field.key == key);
        field.map(|field| field.value.clone())
    };
    let mut once: Vec<Row> = Vec::new();
    for row in rows {
        let same = |other: &&mut Row| {
            ["ifindex", "port"]
                .iter()
                .all(|key| value(other, key) == value(&row, key))
        };
        let with_netdev = has(&row, "netdev");
        match once.iter_mut().find(same) {
            Some(known) if with_netdev && !has(known, "netdev") => *known = row,
            Some(_) => {}
            None if with_netdev => once.push(row),
            None => once.push(view::namespace::unlabelled(row)),
        }
    }
    once
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Field;

    #[test]
    fn shared_ports_are_shown_where_their_interface_is() {
        let row = |index: u32, netdev: Option<&str>, netns: &str| -> Row {
            let mut row = vec![
                Field::new("ifindex", "", index),
                Field::new("port", "PORT", 1u32),
            ];
            row.extend(netdev.map(|name| Field::new("netdev", "NETDEV", name)));
            view::namespace::labelled(row, &[Field::new("netns", "NETNS", netns)])
        };
        let rows = vec![
            row(0, Some("eth0"), "net:[1]"),
            row(1, None, "net:[1]"),
            row(2, None, "net:[1]"),
            row(0, None, "pod1"),
            row(1, Some("eth1"), "pod1"),
            row(2, None, "pod1"),
        ];
        let text = view::text::render(once_each(rows), false);
        assert_eq!(
            text,
            "ifindex 0 port 1 netdev eth0 netns net:[1] \n\
             ifindex 1 port 1 netdev eth1 netns pod1 \n\
             ifindex 2 port 1 \n"
        );
    }
}
