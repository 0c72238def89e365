//! `sklens analyze`.

use super::model::{ModelArgs, parse_size};
use super::photos::read_photo;
use super::{print, print_json};
use crate::analysis::Analysis;
use crate::overrides::{Override, Overrides, RunOptions};
use crate::session::View;
use crate::weights::Source;
use crate::{Error, Result};
use clap::Args;
use pollster::block_on;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Prints, per photo and zoom, the five most probable classes and each SK unit's mean 5×5 − 3×3 attention.
#[derive(Debug, Args)]
pub struct Analyze {
    /// Photos: JPEG, PNG or WebP.
    #[arg(required_unless_present = "tensor")]
    photos: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    /// Zooms, each 1 to 8.
    #[arg(long, value_delimiter = ',', default_value = "1")]
    scales: Vec<f64>,
    /// Centre of the zoom as fractions of the photo, x right, y down.
    #[arg(long, value_name = "X,Y", value_parser = parse_center, default_value = "0.5,0.5")]
    center: [f64; 2],
    /// Input size: one side, or HEIGHTxWIDTH; 64 to 512 each, from 32 for CIFAR networks.
    #[arg(long, value_parser = parse_size)]
    size: Option<[usize; 2]>,
    /// One JSON object per photo and zoom, each on a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    overrides: OverrideArgs,
    /// Names of tensors to return in the JSON, for example layer1.0.conv2.paths.1.act.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', requires = "json")]
    tensors: Vec<String>,
    /// A ready input `x` [N, 3, H, W] in a safetensors file, in place of photos.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["photos", "scales", "center", "size"])]
    tensor: Option<PathBuf>,
}

/// What replaces attention.
#[derive(Debug, Args)]
pub(super) struct OverrideArgs {
    /// Replaces attention: FORM is smallest, largest, uniform, swap, branch:M, a share from 0 to 1 for the largest branch,
    /// values:A,A,… (branch by branch, nan leaves alone) or off:CHANNEL,…; UNIT is SK_3_4 or * for all. Repeatable.
    #[arg(long = "override", value_name = "UNIT=FORM", value_parser = parse_override)]
    overrides: Vec<(String, Override)>,
}

impl OverrideArgs {
    /// By unit, in the order of the command line.
    pub fn overrides(&self) -> Overrides {
        let mut overrides = Overrides::new();
        for (unit, form) in &self.overrides {
            overrides.entry(unit.clone()).or_default().push(form.clone());
        }
        overrides
    }
}

pub(super) fn parse_center(text: &str) -> Result<[f64; 2], String> {
    let values: Option<Vec<f64>> = text.split(',').map(|v| v.trim().parse().ok()).collect();
    values.and_then(|v| v.try_into().ok()).ok_or_else(|| format!("{text:?} is not two numbers X,Y"))
}

fn parse_override(text: &str) -> Result<(String, Override), String> {
    let (unit, form) = text.split_once('=').ok_or_else(|| format!("{text:?} is not UNIT=FORM"))?;
    Ok((unit.into(), form.parse().map_err(|e: Error| e.message)?))
}

#[derive(Serialize)]
struct Line<'a> {
    photo: &'a str,
    #[serde(flatten)]
    analysis: &'a Analysis,
}

#[derive(Serialize)]
struct Failure<'a> {
    photo: &'a str,
    error: &'a str,
}

impl Analyze {
    /// Prints the results; returns how many inputs failed.
    ///
    /// # Errors
    /// If nothing can be analysed: unknown model, unusable weights, options out of range.
    pub fn run(&self) -> Result<usize> {
        let run = RunOptions { overrides: self.overrides.overrides(), tensors: self.tensors.clone() };
        let view = View { scales: self.scales.clone(), center: self.center, size: self.size, through: None, run };
        let chosen = self.model.choose()?;
        view.check(&chosen.network)?;
        let mut session = self.model.open(chosen)?;
        if let Some(path) = &self.tensor {
            let results = read_tensor(path)
                .and_then(|(data, shape)| block_on(session.analyze_tensor_with(&data, shape, &view.run)));
            return self.report(&path.display().to_string(), results);
        }
        let mut failures = 0;
        for path in &self.photos {
            let results = read_photo(path).and_then(|photo| block_on(session.analyze(&photo, &view)));
            failures += self.report(&path.display().to_string(), results)?;
        }
        Ok(failures)
    }

    /// Prints one photo's results or failure; returns 1 for a failure.
    fn report(&self, photo: &str, results: Result<Vec<Analysis>>) -> Result<usize> {
        match results {
            Ok(results) => {
                for analysis in &results {
                    if self.json {
                        print_json(&Line { photo, analysis })?;
                    } else {
                        print_text(photo, analysis)?;
                    }
                }
                Ok(0)
            }
            Err(error) => {
                eprintln!("sklens: {photo}: {error}");
                if self.json {
                    print_json(&Failure { photo, error: &error.message })?;
                }
                Ok(1)
            }
        }
    }
}

fn print_text(photo: &str, analysis: &Analysis) -> Result<()> {
    print(format_args!("{photo} at {}× ({:.1} ms)", analysis.scale, analysis.milliseconds))?;
    for p in &analysis.top {
        print(format_args!("  {:>5.1} %  {}", p.probability * 100.0, p.label))?;
    }
    for unit in &analysis.units {
        if let Some(difference) = unit.mean_difference {
            print(format_args!("  {:<8} {difference:+.4}", unit.name))?;
        }
    }
    Ok(())
}

fn read_tensor(path: &Path) -> Result<(Vec<f32>, [usize; 4])> {
    block_on(async {
        let checkpoint = crate::weights::Checkpoint::open(Source::File(path.to_path_buf())).await?;
        let shape = checkpoint.shape("x").and_then(|s| s.try_into().ok());
        let shape = shape
            .ok_or_else(|| Error::bad_option(format!("{} holds no tensor x of shape [N, 3, H, W]", path.display())))?;
        let parameters = checkpoint.reader().await?.read(&["x".to_string()]).await?;
        Ok((parameters.get("x")?.to_vec(), shape))
    })
}
