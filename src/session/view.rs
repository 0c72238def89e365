//! How to look at a photo.

use crate::image::{check_center, check_scale, check_size, check_through};
use crate::network::Network;
use crate::overrides::RunOptions;
use crate::{Error, Result};
use serde::Deserialize;

/// How to look at a photo.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default)]
pub struct View {
    /// Zooms, each 1 to 8; one result each, in this order.
    pub scales: Vec<f64>,
    /// Where the box is centred, as fractions of the upright photo: x right, y down.
    pub center: [f64; 2],
    /// Input `[height, width]`; the model's default if absent.
    pub size: Option<[usize; 2]>,
    /// Pixels of the shorter side that every view goes through first, so that all zooms are as blurred; none if absent.
    pub through: Option<usize>,
    /// Overrides of attention, and tensors to return.
    #[serde(flatten)]
    pub run: RunOptions,
}

impl Default for View {
    fn default() -> Self {
        Self { scales: vec![1.0], center: [0.5, 0.5], size: None, through: None, run: RunOptions::default() }
    }
}

impl View {
    /// Refuses what no photo can satisfy with `network`.
    ///
    /// # Errors
    /// `bad-option` that names the value.
    pub fn check(&self, network: &Network) -> Result<()> {
        if self.scales.is_empty() {
            return Err(Error::bad_option("scales is empty; give at least one zoom from 1 to 8"));
        }
        self.scales.iter().try_for_each(|&scale| check_scale(scale))?;
        check_center(self.center)?;
        self.through.map_or(Ok(()), check_through)?;
        self.size.map_or(Ok(()), |size| check_size(size, network.sides()))?;
        check_run(&self.run, network)
    }
}

/// Refuses what does not fit `network`; neither units nor names of tensors depend on size or classes.
pub(super) fn check_run(run: &RunOptions, network: &Network) -> Result<()> {
    if *run == RunOptions::default() {
        return Ok(());
    }
    run.check(&network.graph(network.preprocessing.input_size, network.classes)?)
}
