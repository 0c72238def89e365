//! Measuring which variants of the kernels an adapter runs fastest.

use super::Session;
use super::prepared::Prepared;
use crate::benchmark::Clock;
use crate::kernels::Variant;
use crate::tuner::{self, Tuning};
use crate::{Error, Result};

impl Session {
    /// Measures for `batch` pictures of `size` (the model's default if absent) which variants of the kernels this adapter
    /// runs fastest, except for shapes that are known already, and uses them from here on. Takes seconds, on software
    /// adapters minutes. Returns all that is known of the adapter, for [`OpenOptions::tunings`](super::OpenOptions::tunings).
    ///
    /// # Errors
    /// As [`Session::benchmark`]; `bad-option` on the CPU, which has one variant of everything.
    pub async fn tune(&mut self, size: Option<[usize; 2]>, batch: usize) -> Result<Tuning> {
        let Some(device) = self.backend.device() else {
            return Err(Error::bad_option("the CPU backend has nothing to tune; open the network on a GPU"));
        };
        let clock = if device.tells_time() { Clock::Device } else { Clock::Program };
        let known = device.choices().clone();
        self.prepare_for_times(size, batch).await?;
        let (_, Prepared { graph, runner, .. }) = &mut self.runners[0];
        let mut tuned = known.tuned.clone();
        tuned.extend(tuner::tune(graph, runner, &known, clock).await?);
        let in_words = |(shape, variant): &(String, Variant)| (shape.clone(), variant.to_string());
        let tuning = Tuning { choices: tuned.iter().map(in_words).collect(), ..Tuning::new(&device.adapter) };
        device.tune(tuned);
        // Other plans were recorded with other variants.
        self.runners.clear();
        self.gradients.clear();
        Ok(tuning)
    }
}
