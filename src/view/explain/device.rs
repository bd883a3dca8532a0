//! Why a device cannot be found, moved or named so.

use super::Advice;
use crate::rdma::RdmaError;
use crate::rdma::whereabouts::Search;
use crate::view::namespace::{describe, hidden_processes, inside, list_of, quoted};

/// What a driver cannot do.
pub(super) fn driver_advice(error: &RdmaError, driver: Option<&str>) -> Advice {
    let whose = driver.map_or_else(
        || "its driver".to_owned(),
        |driver| format!("its driver {driver}"),
    );
    if let RdmaError::NotMovable { device, .. } = error {
        let software = if driver.is_none() {
            " (soft-RoCE cannot before Linux 7.3, soft-iWARP never)"
        } else {
            ""
        };
        let cause = format!(
            "{device} cannot be moved: the mode is exclusive, but {whose} cannot take a device away from its users{software}"
        );
        return (
            Some(cause),
            Some("rdmactl system set netns shared".to_owned()),
        );
    }
    let cause = match driver {
        Some(driver) => format!(
            "only software devices (rxe, siw) can be deleted; this one belongs to the driver {driver}"
        ),
        None => "only software devices (rxe, siw) can be deleted".to_owned(),
    };
    (Some(cause), None)
}

/// Where a device is that is not here.
pub(super) fn not_here(error: &RdmaError, search: &Search, near: &[String]) -> Advice {
    let name = match error {
        RdmaError::NoSuchDevice { name } | RdmaError::Gone { device: name } => name,
        _ => return (None, None),
    };
    if let Some(first) = search.elsewhere.first() {
        let places = search
            .elsewhere
            .iter()
            .map(|seen| describe(&seen.namespace));
        let cause = format!(
            "{name} lives in another network namespace: {}",
            list_of(places)
        );
        let cure = inside(
            &first.namespace,
            &format!("rdmactl dev show {}", quoted(name)),
        );
        return (Some(cause), cure);
    }
    let mut cause = if near.is_empty() {
        "no RDMA device that can be seen has this name".to_owned()
    } else {
        format!(
            "no RDMA device has this name; near to it: {}",
            near.join(", ")
        )
    };
    cause.push_str(&unseen(search));
    (Some(cause), Some("rdmactl dev show".to_owned()))
}

/// Who has the name.
pub(super) fn name_taken(error: &RdmaError, search: &Search) -> Advice {
    let RdmaError::NameTaken { name, .. } = error else {
        return (None, None);
    };
    let another = "choose another name, or rename that device";
    let rename = format!("rdmactl dev set {} name OTHER", quoted(name));
    // Where names are unique in a namespace only (7.3), this is the one that counts.
    if let Some(device) = search.here.first() {
        let cause = format!(
            "the device with index {} in this network namespace has the name {name}; {another}",
            device.index
        );
        return (Some(cause), Some(rename));
    }
    if let Some(first) = search.elsewhere.first() {
        let places = search
            .elsewhere
            .iter()
            .map(|seen| describe(&seen.namespace));
        let cause = format!(
            "a device in another network namespace has the name {name}: {}; {another}",
            list_of(places)
        );
        return (Some(cause), inside(&first.namespace, &rename));
    }
    let cause = format!(
        "a device that cannot be seen from here has the name {name}{}; choose another name",
        unseen(search)
    );
    (Some(cause), None)
}

/// What a search could not look at.
fn unseen(search: &Search) -> String {
    let mut gaps = Vec::new();
    if !search.unseen.is_empty() {
        let words = search.unseen.iter().map(|(namespace, _)| namespace.word());
        gaps.push(format!("cannot look into {}", list_of(words)));
    }
    if search.hidden > 0 {
        gaps.push(hidden_processes(search.hidden));
    }
    if gaps.is_empty() {
        return String::new();
    }
    format!(" ({})", gaps.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdma::diagnosis::Diagnosis;
    use crate::view::explain::tests::{refusal, said};
    use crate::wire::nldev::device::Device;
    use nix::errno::Errno;

    #[test]
    fn the_two_meanings_of_not_supported() {
        let shared = RdmaError::SharedMode {
            device: "mlx5_2".to_owned(),
            refusal: refusal(Errno::EOPNOTSUPP, None),
        };
        let [_, cause, cure] = said(&shared, &Diagnosis::Plain);
        assert!(cause.contains("shared mode"), "{cause}");
        assert_eq!(cure, "rdmactl system set netns exclusive");
        let fixed = RdmaError::NotMovable {
            device: "qedr0".to_owned(),
            refusal: refusal(Errno::EOPNOTSUPP, None),
        };
        let [_, cause, _] = said(&fixed, &Diagnosis::Driver(Some("qedr".to_owned())));
        assert!(
            cause.contains("its driver qedr cannot take a device away"),
            "{cause}"
        );
        let [_, cause, _] = said(&fixed, &Diagnosis::Driver(None));
        assert!(
            cause.contains("soft-RoCE cannot before Linux 7.3"),
            "{cause}"
        );
    }

    #[test]
    fn where_it_is_and_who_has_it() {
        let missing = RdmaError::NoSuchDevice {
            name: "mxl5_0".to_owned(),
        };
        let near = vec!["mlx5_0".to_owned()];
        let search = Search::default();
        let [_, cause, _] = said(&missing, &Diagnosis::NotHere { search, near });
        assert_eq!(cause, "no RDMA device has this name; near to it: mlx5_0");
        let taken = RdmaError::NameTaken {
            name: "rxe0".to_owned(),
            refusal: refusal(Errno::ENFILE, None),
        };
        let search = Search {
            here: vec![Device {
                index: 3,
                name: "rxe0".to_owned(),
                ..Device::default()
            }],
            ..Search::default()
        };
        let [_, cause, cure] = said(&taken, &Diagnosis::NameTaken(search));
        assert!(cause.contains("index 3"), "{cause}");
        assert_eq!(cure, "rdmactl dev set rxe0 name OTHER");
        let [_, cause, _] = said(&taken, &Diagnosis::NameTaken(Search::default()));
        assert!(cause.contains("cannot be seen from here"), "{cause}");
    }
}
