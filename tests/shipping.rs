//! What is shipped: image, manifests, manual pages, completions, units and packages, each tried with the real thing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

#[path = "shipping/root.rs"]
mod root;

#[path = "shipping/completions.rs"]
mod completions;
#[path = "shipping/image.rs"]
mod image;
#[path = "shipping/manifests.rs"]
mod manifests;
#[path = "shipping/manual.rs"]
mod manual;
#[path = "shipping/package.rs"]
mod package;
#[path = "shipping/provisioning.rs"]
mod provisioning;
#[path = "shipping/units.rs"]
mod units;
