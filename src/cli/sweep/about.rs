//! What a file of rows says about itself.

use crate::session::SessionInfo;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::str::FromStr;

/// What makes rows comparable: files with different settings are not merged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Preset name, or that of a description.
    pub model: String,
    /// SHA-256 of the weights file.
    pub weights: String,
    /// `gpu` or `cpu`.
    pub backend: String,
    /// Input `[height, width]`.
    pub size: [usize; 2],
    /// Zooms, ascending.
    pub scales: Vec<f64>,
    /// Pixels of the control's views.
    pub through: Option<usize>,
    /// Whether photos with fewer pixels than the input at the largest zoom are left out.
    pub sharp: bool,
    /// Names of the SK units with at least two branches, in order of depth.
    pub units: Vec<String>,
}

impl Settings {
    /// Those of a sweep with the network that `info` describes.
    ///
    /// # Errors
    /// `bad-option` if it has no SK unit that chooses.
    pub fn new(
        info: &SessionInfo,
        weights: String,
        scales: &[f64],
        size: Option<[usize; 2]>,
        through: Option<usize>,
        sharp: bool,
    ) -> Result<Self> {
        let choosing = info.units.iter().filter(|unit| unit.branches.len() > 1);
        let units: Vec<String> = choosing.map(|unit| unit.name.clone()).collect();
        if units.is_empty() {
            return Err(Error::bad_option(format!("{} has no SK unit with two branches or more", info.model)));
        }
        let mut scales = scales.to_vec();
        scales.sort_by(f64::total_cmp);
        scales.dedup();
        let (model, backend) = (info.model.clone(), info.backend.into());
        Ok(Self { model, weights, backend, size: size.unwrap_or(info.input_size), scales, through, sharp, units })
    }

    /// `through` of each kind of view: the plain one, then the control.
    pub fn views(&self) -> impl Iterator<Item = Option<usize>> + use<> {
        std::iter::once(None).chain(self.through.map(Some))
    }

    /// The shorter side that a photo needs to fill the input at the largest zoom.
    pub fn least_side(&self) -> f64 {
        self.size[0].min(self.size[1]) as f64 * self.scales.last().copied().unwrap_or(1.0)
    }
}

/// The `index`th of `count` parts, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// From 1 to `count`.
    pub index: usize,
    /// At least 1.
    pub count: usize,
}

impl Shard {
    /// All of it.
    pub const WHOLE: Self = Self { index: 1, count: 1 };

    /// Which of `total` items, in order, it holds; the parts differ by at most one in length.
    pub fn part(self, total: usize) -> Range<usize> {
        (self.index - 1) * total / self.count..self.index * total / self.count
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(i, n)| Some((i.trim().parse().ok()?, n.trim().parse().ok()?)));
        match parsed {
            Some((index, count)) if (1..=count).contains(&index) => Ok(Self { index, count }),
            _ => Err(format!("{text:?} is not I/N with I from 1 to N")),
        }
    }
}

/// A photo without rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Path below the folder.
    pub image: String,
    /// Why it could not be read.
    pub error: String,
}

/// What a file of rows says about itself, in its metadata.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// How the rows were measured.
    #[serde(flatten)]
    pub settings: Settings,
    /// Which part of the list of photos it is.
    pub shard: Shard,
    /// Photos of the whole list.
    pub photos: usize,
    /// Those of this part that could not be read.
    pub missing: Vec<Missing>,
}

impl About {
    /// In words, the first thing in which a sweep with `wanted` differs.
    pub fn difference(&self, wanted: &Self) -> String {
        let fields = |about: &Self| match serde_json::to_value(about) {
            Ok(serde_json::Value::Object(fields)) => fields,
            _ => serde_json::Map::new(),
        };
        let (found, wanted) = (fields(self), fields(wanted));
        let differing = found.iter().find(|(name, value)| *name != "missing" && wanted.get(*name) != Some(value));
        match differing {
            Some((name, value)) => {
                format!("{name} is {value}, not {}", wanted.get(name).unwrap_or(&serde_json::Value::Null))
            }
            None => "nothing differs".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_cover_every_item_once() {
        for (total, count) in [(0, 3), (2, 3), (10, 3), (12, 4)] {
            let parts = (1..=count).map(|index| Shard { index, count }.part(total));
            let covered: Vec<usize> = parts.clone().flatten().collect();
            assert_eq!(covered, (0..total).collect::<Vec<_>>());
            let lengths: Vec<usize> = parts.map(|part| part.len()).collect();
            assert!(lengths.iter().max().unwrap() - lengths.iter().min().unwrap() <= 1, "{lengths:?}");
        }
    }

    #[test]
    fn shards_count_from_one() {
        assert_eq!("2/3".parse(), Ok(Shard { index: 2, count: 3 }));
        for text in ["0/3", "4/3", "1", "1/0", "a/b", "1/2/3"] {
            assert!(text.parse::<Shard>().unwrap_err().contains(text));
        }
    }
}
