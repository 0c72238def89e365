//! Times of a session's layers, and the variants of the kernels that its adapter runs fastest.

use super::Session;
use super::prepared::{Prepared, RunnerKey};
use crate::Result;
use crate::benchmark::{self, Benchmark};
use crate::image::check_size;
use crate::plan::PlanOptions;
use crate::tuner::{self, Tuning};

impl Session {
    /// Times each layer for `batch` pictures of `size` (the model's default if absent) against the device's roofline.
    ///
    /// # Errors
    /// `bad-option` if the size does not fit the network or the batch the device, `device-lost` if the GPU went away.
    pub async fn benchmark(&mut self, size: Option<[usize; 2]>, batch: usize) -> Result<Benchmark> {
        self.prepare_for_times(size, batch).await?;
        let (_, Prepared { graph, runner, .. }) = &mut self.runners[0];
        benchmark::measure(&self.backend, graph, runner).await
    }

    /// Measures for `batch` pictures of `size` (the model's default if absent) which variants of the kernels this adapter
    /// runs fastest, except for shapes that are known already, and uses them from here on. Takes seconds, on software
    /// adapters minutes; `progress` gets the rounds done and all. Returns all that is known of the adapter, for
    /// [`OpenOptions::tunings`](super::OpenOptions::tunings).
    ///
    /// # Errors
    /// As [`Session::benchmark`]; `bad-option` on the CPU, which has one variant of everything.
    pub async fn tune(
        &mut self,
        size: Option<[usize; 2]>,
        batch: usize,
        progress: impl FnMut(usize, usize),
    ) -> Result<Tuning> {
        self.prepare_for_times(size, batch).await?;
        let (_, Prepared { graph, runner, .. }) = &mut self.runners[0];
        let tuning = tuner::tune(&self.backend, graph, runner, progress).await?;
        self.forget_plans();
        Ok(tuning)
    }

    /// Uses from here on what was measured of this adapter elsewhere; tells whether it was measured of this one.
    pub fn adopt(&mut self, tuning: &Tuning) -> bool {
        let device = self.backend.device().filter(|device| tuning.fits(&device.adapter));
        if let Some(device) = &device {
            device.tune(tuning.variants());
            self.forget_plans();
        }
        device.is_some()
    }

    /// Plans are recorded with the variants that were known then.
    fn forget_plans(&mut self) {
        self.runners.clear();
        self.gradients.clear();
    }

    /// Moves a runner for that size and batch to the front.
    async fn prepare_for_times(&mut self, size: Option<[usize; 2]>, batch: usize) -> Result<()> {
        let size = size.unwrap_or(self.preprocessing.input_size);
        check_size(size, self.network.sides())?;
        benchmark::check_batch(batch, self.max_batch(size, &[])?)?;
        self.prepare(RunnerKey { size, options: PlanOptions::batch(batch) }).await
    }
}
