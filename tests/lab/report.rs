//! What the guest tells the host: one line of JSON each time a case starts or ends.

use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub(crate) enum Report {
    Started {
        case: String,
    },
    Ended {
        case: String,
        ok: bool,
        seconds: f64,
        output: String,
    },
}
