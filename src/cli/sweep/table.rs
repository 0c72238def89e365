//! A summary for people, and as JSON or CSV.

use super::about::About;
use super::summary::{Figures, Group, Part, Summary, TESTED_NAME};
use crate::cli::print;
use crate::{Error, Result};
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The path of a summary: one that ends in .json or .csv.
pub fn parse_summary_path(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match ending(&path) {
        "json" | "csv" => Ok(path),
        _ => Err(format!("{text:?} ends neither in .json nor in .csv")),
    }
}

fn ending(path: &Path) -> &str {
    path.extension().and_then(|ending| ending.to_str()).unwrap_or_default()
}

/// Prints the figures over all photos, and writes all of them to `path`.
///
/// # Errors
/// `bad-option` if they cannot be written.
pub fn report(about: &About, summary: &Summary, path: Option<&Path>) -> Result<()> {
    let settings = &about.settings;
    let ([height, width], photos) = (settings.size, summary.measured.all.photos);
    print(format_args!(
        "{photos} of {} photos at {height}×{width} px with {}, {} unreadable; largest minus smallest kernel's attention, mean over channels",
        about.shard.part(about.photos).len(),
        settings.model,
        about.missing.len(),
    ))?;
    print(table("measured", &summary.measured, &settings.scales))?;
    if let (Some(control), Some(pixels)) = (&summary.control, settings.through) {
        print(table(&format!("control: every view through {pixels} pixels"), control, &settings.scales))?;
    }
    let Some(path) = path else { return Ok(()) };
    let text = if ending(path) == "json" { json(about, summary)? } else { csv(about, summary) };
    std::fs::write(path, text).map_err(|e| Error::bad_option(format!("{}: {e}", path.display())))
}

fn table(title: &str, part: &Part, scales: &[f64]) -> String {
    let heads: String = scales.iter().map(|scale| format!("{scale:>8}×    std")).collect();
    let mut text = format!("\n{title}\n{:15}{heads}      rise    std  rising  monotone", "");
    for (name, Figures { mean, deviation, rise }) in &part.all.figures {
        let _ = write!(text, "\n{name:15}");
        for (mean, deviation) in mean.iter().zip(deviation) {
            let _ = write!(text, "{mean:+9.4}{}", cell(*deviation, 7));
        }
        if let Some(rise) = rise {
            let (rising, monotone) = (100.0 * rise.rising, 100.0 * rise.monotone);
            let _ = write!(text, "  {:+8.4}{}{rising:7.1}%{monotone:8.1}%", rise.rise, cell(rise.rise_deviation, 7));
        }
    }
    let tested = part.all.figures.iter().find(|(name, _)| name == TESTED_NAME);
    if let Some(rise) = tested.and_then(|(_, figures)| figures.rise.as_ref()).filter(|_| part.all.photos > 0) {
        let _ = write!(text, "\n{TESTED_NAME} rise for {:.1} % of the photos", 100.0 * rise.rising);
    }
    text
}

fn cell(value: Option<f64>, width: usize) -> String {
    value.map_or_else(|| " ".repeat(width), |value| format!("{value:width$.4}"))
}

#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    about: &'a About,
    #[serde(flatten)]
    summary: &'a Summary,
}

fn json(about: &About, summary: &Summary) -> Result<String> {
    let text = serde_json::to_string_pretty(&Whole { about, summary });
    text.map(|text| text + "\n").map_err(|e| Error::bad_option(format!("cannot write JSON: {e}")))
}

/// A line per kind of view, class (empty for all photos), name and zoom.
fn csv(about: &About, summary: &Summary) -> String {
    let mut text = String::from("view,class,name,photos,scale,mean,deviation,rise,rise_deviation,rising,monotone\n");
    let parts = [("measured", Some(&summary.measured)), ("control", summary.control.as_ref())];
    for (view, part) in parts.into_iter().filter_map(|(view, part)| Some((view, part?))) {
        let classes = part.classes.iter().map(|(class, group)| (class.as_str(), group));
        for (class, Group { photos, figures }) in std::iter::once(("", &part.all)).chain(classes) {
            for (name, figures) in figures {
                let rise = rise_cells(figures);
                for (zoom, scale) in about.settings.scales.iter().enumerate() {
                    let deviation = figures.deviation[zoom].map_or_else(String::new, |value| value.to_string());
                    let (class, mean) = (quoted(class), figures.mean[zoom]);
                    let _ = writeln!(text, "{view},{class},{name},{photos},{scale},{mean},{deviation},{rise}");
                }
            }
        }
    }
    text
}

fn rise_cells(figures: &Figures) -> String {
    figures.rise.as_ref().map_or_else(
        || ",,,".into(),
        |rise| {
            let deviation = rise.rise_deviation.map_or_else(String::new, |value| value.to_string());
            format!("{},{deviation},{},{}", rise.rise, rise.rising, rise.monotone)
        },
    )
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_commas_are_quoted() {
        assert_eq!(quoted("bison"), "bison");
        assert_eq!(quoted("bison, \"ox\""), "\"bison, \"\"ox\"\"\"");
    }
}
