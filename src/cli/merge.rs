//! `sklens merge`.

use super::sweep::{About, Reader, Shard, Summary, Writer, parse_summary_path, report};
use crate::{Error, Result};
use clap::Args;
use std::path::{Path, PathBuf};

/// Puts the files of `sklens sweep --shard` together: the same file as without shards. Prints the summary.
#[derive(Debug, Args)]
pub struct Merge {
    /// The files of all shards, in any order; or one whole file, for its summary.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Parquet file to write.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Also writes the summary, as .json or .csv.
    #[arg(long, value_name = "FILE", value_parser = parse_summary_path)]
    summary: Option<PathBuf>,
}

impl Merge {
    /// Merges and prints; returns how many photos could not be read.
    ///
    /// # Errors
    /// If a file is not readable, is missing or belongs to another sweep.
    pub fn run(&self) -> Result<usize> {
        let mut readers = self.files.iter().map(|path| Reader::open(path)).collect::<Result<Vec<_>>>()?;
        readers.sort_by_key(|reader| reader.about.shard.index);
        let about = whole(readers.iter().map(|reader| (reader.path(), &reader.about)))?;
        let mut whole = match (&self.out, readers.as_mut_slice()) {
            (Some(out), readers) => {
                let mut writer = Writer::create(out)?;
                readers.iter_mut().try_for_each(|reader| reader.for_each(|row| writer.add(row)))?;
                writer.finish(&about)?;
                Reader::open(out)?
            }
            (None, [_]) => readers.remove(0),
            (None, _) => return Err(Error::bad_option("several files need --out FILE for what they make together")),
        };
        let summary = Summary::read(&mut whole)?;
        report(&about, &summary, self.summary.as_deref())?;
        Ok(about.missing.len())
    }
}

/// What the files, sorted by shard, say of the whole sweep.
fn whole<'a>(mut files: impl Iterator<Item = (&'a Path, &'a About)>) -> Result<About> {
    let (first, about) = files.next().ok_or_else(|| Error::bad_option("no files to merge"))?;
    let mut whole = about.clone();
    let count = about.shard.count;
    let mut shards = vec![about.shard.index];
    for (path, about) in files {
        let shard = Shard { count: about.shard.count, ..whole.shard };
        let like_first = About { shard, missing: whole.missing.clone(), ..about.clone() };
        if like_first != whole {
            let (path, first) = (path.display(), first.display());
            return Err(Error::bad_option(format!("{path} and {first} differ: {}", like_first.difference(&whole))));
        }
        whole.missing.extend(about.missing.iter().cloned());
        shards.push(about.shard.index);
    }
    let absent: Vec<String> = (1..=count).filter(|i| !shards.contains(i)).map(|i| format!("{i}/{count}")).collect();
    if !absent.is_empty() {
        return Err(Error::bad_option(format!("shards are missing: {}", absent.join(", "))));
    }
    if shards.len() > count {
        return Err(Error::bad_option(format!("{} files for {count} shards: one is there twice", shards.len())));
    }
    Ok(About { shard: Shard::WHOLE, ..whole })
}
