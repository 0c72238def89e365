//! Readers of other people's weights files. They find where the tensors are and convert nothing: memory stays small
//! whatever the file's size. In the browser they are a module of their own, loaded with the first such file.

mod bytes;
mod caffe;
mod caffe_names;
mod legacy;
mod pickle;
mod pytorch;
mod state_dict;

use crate::weights::format::{PICKLE, ZIP};
use crate::weights::{Index, Source};
use crate::{Error, Result};
use bytes::Bytes;

/// Characters of the longest description of a fault.
const LONGEST_MESSAGE: usize = 500;

/// What `source`, a PyTorch or Caffe file, holds. In the browser it reads synchronously, which only workers may.
///
/// # Errors
/// `bad-weights` if it is damaged, of no format that is read here, or holds more than tensors.
pub fn index(source: &Source) -> Result<Index> {
    let bytes = Bytes::new(source)?;
    dispatch(&bytes).map_err(|fault| match fault {
        Fault::Read(error) => error,
        Fault::Content(why) => Error::bad_weights(format!("{}: {}", source.name(), shortened(why))),
    })
}

/// Names in a damaged file may be anything, of any length.
fn shortened(mut why: String) -> String {
    if let Some((end, _)) = why.char_indices().nth(LONGEST_MESSAGE) {
        why.truncate(end);
        why.push('…');
    }
    why
}

fn dispatch(bytes: &Bytes) -> Result<Index, Fault> {
    match bytes.read(0, bytes.length().min(2))?.as_slice() {
        ZIP => pytorch::index(bytes),
        PICKLE => legacy::index(bytes),
        _ => caffe::index(bytes),
    }
}

/// Why a file is not read.
#[derive(Debug)]
enum Fault {
    /// Its bytes cannot be had.
    Read(Error),
    /// What it holds; a clause without the file's name.
    Content(String),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Read(error)
    }
}

/// A fault of the file's content.
fn refuse<T>(why: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Content(why.into()))
}
