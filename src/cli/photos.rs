//! Photos in folders: finding and decoding them.

use crate::image::{WorkingImage, decode};
use crate::{Error, Result};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread;

/// Photos that commands on folders decode together.
pub(super) const BATCH: usize = 32;

/// Endings of the files that count as photos in a folder.
const ENDINGS: [&str; 4] = ["jpg", "jpeg", "png", "webp"];

/// Whether the ending of `path` is a photo's.
pub(super) fn is_photo(path: &Path) -> bool {
    path.extension().is_some_and(|e| ENDINGS.iter().any(|ending| e.eq_ignore_ascii_case(ending)))
}

/// What lies directly in `folder`, sorted.
///
/// # Errors
/// `bad-option` if it cannot be read.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = || std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
    let mut paths = read().map_err(|e| Error::bad_option(format!("cannot read {}: {e}", folder.display())))?;
    paths.sort();
    Ok(paths)
}

/// The photos of `folder` and all folders in it, sorted.
///
/// # Errors
/// `bad-option` if a folder cannot be read.
pub(super) fn photos_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() {
            found.extend(photos_below(&path)?);
        } else if is_photo(&path) {
            found.push(path);
        }
    }
    Ok(found)
}

/// At most `limit` of `items`, evenly spread over the list.
pub(super) fn spread<T: Clone>(items: Vec<T>, limit: Option<usize>) -> Vec<T> {
    let count = items.len();
    match limit {
        Some(limit) if limit < count => (0..limit).map(|i| items[i * count / limit].clone()).collect(),
        _ => items,
    }
}

/// The photo in the file `path`.
///
/// # Errors
/// `bad-image` if it cannot be read or decoded.
pub(super) fn read_photo(path: &Path) -> Result<WorkingImage> {
    let bytes = std::fs::read(path).map_err(|e| Error::bad_image(format!("cannot read the photo: {e}")))?;
    Ok(WorkingImage::new(decode(&bytes)?))
}

/// The photos of a batch, in order, decoded on all cores.
pub(super) fn decoded(batch: &[&Path]) -> Vec<Result<WorkingImage>> {
    let workers = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let read = |part: &[&Path]| part.iter().map(|path| read_photo(path)).collect::<Vec<_>>();
    thread::scope(|scope| {
        let parts = batch.chunks(batch.len().div_ceil(workers).max(1));
        let running: Vec<_> = parts.map(|part| scope.spawn(move || read(part))).collect();
        let join = |worker: thread::ScopedJoinHandle<'_, Vec<_>>| {
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        running.into_iter().flat_map(join).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_spreads_over_the_list() {
        let kept = |limit| spread((0..10).collect(), limit);
        assert_eq!(kept(Some(4)), [0, 2, 5, 7]);
        assert_eq!(kept(Some(11)), kept(None));
    }
}
