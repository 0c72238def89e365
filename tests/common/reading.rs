//! What must hold of reading any file, however damaged.

#[path = "allocation.rs"]
mod allocation;

use allocation::{Counting, peak};
use pollster::block_on;
use sklens::weights::{Checkpoint, Source};
use sklens::{Error, ErrorCode};
use std::panic::{AssertUnwindSafe, catch_unwind};

#[global_allocator]
static COUNTING: Counting = Counting;

/// What opening and reading a file may hold beyond the file's own size.
const BOUND: usize = 64 << 20;
/// Longest message; lists of differences are made elsewhere.
const MESSAGE: usize = 4096;

/// Opens a file and reads every tensor in it.
fn read(source: &Source) -> Result<usize, Error> {
    let checkpoint = block_on(Checkpoint::open(source.clone()))?;
    let mut reader = block_on(checkpoint.reader())?;
    let mut read = 0;
    for name in checkpoint.tensors().keys() {
        // Types that no network reads and values that are not finite are refused here.
        read += usize::from(block_on(reader.read(std::slice::from_ref(name))).is_ok());
    }
    Ok(read)
}

/// The message with which `bytes` are refused, none if they are read; or what is wrong with how that goes.
pub fn verdict(bytes: &[u8]) -> Result<Option<String>, String> {
    let source = Source::Bytes(bytes.into());
    let run = || catch_unwind(AssertUnwindSafe(|| read(&source)));
    let (held, outcome) = peak(run);
    let allowed = bytes.len() + BOUND;
    if held > allowed {
        return Err(format!("{held} bytes were allocated for a file of {}", bytes.len()));
    }
    match outcome {
        Err(_) => Err("it panicked".into()),
        Ok(Ok(_)) => Ok(None),
        Ok(Err(Error { code: ErrorCode::BadWeights, message }))
            if message.starts_with("the weights") && message.len() > 24 && message.len() < MESSAGE =>
        {
            Ok(Some(message))
        }
        Ok(Err(error)) => Err(format!("the message does not tell: {error:?}")),
    }
}
