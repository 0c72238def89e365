//! Where the bytes of a checkpoint are, so that they can be read again.

use crate::{Error, Result};
use std::ops::Range;

/// Bytes that can be read in parts, any number of times.
#[derive(Clone, Debug)]
pub enum Source {
    /// Shipped with the program.
    Static(&'static [u8]),
    /// In memory.
    Bytes(std::rc::Rc<[u8]>),
    /// A file.
    #[cfg(not(target_arch = "wasm32"))]
    File(std::path::PathBuf),
    /// A Blob, which the browser keeps on disk if it likes.
    #[cfg(target_arch = "wasm32")]
    Blob(web_sys::Blob),
}

impl Source {
    /// How messages call it.
    pub fn name(&self) -> String {
        match self {
            Self::Static(_) => "the bundled weights".into(),
            Self::Bytes(_) => "the weights".into(),
            #[cfg(not(target_arch = "wasm32"))]
            Self::File(path) => path.display().to_string(),
            #[cfg(target_arch = "wasm32")]
            Self::Blob(_) => "the weights file".into(),
        }
    }

    /// Length in bytes.
    ///
    /// # Errors
    /// `bad-weights` if it cannot be read.
    pub fn length(&self) -> Result<u64> {
        match self {
            Self::Static(bytes) => Ok(bytes.len() as u64),
            Self::Bytes(bytes) => Ok(bytes.len() as u64),
            #[cfg(not(target_arch = "wasm32"))]
            Self::File(path) => std::fs::metadata(path).map(|m| m.len()).map_err(|e| self.failed(&e)),
            #[cfg(target_arch = "wasm32")]
            Self::Blob(blob) => Ok(blob.size() as u64),
        }
    }

    /// The bytes of `range`.
    ///
    /// # Errors
    /// `bad-weights` if they cannot be read or the range ends behind the file.
    pub async fn read(&self, range: Range<u64>) -> Result<Vec<u8>> {
        self.check(&range)?;
        match self {
            Self::Static(bytes) => Ok(bytes[range.start as usize..range.end as usize].to_vec()),
            Self::Bytes(bytes) => Ok(bytes[range.start as usize..range.end as usize].to_vec()),
            #[cfg(not(target_arch = "wasm32"))]
            Self::File(path) => self.read_file(path, range),
            #[cfg(target_arch = "wasm32")]
            Self::Blob(blob) => {
                let failed = |e: wasm_bindgen::JsValue| self.failed(&format!("{e:?}"));
                let part = blob.slice_with_f64_and_f64(range.start as f64, range.end as f64).map_err(failed)?;
                let buffer = wasm_bindgen_futures::JsFuture::from(part.array_buffer()).await.map_err(failed)?;
                Ok(js_sys::Uint8Array::new(&buffer).to_vec())
            }
        }
    }

    /// [`Source::read`] without waiting; a Blob only in a worker.
    ///
    /// # Errors
    /// As there.
    #[cfg(feature = "readers")]
    pub(crate) fn read_now(&self, range: Range<u64>) -> Result<Vec<u8>> {
        self.check(&range)?;
        match self {
            Self::Static(bytes) => Ok(bytes[range.start as usize..range.end as usize].to_vec()),
            Self::Bytes(bytes) => Ok(bytes[range.start as usize..range.end as usize].to_vec()),
            #[cfg(not(target_arch = "wasm32"))]
            Self::File(path) => self.read_file(path, range),
            #[cfg(target_arch = "wasm32")]
            Self::Blob(blob) => {
                let failed = |e: wasm_bindgen::JsValue| self.failed(&format!("{e:?}"));
                let part = blob.slice_with_f64_and_f64(range.start as f64, range.end as f64).map_err(failed)?;
                let reader = web_sys::FileReaderSync::new().map_err(failed)?;
                let buffer = reader.read_as_array_buffer(&part).map_err(failed)?;
                Ok(js_sys::Uint8Array::new(&buffer.into()).to_vec())
            }
        }
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn read_file(&self, path: &std::path::Path, range: Range<u64>) -> Result<Vec<u8>> {
        use std::io::{Read, Seek, SeekFrom};
        let read = || {
            let mut file = std::fs::File::open(path)?;
            file.seek(SeekFrom::Start(range.start))?;
            let mut bytes = vec![0; (range.end - range.start) as usize];
            file.read_exact(&mut bytes).map(|()| bytes)
        };
        read().map_err(|e| self.failed(&e))
    }

    fn check(&self, range: &Range<u64>) -> Result<()> {
        if range.start > range.end || range.end > self.length()? {
            return Err(Error::bad_weights(format!("{} ends before byte {}", self.name(), range.end)));
        }
        Ok(())
    }

    fn failed(&self, why: &dyn std::fmt::Display) -> Error {
        Error::bad_weights(format!("cannot read {}: {why}", self.name()))
    }
}
