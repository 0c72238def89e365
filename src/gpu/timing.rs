//! Timestamps around each dispatch of a plan.

use super::GpuExecutor;
use crate::Result;

/// Bytes of a timestamp, in units of [`wgpu::Queue::get_timestamp_period`] nanoseconds.
const STAMP: u64 = size_of::<u64>() as u64;

impl GpuExecutor {
    /// Runs the dispatches of step `i` as often as `repeats[i]` says, each in a pass of its own; returns the milliseconds
    /// that each step took once, or nothing if the adapter has no timestamps.
    ///
    /// # Errors
    /// `device-lost` if the device went away or refuses the run.
    pub async fn time(&self, repeats: &[usize]) -> Result<Option<Vec<f64>>> {
        self.device.check()?;
        let gpu = &self.device.device;
        if !gpu.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
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
                times[command.step] += passed / repeats[command.step] as f64;
            }
            times
        };
        self.device.read(&staging, watch, read).await.map(Some)
    }
}
