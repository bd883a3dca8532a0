//! Hands the linker the order of what the CNI plugins run, so that a call of one does not draw in all of the program.
#![expect(
    clippy::disallowed_methods,
    reason = "Cargo speaks with this by the environment and standard output"
)]

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=packaging/plugins.ld");
    let is = |name: &str, value: &str| std::env::var(name).as_deref() == Ok(value);
    // An order costs each link some time, and a build for tests has other functions.
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") {
        let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        println!("cargo:rustc-link-arg-bin=rdmactl=-Wl,-T,{folder}/packaging/plugins.ld");
    }
}
