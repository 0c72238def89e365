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
        let mut bytes = vec![0; (range.end - range.start) as usize];
        self.read_into(range.start, &mut bytes).await?;
        Ok(bytes)
    }

    /// Fills `bytes` with those from `start` on.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub async fn read_into(&self, start: u64, bytes: &mut [u8]) -> Result<()> {
        let range = start..start + bytes.len() as u64;
        self.check(&range)?;
        match self {
            Self::Static(all) => bytes.copy_from_slice(&all[range.start as usize..range.end as usize]),
            Self::Bytes(all) => bytes.copy_from_slice(&all[range.start as usize..range.end as usize]),
            #[cfg(not(target_arch = "wasm32"))]
            Self::File(path) => self.read_file(path, start, bytes)?,
            #[cfg(target_arch = "wasm32")]
            Self::Blob(blob) => {
                let failed = |e: wasm_bindgen::JsValue| self.failed(&format!("{e:?}"));
                let part = blob.slice_with_f64_and_f64(range.start as f64, range.end as f64).map_err(failed)?;
                blob::read(&part, bytes).await.map_err(failed)?;
            }
        }
        Ok(())
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
            Self::File(path) => {
                let mut bytes = vec![0; (range.end - range.start) as usize];
                self.read_file(path, range.start, &mut bytes)?;
                Ok(bytes)
            }
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
    fn read_file(&self, path: &std::path::Path, start: u64, bytes: &mut [u8]) -> Result<()> {
        use std::io::{Read, Seek, SeekFrom};
        let mut read = || {
            let mut file = std::fs::File::open(path)?;
            file.seek(SeekFrom::Start(start))?;
            file.read_exact(bytes)
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

/// Reading Blobs without garbage. A browser's `arrayBuffer` leaves each buffer to its garbage collector: on the way through
/// the 110 MB of SKNet-50, up to 74 MiB at a time.
#[cfg(target_arch = "wasm32")]
mod blob {
    use js_sys::{ArrayBuffer, Uint8Array};
    use wasm_bindgen::{JsCast, JsValue};
    use wasm_bindgen_futures::JsFuture;
    use web_sys::{Blob, ReadableStreamByobReader, ReadableStreamReadResult};

    /// Bytes of the one buffer that the browser fills again and again.
    const ROOM: u32 = 64 << 10;

    /// Fills `bytes` with those of `part`.
    pub(super) async fn read(part: &Blob, bytes: &mut [u8]) -> Result<(), JsValue> {
        let Ok(reader) = ReadableStreamByobReader::new(&part.stream()) else {
            // A browser whose Blobs are no byte streams.
            let buffer = JsFuture::from(part.array_buffer()).await?;
            return copy(&Uint8Array::new(&buffer), bytes);
        };
        let (mut room, mut filled) = (ArrayBuffer::new(ROOM), 0);
        while filled < bytes.len() {
            let view = Uint8Array::new(&room);
            let result = JsFuture::from(reader.read_with_array_buffer_view(&view)).await?;
            let result: ReadableStreamReadResult = result.unchecked_into();
            let piece: Uint8Array = result.get_value().dyn_into()?;
            let end = filled + piece.length() as usize;
            if result.get_done() == Some(true) || end > bytes.len() {
                return Err("it changed its length".into());
            }
            copy(&piece, &mut bytes[filled..end])?;
            (room, filled) = (piece.buffer(), end);
        }
        Ok(())
    }

    fn copy(from: &Uint8Array, to: &mut [u8]) -> Result<(), JsValue> {
        if from.length() as usize != to.len() {
            return Err("it changed its length".into());
        }
        from.copy_to(to);
        Ok(())
    }
}
