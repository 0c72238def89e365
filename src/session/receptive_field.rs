//! Receptive fields of an open network: theory, what attention makes of it, and back-propagation.

use super::Session;
use super::placement::load;
use super::prepared::{Prepared, bring_forward};
use super::run::interleave;
use crate::analysis::branch_means;
use crate::backend::Runner;
use crate::effective_field::{EffectiveField, nearest_cell, unit_called};
use crate::graph::{AttentionGradient, Graph, InputGradient, TensorId};
use crate::image::{Preprocessing, WorkingImage, check_center, check_scale, check_size, crop_box};
use crate::network::Network;
use crate::overrides::{Overrides, RunOptions};
use crate::plan::{LANES, Plan, PlanOptions};
use crate::{Error, Result};
use serde::Deserialize;
use std::rc::Rc;
use web_time::Instant;

/// Backward plans kept ready, each with packed weights of its own; the least recently used goes first.
const KEPT_GRADIENTS: usize = 2;
/// How far outside the crop a place may be by rounding, as a fraction of the crop.
const ROUNDING: f64 = 1e-4;

/// Which receptive field.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default)]
pub struct FieldRequest {
    /// The SK unit, `SK_3_4`.
    pub unit: String,
    /// The place, as fractions of the upright photo or of the ready input: x right, y down.
    pub position: [f64; 2],
    /// Zoom, 1 to 8; a ready input has none.
    pub scale: f64,
    /// Where the crop is centred, as fractions of the upright photo.
    pub center: [f64; 2],
    /// Input `[height, width]`; the model's default if absent.
    pub size: Option<[usize; 2]>,
    /// Whether attention counts as a constant or as a function of the picture.
    pub attention: AttentionGradient,
    /// What replaces attention.
    #[serde(rename = "override")]
    pub overrides: Overrides,
}

impl Default for FieldRequest {
    fn default() -> Self {
        let attention = AttentionGradient::Fixed;
        let [position, center] = [[0.5; 2]; 2];
        Self { unit: String::new(), position, scale: 1.0, center, size: None, attention, overrides: Overrides::new() }
    }
}

impl FieldRequest {
    /// Refuses what no picture can satisfy with `network`.
    ///
    /// # Errors
    /// `bad-option` that names the value.
    pub fn check(&self, network: &Network) -> Result<()> {
        check_scale(self.scale)?;
        check_center(self.center)?;
        if self.position.iter().any(|part| !(0.0..=1.0).contains(part)) {
            let [x, y] = self.position;
            return Err(Error::bad_option(format!(
                "position [{x}, {y}] is outside the picture; it is x and y as fractions from 0 to 1"
            )));
        }
        self.size.map_or(Ok(()), |size| check_size(size, network.sides()))?;
        let graph = network.graph(network.preprocessing.input_size, network.classes)?;
        unit_called(&graph, &self.unit)?;
        self.run_options().check(&graph)
    }

    fn run_options(&self) -> RunOptions {
        RunOptions { overrides: self.overrides.clone(), tensors: Vec::new() }
    }

    /// The place as fractions of the crop.
    fn place_in_crop(&self, photo: &WorkingImage, size: [usize; 2], preprocessing: &Preprocessing) -> Result<[f64; 2]> {
        let extent = [photo.photo().width(), photo.photo().height()];
        let crop = crop_box(extent, size, preprocessing.crop_pct, self.scale, self.center)?;
        let low = [crop.left, crop.top].map(f64::from);
        let high = [crop.right, crop.bottom].map(f64::from);
        let extent = extent.map(|side| side as f64);
        let place = [0, 1].map(|axis| (self.position[axis] * extent[axis] - low[axis]) / (high[axis] - low[axis]));
        if place.iter().all(|part| (-ROUNDING..=1.0 + ROUNDING).contains(part)) {
            return Ok(place.map(|part| part.clamp(0.0, 1.0)));
        }
        let range = |axis: usize| format!("{:.3} to {:.3}", low[axis] / extent[axis], high[axis] / extent[axis]);
        Err(Error::bad_option(format!(
            "position [{}, {}] is outside the crop at scale {}, which holds x from {} and y from {}",
            self.position[0],
            self.position[1],
            self.scale,
            range(0),
            range(1)
        )))
    }
}

/// What a backward plan is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GradientKey {
    size: [usize; 2],
    /// Index of the unit from whose output it goes back.
    unit: usize,
    attention: AttentionGradient,
}

/// A backward plan made ready.
#[derive(Debug)]
pub(super) struct Gradient {
    /// The gradient with respect to the unit's output.
    seed: TensorId,
    prepared: Prepared,
}

