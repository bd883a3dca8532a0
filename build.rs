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
        // 4,000 addresses to fit at each start take 2 KiB instead of 100. Before 2.36 the C library cannot read them so.
        if libc_version().is_some_and(|version| version >= (2, 36)) {
            println!("cargo:rustc-link-arg-bin=rdmactl=-Wl,-z,pack-relative-relocs");
        }
    }
}

/// That of the C library which is linked in, where it is the GNU one.
fn libc_version() -> Option<(u32, u32)> {
    let told = std::process::Command::new("getconf")
        .arg("GNU_LIBC_VERSION")
        .output();
    let told = String::from_utf8(told.ok()?.stdout).ok()?;
    let (major, minor) = told.trim().strip_prefix("glibc ")?.split_once('.')?;
    let minor = minor.split('.').next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
