//! An open device, and the pipelines made on it.

use super::{Adapter, DeviceLimits, GpuAdapter};
use crate::kernels::{AdapterFacts, Choices, Dispatch, Shader, Variant};
use crate::{Error, Result};
use std::cell::{Cell, Ref, RefCell};
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// What was asked of a device so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GpuCounters {
    /// Compute pipelines made.
    pub pipelines: usize,
    /// Buffers made.
    pub buffers: usize,
    /// Bind groups made.
    pub bind_groups: usize,
    /// Command buffers submitted.
    pub submits: usize,
    /// Buffers mapped to read them.
    pub read_backs: usize,
    /// Bytes written to buffers.
    pub uploaded: u64,
}

/// A pipeline is a shader with its constants; nothing else specialises it.
#[derive(PartialEq, Eq, Hash)]
struct PipelineKey {
    shader: &'static str,
    entry: &'static str,
    constants: Vec<(&'static str, u64)>,
}

/// An open device with its compiled shaders.
#[derive(Debug)]
pub struct GpuDevice {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    /// The adapter behind the device.
    pub adapter: Adapter,
    counters: Cell<GpuCounters>,
    lost: Arc<OnceLock<String>>,
    refused: Arc<OnceLock<String>>,
    modules: RefCell<HashMap<&'static str, wgpu::ShaderModule>>,
    pipelines: RefCell<HashMap<PipelineKey, wgpu::ComputePipeline>>,
    choices: RefCell<Choices>,
    /// The photo that crops were taken of last, by its number.
    pub(super) photo: RefCell<Option<(u64, wgpu::Buffer)>>,
}

impl std::fmt::Debug for PipelineKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.shader, self.entry)
    }
}

/// No run that is worth waiting for takes longer; beyond it the driver hangs.
const LONGEST_RUN: Duration = Duration::from_secs(600);

/// Pipelines kept for later plans; a page that tries every input size would otherwise collect thousands.
const KEPT_PIPELINES: usize = 256;

impl GpuDevice {
    /// Opens the fastest adapter with all the limits it offers.
    ///
    /// # Errors
    /// `device-lost` with the platform's reason if there is no adapter or it refuses a device.
    pub async fn open() -> Result<Self> {
        GpuAdapter::find().await?.open(DeviceLimits::default()).await
    }