impl Session {
    /// The receptive field of a unit's output at a place of `photo`.
    ///
    /// # Errors
    /// `bad-option` for a bad request or a place that the crop does not show, `device-lost` if the GPU went away.
    pub async fn receptive_field(&mut self, photo: &WorkingImage, request: &FieldRequest) -> Result<EffectiveField> {
        let start = Instant::now();
        request.check(&self.network)?;
        let size = request.size.unwrap_or(self.preprocessing.input_size);
        let place = request.place_in_crop(photo, size, &self.preprocessing)?;
        let mut input = vec![0.0; size[0] * size[1] * LANES];
        self.preprocessing.to_input(photo, size, request.scale, request.center, &mut input)?;
        self.field(&input, size, place, request, start).await
    }

    /// The same for a ready input `[1, 3, H, W]`; zoom, centre and size of the request do not count.
    ///
    /// # Errors
    /// As [`Session::receptive_field`], and `bad-option` if the shape does not fit the data or the network or a value is
    /// not finite.
    pub async fn receptive_field_of_tensor(
        &mut self,
        data: &[f32],
        shape: [usize; 4],
        request: &FieldRequest,
    ) -> Result<EffectiveField> {
        let start = Instant::now();
        request.check(&self.network)?;
        let size = self.check_tensor(data, shape)?;
        if shape[0] != 1 {
            return Err(Error::bad_option(format!(
                "the tensor holds {} pictures; a receptive field is of one",
                shape[0]
            )));
        }
        let mut input = vec![0.0; size[0] * size[1] * LANES];
        interleave(data, &mut input);
        self.field(&input, size, request.position, request, start).await
    }

    /// The field at `place`, fractions of the input `[H, W, 4]` of `size`.
    async fn field(
        &mut self,
        input: &[f32],
        size: [usize; 2],
        place: [f64; 2],
        request: &FieldRequest,
        start: Instant,
    ) -> Result<EffectiveField> {
        let forward = self.network.graph(size, self.classes)?;
        let (index, unit) = unit_called(&forward, &request.unit)?;
        let at = [place[0] * size[1] as f64, place[1] * size[0] as f64];
        let pixel = [0, 1].map(|axis| (at[axis] as usize).min(size[1 - axis] - 1));
        let cell = nearest_cell(&forward, unit.output, at);

        self.prepare_gradient(&forward, GradientKey { size, unit: index, attention: request.attention }).await?;
        let (_, Gradient { seed, prepared }) = &mut self.gradients[0];
        let (picture, seed) = (prepared.graph.input, *seed);
        let ones = ones_at(forward.tensor(unit.output).shape, cell);
        let write = |runner: &mut Runner| {
            runner.write_nchw(seed, &ones);
            runner.write(picture, input);
        };
        let values = prepared.run(None, &write, &request.run_options()).await?;
        let Prepared { graph, runner, .. } = prepared;
        self.dispatches = runner.dispatches();
        let gradient = values.tensor(&runner.plan, graph.output)?;
        if let Some(bad) = gradient.iter().find(|v| !v.is_finite()) {
            return Err(Error::bad_weights(format!("the gradient holds {bad}: the weights or the input overflow f32")));
        }
        let mut shares = Vec::new();
        for unit in &graph.units {
            shares.push(branch_means(unit, &values.tensor(&runner.plan, unit.attention)?));
        }
        let sizes = forward.field_sizes(&shares)[index];
        let theory = forward.receptive_field(unit.output, cell)?;
        let mut field = EffectiveField::new(unit, [pixel, cell], theory, sizes, size, &gradient);
        field.milliseconds = start.elapsed().as_secs_f64() * 1e3;
        Ok(field)
    }

    /// Moves the backward plan for `key` of the network's graph `forward` to the front, making it if needed.
    async fn prepare_gradient(&mut self, forward: &Graph, key: GradientKey) -> Result<()> {
        if bring_forward(&mut self.gradients, &key) {
            return Ok(());
        }
        self.gradients.truncate(KEPT_GRADIENTS - 1);
        let InputGradient { graph, seed } = forward.input_gradient(forward.units[key.unit].output, key.attention)?;
        let plan = Plan::new(&graph, &PlanOptions::batch(1))?;
        self.backend.max_batch(&plan, graph.weight_bytes())?;
        let constants = Rc::new(load(&self.backend, self.precision, &plan, &self.checkpoint, &mut |_| ()).await?);
        let runner = Runner::new(&self.backend, plan, constants).await?;
        self.gradients.push_front((key, Gradient { seed, prepared: Prepared::new(graph, runner) }));
        Ok(())
    }
}

/// `[C, H, W]` of 1 at the position `[x, y]` of every channel and 0 elsewhere.
fn ones_at([channels, height, width]: [usize; 3], [x, y]: [usize; 2]) -> Vec<f32> {
    let marked = y * width + x;
    (0..channels * height * width).map(|i| f32::from(i % (height * width) == marked)).collect()
}
