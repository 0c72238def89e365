//! The formats of weights files.

use super::Source;
use crate::Result;
use serde::{Deserialize, Serialize};
use std::fmt;

/// First bytes of a zip archive.
pub(super) const ZIP: &[u8] = b"PK";
/// First bytes of a pickle of protocol 2.
pub(super) const PICKLE: &[u8] = b"\x80\x02";
/// First bytes of a `NetParameter`: its name, or a layer of either kind.
const NET_PARAMETER: [&[u8]; 3] = [b"\x0a", b"\x12", b"\xa2\x06"];

/// A format of weights files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// safetensors.
    Safetensors,
    /// What `torch.save` writes.
    PyTorch,
    /// A protobuf `NetParameter`.
    Caffe,
}

impl Format {
    /// The format that the first bytes of `source` speak for; safetensors where they speak for none.
    ///
    /// # Errors
    /// `bad-weights` if they cannot be read.
    pub async fn of(source: &Source) -> Result<Self> {
        let first = source.read(0..source.length()?.min(9)).await?;
        Ok(match first.as_slice() {
            [_, _, _, _, _, _, _, _, b'{'] => Self::Safetensors,
            first if first.starts_with(ZIP) || first.starts_with(PICKLE) => Self::PyTorch,
            first if NET_PARAMETER.iter().any(|tag| first.starts_with(tag)) => Self::Caffe,
            _ => Self::Safetensors,
        })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Safetensors => "safetensors",
            Self::PyTorch => "PyTorch",
            Self::Caffe => "Caffe",
        })
    }
}
