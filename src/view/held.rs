//! `vf create`, `vf bind` and the like: a VF and what it has now, as a row.

use super::{Field, Row};
use crate::sriov::held::Held;
use crate::types::PciAddr;

/// A PF, and what people call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its address.
    pub address: PciAddr,
    /// Its interface, else its RDMA device, else its address.
    pub name: String,
}

/// The row of one VF, with the names that `vf show` has; what it has not is absent.
pub fn row(pf: &Owner, held: &Held) -> Row {
    let name = format!("{}/{}", pf.name, held.vf.index);
    let mut row = vec![
        Field::with_text("vf", "VF", format!("vf {name} "), name),
        Field::new("pf", "", pf.name.as_str()).not_in_text(),
        Field::new("pf_pci", "", pf.address.to_string()).not_in_text(),
        Field::new("index", "", u32::from(held.vf.index)).not_in_text(),
        Field::new("pci", "PCI", held.vf.address.to_string()),
    ];
    if let Some(driver) = &held.driver {
        row.push(Field::new("driver", "DRIVER", driver.as_str()));
    }
    if let Some(rdma) = held.rdma.first() {
        row.push(Field::new("rdma", "RDMA", rdma.as_str()));
    }
    if let Some(netdev) = held.netdevs.first() {
        row.push(Field::new("netdev", "NETDEV", netdev.as_str()));
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sriov::pf::Vf;
    use crate::view::{json, text};

    #[test]
    fn text_and_json() {
        let owner = Owner {
            address: "0000:01:00.0".parse().unwrap(),
            name: "ib0".to_owned(),
        };
        let vf = Vf {
            index: 3,
            address: "0000:01:10.6".parse().unwrap(),
        };
        let mut held = Held {
            vf,
            driver: Some("mlx5_core".to_owned()),
            rdma: vec!["mlx5_4".to_owned(), "mlx5_5".to_owned()],
            netdevs: vec!["ib4".parse().unwrap()],
        };
        let rows = [row(&owner, &held)];
        assert_eq!(
            text::render(&rows, false),
            "vf ib0/3 pci 0000:01:10.6 driver mlx5_core rdma mlx5_4 netdev ib4 \n"
        );
        held.driver = None;
        held.rdma.clear();
        held.netdevs.clear();
        assert_eq!(
            json::render(&[row(&owner, &held)], false),
            "[{\"vf\":\"ib0/3\",\"pf\":\"ib0\",\"pf_pci\":\"0000:01:00.0\",\"index\":3,\"pci\":\"0000:01:10.6\"}\n]\n"
        );
    }
}
