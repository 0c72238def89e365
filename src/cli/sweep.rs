//! `sklens sweep`: section 4.4 of the paper on a folder of photos.

mod about;
mod journal;
mod progress;
mod rows;
mod summary;
mod table;

pub(super) use about::{About, Shard};
pub(super) use rows::{Reader, Writer};
pub(super) use summary::Summary;
pub(super) use table::{parse_summary_path, report};

use super::model::{ModelArgs, parse_size};
use super::photos::{BATCH, decoded, photos_below, spread};
use crate::image::WorkingImage;
use crate::session::{Session, View};
use crate::{Error, Result};
use about::Settings;
use clap::Args;
use journal::{Journal, Measured, Outcome, Record};
use pollster::block_on;
use progress::Progress;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// Looks at every photo of a folder at several zooms and writes a row per photo, SK unit and zoom. Subfolders are classes.
/// Started again after it was stopped, it goes on where it was.
#[derive(Debug, Args)]
pub struct Sweep {
    /// Folder of the photos: JPEG, PNG or WebP, also in folders within folders.
    folder: PathBuf,
    /// Parquet file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    model: ModelArgs,
    /// Zooms, each 1 to 8.
    #[arg(long, value_delimiter = ',', default_value = "1,1.5,2")]
    scales: Vec<f64>,
    /// Input size: one side, or HEIGHTxWIDTH; 64 to 512 each, from 32 for CIFAR networks.
    #[arg(long, value_parser = parse_size)]
    size: Option<[usize; 2]>,
    /// Also measures the control that holds blur constant: every view first goes through this many pixels. At most as
    /// many as the smallest photo has at the largest zoom.
    #[arg(long, value_name = "PIXELS")]
    through: Option<usize>,
    /// Leaves out photos that have fewer pixels than the input at the largest zoom.
    #[arg(long)]
    sharp: bool,
    /// At most this many photos, evenly spread over the list.
    #[arg(long, value_name = "N")]
    limit: Option<NonZeroUsize>,
    /// Takes only the I-th of N parts of the list, counted from 1; `sklens merge` puts the parts together.
    #[arg(long, value_name = "I/N", default_value = "1/1")]
    shard: Shard,
    /// Also writes the summary, as .json or .csv.
    #[arg(long, value_name = "FILE", value_parser = parse_summary_path)]
    summary: Option<PathBuf>,
}

impl Sweep {
    /// Measures, writes and prints; returns how many photos could not be read.
    ///
    /// # Errors
    /// If nothing can be measured: unknown model, unusable weights, options out of range, a file of another run.
    pub fn run(&self) -> Result<usize> {
        let chosen = self.model.choose()?;
        self.view(self.scales.clone(), self.through).check(&chosen.network)?;
        let photos = self.photos()?;
        let fingerprint = chosen.fingerprint()?;
        let mut session = self.model.open(chosen)?;
        let about = About {
            settings: Settings::new(&session.info()?, fingerprint, &self.scales, self.size, self.through, self.sharp)?,
            shard: self.shard,
            photos: photos.len(),
            missing: Vec::new(),
        };
        if !self.is_written(&about)? {
            let part = &photos[self.shard.part(photos.len())];
            let mut journal = Journal::open(&self.out, &about, part)?;
            self.measure(&mut session, &about.settings, part, &mut journal)?;
            journal.finish(&self.out)?;
        }
        let mut reader = Reader::open(&self.out)?;
        let missing = reader.about.missing.len();
        let summary = Summary::read(&mut reader)?;
        report(&reader.about, &summary, self.summary.as_deref())?;
        Ok(missing)
    }

    fn view(&self, scales: Vec<f64>, through: Option<usize>) -> View {
        View { scales, size: self.size, through, ..View::default() }
    }

    /// The photos as paths below the folder, with `/` on every system.
    fn photos(&self) -> Result<Vec<String>> {
        let relative = |path: PathBuf| {
            let parts = path.strip_prefix(&self.folder).unwrap_or(&path).components();
            parts.map(|part| part.as_os_str().to_string_lossy().into_owned()).collect::<Vec<_>>().join("/")
        };
        let found: Vec<_> = photos_below(&self.folder)?.into_iter().map(relative).collect();
        if found.is_empty() {
            let folder = self.folder.display();
            return Err(Error::bad_option(format!("{folder} holds no photos (.jpg, .jpeg, .png, .webp)")));
        }
        Ok(spread(found, self.limit.map(NonZeroUsize::get)))
    }

    /// Whether `--out` holds this very part already.
    fn is_written(&self, about: &About) -> Result<bool> {
        if !self.out.exists() {
            return Ok(false);
        }
        let reader = Reader::open(&self.out)?;
        let found = About { missing: Vec::new(), ..reader.about };
        if found == *about {
            return Ok(true);
        }
        let (out, why) = (self.out.display(), found.difference(about));
        Err(Error::bad_option(format!("{out} holds another sweep: {why}; delete it or choose another --out")))
    }

    /// Measures the photos of `part` that `journal` does not hold yet.
    fn measure(
        &self,
        session: &mut Session,
        settings: &Settings,
        part: &[String],
        journal: &mut Journal,
    ) -> Result<()> {
        let mut progress = Progress::new(journal.done(), part.len());
        for batch in part[journal.done()..].chunks(BATCH) {
            let paths: Vec<PathBuf> = batch.iter().map(|image| self.folder.join(image)).collect();
            let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
            for (image, photo) in batch.iter().zip(decoded(&paths)) {
                let outcome = match photo {
                    Ok(photo) => self.look(session, settings, &photo)?,
                    Err(error) => {
                        eprintln!("sklens: {}: {error}", self.folder.join(image).display());
                        Outcome::Unreadable(error.message)
                    }
                };
                journal.add(&Record { image: image.clone(), outcome })?;
            }
            journal.flush()?;
            progress.add(batch.len());
        }
        Ok(())
    }

    /// What one photo shows. Alone in its batch, so that its numbers do not depend on the photos beside it.
    fn look(&self, session: &mut Session, settings: &Settings, photo: &WorkingImage) -> Result<Outcome> {
        let side = photo.photo().width().min(photo.photo().height());
        if self.sharp && (side as f64) < settings.least_side() {
            return Ok(Outcome::Blurred);
        }
        let mut measured = Measured { side, values: Vec::new() };
        for through in settings.views() {
            let view = self.view(settings.scales.clone(), through);
            for analysis in block_on(session.analyze(photo, &view))? {
                let units =
                    analysis.units.iter().filter_map(|unit| Some([unit.mean_difference?, unit.expected_kernel]));
                measured.values.extend(units);
            }
        }
        Ok(Outcome::Measured(measured))
    }
}
