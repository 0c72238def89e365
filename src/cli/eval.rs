//! `sklens eval`.

use super::labels::{Classes, Labelled, in_class_folders, listed};
use super::model::{ModelArgs, parse_size};
use super::photos::{BATCH, decoded, spread};
use super::{print, print_json};
use crate::analysis::Analysis;
use crate::session::{Session, SessionInfo, View};
use crate::{Error, Result};
use clap::Args;
use pollster::block_on;
use serde::Serialize;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Batches from one line of progress to the next.
const BATCHES_PER_LINE: usize = 8;

/// Measures top-1 and top-5 on photos whose classes are known. Photos that cannot be read are reported and not counted.
#[derive(Debug, Args)]
pub struct Eval {
    /// Folder of the photos. Without --labels its subfolders are the classes, named by WordNet id, plain name or index.
    folder: PathBuf,
    /// Lines FILE<tab>LABEL (Tiny-ImageNet's val_annotations.txt) or FILE,LABEL, files relative to the folder, labels
    /// as WordNet id, plain name or index.
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    /// Zoom, 1 to 8.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Input size: one side, or HEIGHTxWIDTH; 64 to 512 each, from 32 for CIFAR networks.
    #[arg(long, value_parser = parse_size)]
    size: Option<[usize; 2]>,
    /// At most this many photos, evenly spread over the list.
    #[arg(long, value_name = "N")]
    limit: Option<NonZeroUsize>,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// A photo that was not counted.
#[derive(Serialize)]
struct Unreadable {
    photo: String,
    error: String,
}

/// The result; accuracies in percent of `images`, absent if there are none.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    model: String,
    backend: &'static str,
    size: [usize; 2],
    scale: f64,
    images: usize,
    top1: Option<f64>,
    top5: Option<f64>,
    seconds: f64,
    unreadable: Vec<Unreadable>,
}

#[derive(Default)]
struct Count {
    images: usize,
    first: usize,
    five: usize,
}

impl Count {
    fn add(&mut self, analysis: &Analysis, class: usize) {
        self.images += 1;
        self.first += usize::from(analysis.top.first().is_some_and(|p| p.index == class));
        self.five += usize::from(analysis.top.iter().any(|p| p.index == class));
    }

    fn percent(&self, hits: usize) -> Option<f64> {
        (self.images > 0).then(|| 100.0 * hits as f64 / self.images as f64)
    }
}

impl Eval {
    /// Prints the accuracy; returns how many photos could not be read.
    ///
    /// # Errors
    /// If nothing can be measured: unknown model or class, unusable weights, options out of range.
    pub fn run(&self) -> Result<usize> {
        let view = View { scales: vec![self.scale], size: self.size, ..View::default() };
        let chosen = self.model.choose()?;
        view.check(&chosen.network)?;
        let mut session = self.model.open(chosen)?;
        let info = session.info()?;
        let photos = spread(self.photos(&classes(&session, &info)?)?, self.limit.map(NonZeroUsize::get));
        let began = Instant::now();
        let (mut count, mut unreadable) = (Count::default(), Vec::new());
        for (number, batch) in photos.chunks(BATCH).enumerate() {
            let (mut images, mut wanted) = (Vec::new(), Vec::new());
            let paths: Vec<&Path> = batch.iter().map(|photo| photo.path.as_path()).collect();
            for (photo, image) in batch.iter().zip(decoded(&paths)) {
                match image {
                    Ok(image) => {
                        images.push(image);
                        wanted.push(photo.class);
                    }
                    Err(error) => {
                        let photo = photo.path.display().to_string();
                        eprintln!("sklens: {photo}: {error}");
                        unreadable.push(Unreadable { photo, error: error.message });
                    }
                }
            }
            for (analysis, class) in block_on(session.analyze_all(&images, &view))?.iter().zip(wanted) {
                count.add(analysis, class);
            }
            if (number + 1) % BATCHES_PER_LINE == 0 {
                let done = photos.len().min((number + 1) * BATCH);
                eprintln!("{done} of {}{}", photos.len(), so_far(&count));
            }
        }
        let report = Report {
            model: info.model,
            backend: info.backend,
            size: self.size.unwrap_or(info.input_size),
            scale: self.scale,
            images: count.images,
            top1: count.percent(count.first),
            top5: count.percent(count.five),
            seconds: began.elapsed().as_secs_f64(),
            unreadable,
        };
        if self.json {
            print_json(&report)?;
        } else {
            let [height, width] = report.size;
            let (images, missing) = (report.images, report.unreadable.len());
            print(format_args!("{images} photos, {missing} more unreadable{}", so_far(&count)))?;
            print(format_args!("{height}×{width} px, zoom {}, {:.1} s", report.scale, report.seconds))?;
        }
        Ok(report.unreadable.len())
    }

    fn photos(&self, classes: &Classes) -> Result<Vec<Labelled>> {
        let Some(path) = &self.labels else { return in_class_folders(&self.folder, classes) };
        let in_file = |message: String| Error::bad_option(format!("{}: {message}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|e| in_file(format!("cannot be read: {e}")))?;
        listed(&self.folder, &text, classes).map_err(|e| in_file(e.message))
    }
}

/// The model's classes: WordNet ids from metadata `classes`, a JSON array, and names.
fn classes(session: &Session, info: &SessionInfo) -> Result<Classes> {
    let ids: Vec<String> = match info.metadata.get("classes") {
        None => Vec::new(),
        Some(text) => serde_json::from_str(text)
            .map_err(|e| Error::bad_weights(format!("metadata classes is not a JSON array of strings: {e}")))?,
    };
    if !ids.is_empty() && ids.len() != info.classes {
        return Err(Error::bad_weights(format!("metadata classes lists {} of {}", ids.len(), info.classes)));
    }
    Ok(Classes::new(info.classes, &ids, session.labels()))
}

fn so_far(count: &Count) -> String {
    match (count.percent(count.first), count.percent(count.five)) {
        (Some(first), Some(five)) => format!(": top-1 {first:.2} %, top-5 {five:.2} %"),
        _ => String::new(),
    }
}
