//! Finding the tensors of a file of any format.

#[cfg(feature = "readers")]
use super::readers;
use super::{Format, Index, Source, safetensors};
#[cfg(not(feature = "readers"))]
use crate::Error;
use crate::Result;

impl Index {
    /// Finds the tensors of `source`.
    ///
    /// # Errors
    /// `bad-weights` if it is not a whole, consistent file of a format that this build reads.
    pub async fn of(source: &Source) -> Result<Self> {
        match Format::of(source).await? {
            Format::Safetensors => safetensors::index(source).await,
            other => foreign(source, other),
        }
    }
}

#[cfg(feature = "readers")]
fn foreign(source: &Source, _format: Format) -> Result<Index> {
    readers::index(source)
}

#[cfg(not(feature = "readers"))]
fn foreign(source: &Source, format: Format) -> Result<Index> {
    let name = source.name();
    Err(Error::bad_weights(format!("{name} looks like a {format:?} file; without its reader only safetensors is read")))
}
