//! Small reads at any place of a file, through a window.

use super::{Fault, refuse};
use crate::Result;
use crate::weights::Source;
use std::cell::RefCell;

const WINDOW: u64 = 4096;

/// A file of known length.
#[derive(Debug)]
pub(super) struct Bytes<'a> {
    source: &'a Source,
    length: u64,
    /// Where the bytes begin that were read last, and they.
    window: RefCell<(u64, Vec<u8>)>,
}

impl<'a> Bytes<'a> {
    pub fn new(source: &'a Source) -> Result<Self> {
        Ok(Self { source, length: source.length()?, window: RefCell::default() })
    }

    pub fn length(&self) -> u64 {
        self.length
    }

    /// `count` bytes from `start`.
    pub fn read(&self, start: u64, count: u64) -> Result<Vec<u8>, Fault> {
        let Some(end) = start.checked_add(count).filter(|&end| end <= self.length) else {
            return refuse(format!("it is truncated: byte {} is missing", self.length));
        };
        if count > WINDOW {
            return Ok(self.source.read_now(start..end)?);
        }
        let mut window = self.window.borrow_mut();
        if start < window.0 || end > window.0 + window.1.len() as u64 {
            *window = (start, self.source.read_now(start..(start + WINDOW).min(self.length))?);
        }
        let from = (start - window.0) as usize;
        Ok(window.1[from..from + count as usize].to_vec())
    }
}

impl rawzip::ReaderAt for &Bytes<'_> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
        let count = (buffer.len() as u64).min(self.length.saturating_sub(offset));
        let bytes = self.read(offset, count).map_err(|fault| std::io::Error::other(format!("{fault:?}")))?;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}
