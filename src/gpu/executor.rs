//! Records a plan once and runs it: one encoder, one compute pass, one read-back.

use super::GpuDevice;
use super::crops::CropStage;
use crate::Result;
use crate::graph::TensorId;
use crate::kernels::{Choices, Crops, Dispatch, Lowering, Operand, Packed};
use crate::plan::{LANES, Plan, StorageId};
use std::rc::Rc;

/// The constants of a plan's steps on the device.
#[derive(Debug, Default)]
pub struct GpuConstants(Vec<Vec<Constant>>);

#[derive(Debug)]
struct Constant {
    buffer: wgpu::Buffer,
    /// Whether it holds f16.
    halves: bool,
}

impl GpuConstants {
    /// Uploads the constants of the next step.
    pub fn push(&mut self, device: &GpuDevice, packed: &[Packed]) {
        let upload = |p: &Packed| {
            // A buffer that is mapped at creation would throw in a browser that is out of memory.
            let buffer = device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("constant"),
                // Halves are read as pairs of quads.
                size: p.bytes().len().next_multiple_of(LANES * size_of::<f32>()) as u64,
                usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            device.upload(&buffer, 0, p.bytes());
            Constant { buffer, halves: p.halves().is_some() }
        };
        self.0.push(packed.iter().map(upload).collect());
    }
    /// Steps whose constants are here.
    pub fn steps(&self) -> usize {
        self.0.len()
    }
    /// Bytes of the buffers of step `index`.
    pub fn step_bytes(&self, index: usize) -> u64 {
        self.0[index].iter().map(|constant| constant.buffer.size()).sum()
    }
}

/// A dispatch, ready to be encoded.
#[derive(Debug)]
pub(super) struct Command {
    /// Index of the step that it belongs to.
    pub step: usize,
    pipeline: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
    pub workgroups: [u32; 3],
}

impl Command {
    /// Binds to `dispatch` of step `step` the buffers that its operands stand for.
    pub fn new<'a>(
        device: &GpuDevice,
        step: usize,
        dispatch: &Dispatch,
        buffer: &dyn Fn(Operand) -> &'a wgpu::Buffer,
    ) -> Self {
        let pipeline = device.pipeline(dispatch);
        let entry = |(binding, operand): (usize, &Operand)| wgpu::BindGroupEntry {
            binding: binding as u32,
            resource: buffer(*operand).as_entire_binding(),
        };
        let entries: Vec<_> = dispatch.bindings.iter().enumerate().map(entry).collect();
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(dispatch.shader.name),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        Self { step, pipeline, group, workgroups: dispatch.workgroups }
    }

    pub fn encode(&self, pass: &mut wgpu::ComputePass) {
        let [x, y, z] = self.workgroups;
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.group, &[]);
        pass.dispatch_workgroups(x, y, z);
    }
}

/// One plan, recorded on a device.
#[derive(Debug)]
pub struct GpuExecutor {
    pub(super) device: Rc<GpuDevice>,
    pub(super) buffers: Vec<wgpu::Buffer>,
    pub(super) commands: Vec<Command>,
    staging: wgpu::Buffer,
    /// Storage, offset and bytes in the staging buffer.
    read_back: Vec<(StorageId, u64, u64)>,
    /// What makes pictures of crops, once there were any.
    pub(super) crops: Option<CropStage>,
}

impl GpuExecutor {
    /// Creates buffers, pipelines and bind groups for `plan`, with the variants of kernels in `choices`.
    ///
    /// # Errors
    /// `device-lost` with the driver's message if the device is gone, out of memory, or refuses a shader.
    pub async fn new(device: Rc<GpuDevice>, plan: &Plan, constants: &GpuConstants, choices: &Choices) -> Result<Self> {
        device.check()?;
        let watch = device.watch();
        let executor = Self::record(device.clone(), plan, constants, choices);
        watch.end("the network").await?;
        Ok(executor)
    }

