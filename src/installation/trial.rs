//! The trial of a program before it serves: it has to answer VERSION.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::InstallError;
use crate::kernel::program::{self, Ended};

/// It prints a line; a loaded node may take a while to read the program.
const LIMIT: Duration = Duration::from_secs(20);

/// Longest part of its complaints that is passed on.
const MAX_TOLD: usize = 200;

/// Runs `program` as a runtime does that asks for the versions it speaks.
///
/// # Errors
/// [`InstallError`] when it cannot be started, or says anything else.
pub(super) fn answers(program: &Path, name: &'static str) -> Result<(), InstallError> {
    let env = [
        ("CNI_COMMAND".into(), "VERSION".into()),
        // Go's plugins of some years ask for it with every verb.
        ("CNI_PATH".into(), "/".into()),
    ];
    let ended = program::run_within(program, &env.into(), b"{\"cniVersion\":\"1.0.0\"}", LIMIT);
    let ended = ended.map_err(|source| InstallError::not_started(name, program, source))?;
    verdict(&ended).map_err(|why| InstallError::Unfit { name, why })
}

fn verdict(ended: &Ended) -> Result<(), String> {
    if !ended.status.success() {
        let told = [&ended.stderr[..], &ended.stdout[..]];
        let told = told.into_iter().find(|text| !text.is_empty());
        let told = String::from_utf8_lossy(told.unwrap_or_default());
        let told: String = told.chars().take(MAX_TOLD).collect();
        return Err(format!("{}, {:?}", ended.status, told.trim()));
    }
    let answer: Value = serde_json::from_slice(&ended.stdout)
        .map_err(|error| format!("its answer is no JSON: {error}"))?;
    let versions = answer["supportedVersions"].as_array();
    match versions.is_some_and(|versions| versions.iter().any(Value::is_string)) {
        true => Ok(()),
        false => Err("its answer has no supportedVersions".to_owned()),
    }
}
