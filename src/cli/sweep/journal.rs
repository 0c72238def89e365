//! What a sweep has measured so far, a line per photo in a file beside `--out`, so that a killed one can go on.

use super::about::{About, Missing};
use super::rows::{Row, Writer};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

/// One photo.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Path below the folder.
    pub image: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a photo.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// Its numbers.
    Measured(Measured),
    /// It has too few pixels to be sharp.
    Blurred,
    /// Why it could not be read.
    Unreadable(String),
}

/// The numbers of a photo.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Shorter side in pixels of what the views are cut from.
    pub side: usize,
    /// Mean difference and expected kernel, by kind of view, zoom and unit, the unit varying fastest.
    pub values: Vec<[f32; 2]>,
}

/// The file, open at its end.
pub struct Journal {
    path: PathBuf,
    file: BufWriter<File>,
    about: About,
    done: usize,
}

impl Journal {
    /// Opens or begins the journal of the sweep that will write `out`, of the photos `part`.
    ///
    /// # Errors
    /// `bad-option` if the file cannot be used or belongs to another sweep.
    pub fn open(out: &Path, about: &About, part: &[String]) -> Result<Self> {
        let path = journal_path(out);
        let failed = |why: String| Error::bad_option(format!("{}: {why}", path.display()));
        let mut file =
            OpenOptions::new().read(true).append(true).create(true).open(&path).map_err(|e| failed(e.to_string()))?;
        let (valid, done) = held(&file, about, part).map_err(failed)?;
        // A line that a kill cut short is written again.
        file.set_len(valid).map_err(|e| failed(e.to_string()))?;
        if valid == 0 {
            writeln!(file, "{}", to_json(about)?).map_err(|e| failed(e.to_string()))?;
        }
        Ok(Self { file: BufWriter::new(file), path, about: about.clone(), done })
    }

    /// How many photos, from the first, it holds.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Adds the next photo.
    ///
    /// # Errors
    /// `bad-option` if it cannot be written.
    pub fn add(&mut self, record: &Record) -> Result<()> {
        self.done += 1;
        let line = to_json(record)?;
        writeln!(self.file, "{line}").map_err(|e| self.failed(&e))
    }

    /// Hands all to the system.
    ///
    /// # Errors
    /// `bad-option` if it cannot be written.
    pub fn flush(&mut self) -> Result<()> {
        self.file.flush().map_err(|e| Error::bad_option(format!("{}: {e}", self.path.display())))
    }

    /// Writes `out` and removes the journal.
    ///
    /// # Errors
    /// `bad-option` if a file cannot be read or written.
    pub fn finish(mut self, out: &Path) -> Result<()> {
        self.flush()?;
        let mut writer = Writer::create(out)?;
        let mut missing = Vec::new();
        let lines = BufReader::new(File::open(&self.path).map_err(|e| self.failed(&e))?).lines();
        for line in lines.skip(1) {
            let line = line.map_err(|e| self.failed(&e))?;
            let Record { image, outcome } = serde_json::from_str(&line).map_err(|e| self.failed(&e))?;
            match outcome {
                Outcome::Measured(measured) => {
                    rows(&self.about, &image, &measured).into_iter().try_for_each(|row| writer.add(row))?;
                }
                Outcome::Blurred => (),
                Outcome::Unreadable(error) => missing.push(Missing { image, error }),
            }
        }
        writer.finish(&About { missing, ..self.about.clone() })?;
        std::fs::remove_file(&self.path).map_err(|e| self.failed(&e))
    }

    fn failed(&self, why: &dyn std::fmt::Display) -> Error {
        Error::bad_option(format!("{}: {why}", self.path.display()))
    }
}

fn journal_path(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_os_string();
    name.push(".part");
    out.with_file_name(name)
}

fn to_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| Error::bad_option(format!("cannot write JSON: {e}")))
}

/// How many bytes of `file` are whole lines of the sweep, and how many photos they hold.
fn held(file: &File, about: &About, part: &[String]) -> Result<(u64, usize), String> {
    let mut lines = BufReader::new(file);
    let (mut valid, mut done, mut line) = (0, None, Vec::new());
    loop {
        line.clear();
        let length = lines.read_until(b'\n', &mut line).map_err(|e| e.to_string())?;
        if line.last() != Some(&b'\n') {
            return Ok((valid, done.unwrap_or(0)));
        }
        let corrupt = |e: serde_json::Error| format!("byte {valid} and on is not understood ({e}); delete the file");
        match done {
            None => {
                let found: About = serde_json::from_slice(&line).map_err(corrupt)?;
                if found != *about {
                    let why = found.difference(about);
                    return Err(format!(
                        "a stopped sweep with other settings: {why}; delete the file or choose another --out"
                    ));
                }
                done = Some(0);
            }
            Some(at) => {
                let record: Record = serde_json::from_slice(&line).map_err(corrupt)?;
                if part.get(at) != Some(&record.image) {
                    return Err(format!("{} is not where it was in the folder; delete the file", record.image));
                }
                done = Some(at + 1);
            }
        }
        valid += length as u64;
    }
}

/// The rows of one photo: by kind of view, zoom and unit.
fn rows(about: &About, image: &str, measured: &Measured) -> Vec<Row> {
    let settings = &about.settings;
    let class = image.split_once('/').map(|(folder, _)| folder.to_string());
    let places = settings.views().flat_map(|through| {
        settings.scales.iter().flat_map(move |&scale| settings.units.iter().map(move |unit| (through, scale, unit)))
    });
    let row = |((through, scale, unit), &[difference, expected_kernel]): (_, &[f32; 2])| {
        let unit: &String = unit;
        Row {
            image: image.into(),
            class: class.clone(),
            unit: unit.clone(),
            scale,
            through,
            side: measured.side,
            difference,
            expected_kernel,
        }
    };
    places.zip(&measured.values).map(row).collect()
}
