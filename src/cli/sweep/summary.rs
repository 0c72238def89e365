//! The figures of `training/scale.py` from rows: means over photos, and how many photos rise with zoom.

use super::about::Settings;
use super::rows::{Reader, Row};
use crate::{Error, Result};
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};

/// Stages of the hypothesis that low and middle units rise with zoom.
const TESTED: [&str; 2] = ["2", "3"];
/// Their name among the figures.
pub const TESTED_NAME: &str = "stages 2 and 3";

/// Mean and deviation of a stream of numbers, by Welford's algorithm.
#[derive(Clone, Debug, Default)]
struct Moments {
    count: usize,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, value: f64) {
        self.count += 1;
        let before = value - self.mean;
        self.mean += before / self.count as f64;
        self.squares += before * (value - self.mean);
    }

    /// Of the population that the numbers are a sample of; none for fewer than two.
    fn deviation(&self) -> Option<f64> {
        (self.count > 1).then(|| (self.squares / (self.count - 1) as f64).sqrt())
    }
}

/// Figures of one unit, or of the mean of several, over photos, while they are added.
#[derive(Clone, Debug)]
struct Collected {
    zooms: Vec<Moments>,
    rise: Moments,
    rising: usize,
    monotone: usize,
}

impl Collected {
    fn new(zooms: usize) -> Self {
        Self { zooms: vec![Moments::default(); zooms], rise: Moments::default(), rising: 0, monotone: 0 }
    }

    /// Adds a photo's `values`, one per zoom.
    fn add(&mut self, values: &[f64]) {
        self.zooms.iter_mut().zip(values).for_each(|(moments, &value)| moments.add(value));
        if let [first, .., last] = values {
            self.rise.add(last - first);
            self.rising += usize::from(last > first);
            self.monotone += usize::from(values.is_sorted_by(|a, b| a < b));
        }
    }

    fn figures(&self) -> Figures {
        let share = |count: usize| count as f64 / self.rise.count as f64;
        let rise = (self.rise.count > 0).then(|| Rise {
            rise: self.rise.mean,
            rise_deviation: self.rise.deviation(),
            rising: share(self.rising),
            monotone: share(self.monotone),
        });
        Figures {
            mean: self.zooms.iter().map(|m| m.mean).collect(),
            deviation: self.zooms.iter().map(Moments::deviation).collect(),
            rise,
        }
    }
}

/// One unit, or the mean of several, over photos.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Of the mean difference, per zoom.
    pub mean: Vec<f64>,
    /// Over photos, per zoom; none for a single photo.
    pub deviation: Vec<Option<f64>>,
    /// From the first zoom to the last; none for a single zoom.
    #[serde(flatten)]
    pub rise: Option<Rise>,
}

/// What changes from the first zoom to the last.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rise {
    /// Mean over photos.
    pub rise: f64,
    /// Over photos; none for a single photo.
    pub rise_deviation: Option<f64>,
    /// Share of photos whose value is higher at the last zoom than at the first.
    pub rising: f64,
    /// Share of photos whose value is higher at every zoom than at the one before.
    pub monotone: f64,
}

/// Photos and their figures by name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// How many.
    pub photos: usize,
    /// By unit; over all photos also by stage and for the stages of the hypothesis.
    #[serde(serialize_with = "as_map")]
    pub figures: Vec<(String, Figures)>,
}

fn as_map<S: Serializer>(figures: &[(String, Figures)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(figures.iter().map(|(name, figures)| (name, figures)))
}

/// All photos, and those of each class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Part {
    /// All of them.
    #[serde(flatten)]
    pub all: Group,
    /// By class; photos outside folders have none.
    pub classes: BTreeMap<String, Group>,
}

/// The figures of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Of plain views.
    pub measured: Part,
    /// Of views through few pixels.
    pub control: Option<Part>,
}

impl Summary {
    /// From the rows of `reader`.
    ///
    /// # Errors
    /// `bad-option` if the file is damaged or a photo's rows are not complete.
    pub fn read(reader: &mut Reader) -> Result<Self> {
        let settings = reader.about.settings.clone();
        let (mut measured, mut control) = (Collector::new(&settings), Collector::new(&settings));
        reader.for_each(|row| if row.through.is_none() { measured.add(&row) } else { control.add(&row) })?;
        Ok(Self { measured: measured.part(), control: settings.through.map(|_| control.part()) })
    }
}

/// Gathers the rows of one kind of view.
struct Collector {
    units: Vec<String>,
    zooms: usize,
    /// Names of means of several units, and the units' indices.
    means: Vec<(String, Vec<usize>)>,
    photos: usize,
    all: Vec<Collected>,
    classes: BTreeMap<String, (usize, Vec<Collected>)>,
    /// Whose rows are `differences`.
    image: String,
    differences: Vec<f64>,
}