    fn record(device: Rc<GpuDevice>, plan: &Plan, constants: &GpuConstants, choices: &Choices) -> Self {
        let create = |label, size: usize, usage| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: (size.max(LANES) * size_of::<f32>()) as u64,
                usage,
                mapped_at_creation: false,
            })
        };
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let sizes = plan.buffer_sizes(plan.batch);
        let buffers: Vec<_> = sizes.iter().map(|&size| create("activations", size, usage)).collect();
        let unused = create("unused", LANES, usage);
        let lowering = Lowering { views: &plan.views, batch: plan.batch, choices };
        let mut commands = Vec::new();
        for (index, (step, constants)) in plan.steps.iter().zip(&constants.0).enumerate() {
            for mut dispatch in step.lower(&lowering) {
                let holds_halves = |o: &Operand| matches!(o, Operand::Constant(index) if constants[*index].halves);
                if dispatch.bindings.iter().any(holds_halves) {
                    dispatch.constants.push(("HALVES", 1.0));
                }
                commands.push(Command::new(&device, index, &dispatch, &|operand| match operand {
                    Operand::Read(id) | Operand::Write(id) => &buffers[plan.buffer_of(id)],
                    Operand::Constant(index) => &constants[index].buffer,
                    Operand::Unused => &unused,
                }));
            }
        }
        let mut read_back = Vec::new();
        let mut total = 0;
        for &id in &plan.read_back {
            let bytes = (plan.storages[id.0].item * LANES * plan.batch * size_of::<f32>()) as u64;
            read_back.push((id, total, bytes));
            total += bytes;
        }
        let staging = create(
            "read-back",
            total as usize / size_of::<f32>(),
            wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        );
        Self { device, buffers, commands, staging, read_back, crops: None }
    }

    /// The device that it is recorded on.
    pub fn device(&self) -> Rc<GpuDevice> {
        self.device.clone()
    }

    /// Dispatches of one run.
    pub fn dispatches(&self) -> usize {
        self.commands.len()
    }

    /// Writes a tensor's whole storage, all batch items, padding lanes included.
    pub fn write(&self, plan: &Plan, id: TensorId, values: &[f32]) {
        let buffer = &self.buffers[plan.buffer_of(plan.views.of(id).storage)];
        self.device.upload(buffer, 0, bytemuck::cast_slice(values));
    }

    /// Runs the plan, on the pictures of `crops` if there are any, and reads [`Plan::read_back`] back, each storage whole.
    ///
    /// # Errors
    /// `device-lost` if the device went away, refuses the run, or does not finish it in ten minutes.
    pub async fn run(&mut self, plan: &Plan, crops: Option<&Crops<'_>>) -> Result<Vec<(StorageId, Vec<f32>)>> {
        self.device.check()?;
        let device = self.device.clone();
        let watch = device.watch();
        if let Some(crops) = crops {
            self.stage(plan, crops);
        }
        let mut encoder = self.device.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            if let (Some(_), Some(stage)) = (crops, &self.crops) {
                stage.commands.iter().for_each(|command| command.encode(&mut pass));
            }
            self.commands.iter().for_each(|command| command.encode(&mut pass));
        }
        for &(id, offset, bytes) in &self.read_back {
            let source = &self.buffers[plan.buffer_of(id)];
            encoder.copy_buffer_to_buffer(source, 0, &self.staging, offset, bytes);
        }
        self.device.submit(encoder.finish());
        let read = |bytes: &[u8]| {
            let part = |offset: u64, size: u64| {
                bytemuck::pod_collect_to_vec(&bytes[offset as usize..(offset + size) as usize])
            };
            self.read_back.iter().map(|&(id, offset, size)| (id, part(offset, size))).collect()
        };
        let values = device.read(&self.staging, watch, read).await;
        if values.is_err() {
            // There may be no memory behind it.
            device.photo.take();
            self.crops = None;
        }
        values
    }
}
