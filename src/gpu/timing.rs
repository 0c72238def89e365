//! Timestamps around each dispatch of a plan.

use super::GpuExecutor;
use crate::Result;

/// Bytes of a timestamp, in units of [`wgpu::Queue::get_timestamp_period`] nanoseconds.
const STAMP: u64 = size_of::<u64>() as u64;

impl GpuExecutor {
    /// Runs the dispatches of step `i` as often as `repeats[i]` says, each in a pass of its own; returns the milliseconds
    /// that each step took once, 0 for steps that did not run, or nothing if the adapter has no timestamps.
    ///
    /// # Errors
    /// `device-lost` if the device went away or refuses the run.
    pub async fn time(&self, repeats: &[usize]) -> Result<Option<Vec<f64>>> {
        self.device.check()?;
        let gpu = &self.device.device;
        if !self.device.tells_time() {
            return Ok(None);
        }
        let watch = self.device.watch();
        let count = 2 * self.commands.len() as u32;
        let queries = gpu.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("timestamps"),
            ty: wgpu::QueryType::Timestamp,
            count,
        });
        let buffer = |usage| {
            let size = u64::from(count) * STAMP;
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("timestamps"),
                size,
                usage,
                mapped_at_creation: false,
            })
        };
        let resolved = buffer(wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC);
        let staging = buffer(wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
        let mut encoder = gpu.create_command_encoder(&Default::default());
        for (begin, command) in (0..).step_by(2).zip(&self.commands) {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: None,
                timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                    query_set: &queries,
                    beginning_of_pass_write_index: Some(begin),
                    end_of_pass_write_index: Some(begin + 1),
                }),
            });
            (0..repeats[command.step]).for_each(|_| command.encode(&mut pass));
        }
        encoder.resolve_query_set(&queries, 0..count, &resolved, 0);
        encoder.copy_buffer_to_buffer(&resolved, 0, &staging, 0, resolved.size());
        self.device.submit(encoder.finish());
        let nanoseconds = f64::from(self.device.queue.get_timestamp_period());
        let read = |bytes: &[u8]| {
            let stamps: Vec<u64> = bytemuck::pod_collect_to_vec(bytes);
            let mut times = vec![0.0; repeats.len()];
            for (command, [begin, end]) in self.commands.iter().zip(stamps.as_chunks().0) {
                // Clocks may jump back between passes.
                let passed = end.saturating_sub(*begin) as f64 * nanoseconds / 1e6;
                times[command.step] += passed / repeats[command.step].max(1) as f64;
            }
            times
        };
        self.device.read(&staging, watch, read).await.map(Some)
    }

    /// The same by the clock, for adapters without timestamps: each step is a submit of its own that is waited for, which
    /// counts as a part of its time.
    ///
    /// # Errors
    /// As [`GpuExecutor::time`].
    pub async fn time_by_clock(&self, repeats: &[usize]) -> Result<Vec<f64>> {
        self.device.check()?;
        let watch = self.device.watch();
        // A copy that is read shows that the work before it is done.
        let buffer = |usage| {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("clock"),
                size: STAMP,
                usage,
                mapped_at_creation: false,
            })
        };
        let (done, staging) =
            (buffer(wgpu::BufferUsages::COPY_SRC), buffer(wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST));
        watch.end("the clock").await?;
        let mut times = Vec::with_capacity(repeats.len());
        for (step, &repeats) in repeats.iter().enumerate() {
            if repeats == 0 {
                times.push(0.0);
                continue;
            }
            let start = web_time::Instant::now();
            let watch = self.device.watch();
            let mut encoder = self.device.device.create_command_encoder(&Default::default());
            {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                for command in self.commands.iter().filter(|command| command.step == step) {
                    (0..repeats).for_each(|_| command.encode(&mut pass));
                }
            }
            encoder.copy_buffer_to_buffer(&done, 0, &staging, 0, STAMP);
            self.device.submit(encoder.finish());
            self.device.read(&staging, watch, |_| ()).await?;
            times.push(start.elapsed().as_secs_f64() * 1e3 / repeats as f64);
        }
        Ok(times)
    }
}