    pub(super) fn new(adapter: Adapter, device: wgpu::Device, queue: wgpu::Queue) -> Self {
        let lost = Arc::new(OnceLock::new());
        let flag = lost.clone();
        device.set_device_lost_callback(move |reason, message| {
            // A second loss of the same device says nothing new.
            let _ = flag.set(format!("{reason:?}: {message}"));
        });
        let refused = Arc::new(OnceLock::new());
        let flag = refused.clone();
        // The default handler panics natively and only logs in a browser.
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            let _ = flag.set(error.to_string());
        }));
        let choices = Choices { adapter: AdapterFacts::new(&adapter.name, adapter.software), ..Choices::default() };
        Self {
            device,
            queue,
            adapter,
            choices: RefCell::new(choices),
            counters: Cell::default(),
            lost,
            refused,
            modules: RefCell::default(),
            pipelines: RefCell::default(),
            photo: RefCell::default(),
        }
    }

    /// Largest storage that one binding can hold, in bytes.
    pub fn max_binding(&self) -> u64 {
        let limits = self.device.limits();
        limits.max_storage_buffer_binding_size.min(limits.max_buffer_size)
    }

    /// Whether it tells the time between passes.
    pub fn tells_time(&self) -> bool {
        self.device.features().contains(wgpu::Features::TIMESTAMP_QUERY)
    }

    /// What was asked of the device so far.
    pub fn counters(&self) -> GpuCounters {
        self.counters.get()
    }

    /// The variants of kernels that plans are recorded with.
    pub fn choices(&self) -> Ref<'_, Choices> {
        self.choices.borrow()
    }

    /// Records later plans with `tuned` (see [`Choices::tuned`]).
    pub fn tune(&self, tuned: Vec<(String, Variant)>) {
        self.choices.borrow_mut().tuned = tuned;
    }

    /// Compute pipelines kept.
    pub fn pipeline_count(&self) -> usize {
        self.pipelines.borrow().len()
    }

    pub(super) fn count(&self, add: impl FnOnce(&mut GpuCounters)) {
        let mut counters = self.counters.get();
        add(&mut counters);
        self.counters.set(counters);
    }

    pub(super) fn create_buffer(&self, descriptor: &wgpu::BufferDescriptor) -> wgpu::Buffer {
        self.count(|c| c.buffers += 1);
        self.device.create_buffer(descriptor)
    }

    pub(super) fn upload(&self, buffer: &wgpu::Buffer, offset: u64, bytes: &[u8]) {
        self.count(|c| c.uploaded += bytes.len() as u64);
        self.queue.write_buffer(buffer, offset, bytes);
    }

    pub(super) fn create_bind_group(&self, descriptor: &wgpu::BindGroupDescriptor) -> wgpu::BindGroup {
        self.count(|c| c.bind_groups += 1);
        self.device.create_bind_group(descriptor)
    }

    pub(super) fn submit(&self, commands: wgpu::CommandBuffer) {
        self.count(|c| c.submits += 1);
        self.queue.submit([commands]);
    }

    /// Waits for what was submitted and reads `staging`, which is mapped for reading meanwhile; `watch` caught what went
    /// wrong since the work began.
    ///
    /// # Errors
    /// `device-lost` if the device went away, refused the work, or does not finish it in ten minutes.
    pub(super) async fn read<T>(
        &self,
        staging: &wgpu::Buffer,
        watch: Watch<'_>,
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<T> {
        self.count(|c| c.read_backs += 1);
        let (sender, receiver) = futures_channel::oneshot::channel();
        staging.map_async(wgpu::MapMode::Read, .., move |result| {
            // The receiver is gone only if the caller dropped the run.
            let _ = sender.send(result);
        });
        let watched = watch.end("the run");
        // On the web the browser polls; natively this waits for the queue.
        let waited = self.device.poll(wgpu::PollType::Wait { submission_index: None, timeout: Some(LONGEST_RUN) });
        watched.await?;
        waited.map_err(|e| Error::device_lost(format!("waiting for the GPU failed: {e}")))?;
        match receiver.await {
            Ok(Ok(())) => {}
            Ok(Err(e)) => return Err(Error::device_lost(format!("reading results from the GPU failed: {e}"))),
            Err(_) => return Err(Error::device_lost("the GPU dropped the run")),
        }
        let result = staging.get_mapped_range(..).map(|bytes| read(&bytes));
        staging.unmap();
        result.map_err(|e| Error::device_lost(format!("reading results from the GPU failed: {e}")))
    }

    /// Fails if the device is gone or an operation that nothing watched failed.
    ///
    /// # Errors
    /// `device-lost` with the driver's reason.
    pub fn check(&self) -> Result<()> {
        if let Some(reason) = self.lost.get() {
            return Err(Error::device_lost(format!("the GPU device was lost ({reason})")));
        }
        match self.refused.get() {
            Some(reason) => Err(Error::device_lost(format!("{} failed: {reason}", self.adapter.name))),
            None => Ok(()),
        }
    }

    /// Gives the device up at once; whatever uses it afterwards fails with `device-lost`.
    pub fn destroy(&self) {
        self.device.destroy();
    }

    /// Catches what goes wrong on the device until [`Watch::end`].
    pub(crate) fn watch(&self) -> Watch<'_> {
        let filters: &[_] = match cfg!(target_arch = "wasm32") {
            // wgpu cannot read a browser's internal error; it then surfaces as an uncaptured one.
            true => &[wgpu::ErrorFilter::Validation, wgpu::ErrorFilter::OutOfMemory],
            false => &[wgpu::ErrorFilter::Validation, wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Internal],
        };
        Watch { device: self, scopes: filters.iter().map(|&filter| self.device.push_error_scope(filter)).collect() }
    }

    pub(super) fn pipeline(&self, dispatch: &Dispatch) -> wgpu::ComputePipeline {
        let Shader { name, entry, .. } = *dispatch.shader;
        let constants = dispatch.constants.iter().map(|(k, v)| (*k, v.to_bits())).collect();
        let key = PipelineKey { shader: name, entry, constants };
        if let Some(pipeline) = self.pipelines.borrow().get(&key) {
            return pipeline.clone();
        }
        if self.pipeline_count() >= KEPT_PIPELINES {
            // Recorded plans hold on to theirs.
            self.pipelines.borrow_mut().clear();
        }
        let mut modules = self.modules.borrow_mut();
        let module = modules.entry(name).or_insert_with(|| {
            self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(name),
                source: wgpu::ShaderSource::Wgsl(dispatch.shader.wgsl.into()),
            })
        });
        self.count(|c| c.pipelines += 1);
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(name),
            layout: None,
            module,
            entry_point: Some(entry),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &dispatch.constants,
                ..Default::default()
            },
            cache: None,
        });
        self.pipelines.borrow_mut().insert(key, pipeline.clone());
        pipeline
    }
}

/// The error scopes of a stretch of work.
pub(crate) struct Watch<'a> {
    device: &'a GpuDevice,
    /// The innermost last.
    scopes: Vec<wgpu::ErrorScopeGuard>,
}

impl Watch<'_> {
    /// Fails with what went wrong since the start; `work` completes "the adapter … refused".
    ///
    /// # Errors
    /// `device-lost` with the driver's message.
    pub async fn end(self, work: &str) -> Result<()> {
        // Scopes are closed in order before anything is awaited, so that other work is not caught by them.
        let pops: Vec<_> = self.scopes.into_iter().rev().map(wgpu::ErrorScopeGuard::pop).collect();
        let mut error = None;
        for pop in pops {
            let found = pop.await;
            // Out of memory is an inner scope; what it makes invalid is an outer one's.
            error = error.or(found);
        }
        // Natively a loss is told only when the device is polled; failing to poll is a loss as well.
        let _ = self.device.device.poll(wgpu::PollType::Poll);
        self.device.check()?;
        error.map_or(Ok(()), |error| Err(refusal(&self.device.adapter.name, work, &error)))
    }
}

fn refusal(adapter: &str, work: &str, error: &wgpu::Error) -> Error {
    Error::device_lost(match error {
        wgpu::Error::OutOfMemory { .. } => format!("{adapter} is out of memory for {work}"),
        _ => format!("{adapter} refused {work}: {error}"),
    })
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    #[test]
    fn running_out_of_memory_is_told_in_words() {
        let error =
            wgpu::Error::OutOfMemory { source: Box::new(std::io::Error::other("VK_ERROR_OUT_OF_DEVICE_MEMORY")) };
        assert_eq!(refusal("Adapter", "the weights", &error).message, "Adapter is out of memory for the weights");
    }
}