impl Collector {
    fn new(settings: &Settings) -> Self {
        let (units, zooms) = (settings.units.clone(), settings.scales.len());
        let means = means(&units);
        let all = vec![Collected::new(zooms); units.len() + means.len()];
        Self {
            units,
            zooms,
            means,
            photos: 0,
            all,
            classes: BTreeMap::new(),
            image: String::new(),
            differences: Vec::new(),
        }
    }

    fn add(&mut self, row: &Row) -> Result<()> {
        if self.differences.is_empty() {
            self.image.clone_from(&row.image);
        }
        if self.image != row.image || row.unit != self.units[self.differences.len() % self.units.len()] {
            return Err(Error::bad_option(format!("the rows of {} are not complete", self.image)));
        }
        self.differences.push(row.difference.into());
        if self.differences.len() == self.zooms * self.units.len() {
            self.add_photo(row.class.as_deref());
            self.differences.clear();
        }
        Ok(())
    }

    fn add_photo(&mut self, class: Option<&str>) {
        self.photos += 1;
        let count = self.units.len();
        let of_unit = |unit: usize| (0..self.zooms).map(|zoom| self.differences[zoom * count + unit]).collect();
        let units: Vec<Vec<f64>> = (0..count).map(of_unit).collect();
        let mean = |(_, members): &(String, Vec<usize>)| -> Vec<f64> {
            let of_zoom =
                |zoom: usize| members.iter().map(|&unit| units[unit][zoom]).sum::<f64>() / members.len() as f64;
            (0..self.zooms).map(of_zoom).collect()
        };
        let values = units.iter().cloned().chain(self.means.iter().map(mean));
        self.all.iter_mut().zip(values).for_each(|(collected, values)| collected.add(&values));
        if let Some(class) = class {
            let new = || (0, vec![Collected::new(self.zooms); count]);
            let (photos, collected) = self.classes.entry(class.into()).or_insert_with(new);
            *photos += 1;
            collected.iter_mut().zip(&units).for_each(|(collected, values)| collected.add(values));
        }
    }

    fn part(self) -> Part {
        let names = self.units.iter().chain(self.means.iter().map(|(name, _)| name));
        let named =
            |collected: &[Collected]| names.clone().cloned().zip(collected.iter().map(Collected::figures)).collect();
        let group = |photos, collected: &[Collected]| Group { photos, figures: named(collected) };
        let all = group(self.photos, &self.all);
        let classes = self.classes.iter().map(|(class, (photos, c))| (class.clone(), group(*photos, c))).collect();
        Part { all, classes }
    }
}

/// Every stage, and the stages of the hypothesis, with the indices of their `units`.
fn means(units: &[String]) -> Vec<(String, Vec<usize>)> {
    let stages: Vec<&str> = units.iter().map(|unit| unit.split('_').nth(1).unwrap_or_default()).collect();
    let of = |keep: &dyn Fn(&str) -> bool| (0..units.len()).filter(|&unit| keep(stages[unit])).collect::<Vec<_>>();
    let each = stages.iter().collect::<BTreeSet<_>>().into_iter();
    let each = each.map(|&stage| (format!("stage {stage}"), of(&|s| s == stage)));
    let tested = of(&|stage| TESTED.contains(&stage));
    each.chain((!tested.is_empty()).then(|| (TESTED_NAME.to_string(), tested))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_the_textbook() {
        let mut collected = Collected::new(3);
        for values in [[0.0, 1.0, 2.0], [1.0, 0.0, 4.0], [2.0, 2.0, 0.0]] {
            collected.add(&values);
        }
        let Figures { mean, deviation, rise } = collected.figures();
        assert_eq!(mean, [1.0, 1.0, 2.0]);
        assert_eq!(deviation.iter().map(|d| d.unwrap().powi(2).round()).collect::<Vec<_>>(), [1.0, 1.0, 4.0]);
        let rise = rise.unwrap();
        // 2, 3, −2.
        assert_eq!(rise.rise, 1.0);
        assert!((rise.rise_deviation.unwrap() - 7_f64.sqrt()).abs() < 1e-12);
        assert_eq!((rise.rising, rise.monotone), (2.0 / 3.0, 1.0 / 3.0));
    }

    #[test]
    fn one_photo_has_no_deviation_and_one_zoom_no_rise() {
        let mut collected = Collected::new(1);
        collected.add(&[0.5]);
        assert_eq!(collected.figures(), Figures { mean: vec![0.5], deviation: vec![None], rise: None });
    }

    #[test]
    fn stages_are_means_of_their_units() {
        let units = ["SK_2_1", "SK_2_2", "SK_3_1", "SK_5_1"].map(String::from);
        let found = means(&units);
        let names: Vec<_> = found.iter().map(|(name, members)| (name.as_str(), members.as_slice())).collect();
        let expected: [(&str, &[usize]); 4] =
            [("stage 2", &[0, 1]), ("stage 3", &[2]), ("stage 5", &[3]), (TESTED_NAME, &[0, 1, 2])];
        assert_eq!(names, expected);
    }
}
