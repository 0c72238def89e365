//! Crops of a photo that the device turns into a plan's pictures. The photo is uploaded once and kept until another comes.

use super::executor::Command;
use super::{GpuDevice, GpuExecutor};
use crate::image::WorkingImage;
use crate::kernels::{Crops, Operand};
use crate::plan::Plan;

/// What makes the pictures of one plan.
#[derive(Debug)]
pub(super) struct CropStage {
    /// The constants of [`Crops::lower`], in order.
    buffers: Vec<wgpu::Buffer>,
    pub commands: Vec<Command>,
}

impl CropStage {
    /// Whether it has room for `crops` and reads `photo`.
    fn serves(&self, crops: &Crops<'_>, photo: &wgpu::Buffer) -> bool {
        let has_room = self.buffers.iter().zip(crops.room).all(|(buffer, size)| buffer.size() >= size);
        has_room && self.buffers.last() == Some(photo)
    }
}

/// Bytes of the buffer for a photo.
fn photo_size(photo: &WorkingImage) -> u64 {
    photo.photo().rgb().len().next_multiple_of(size_of::<u32>()) as u64
}

impl GpuDevice {
    fn storage(&self, label: &str, size: u64) -> wgpu::Buffer {
        self.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    }

    /// The pixels of `photo`, uploaded in place of another's unless they are here.
    fn keep(&self, photo: &WorkingImage) -> wgpu::Buffer {
        let mut kept = self.photo.borrow_mut();
        let size = photo_size(photo);
        let buffer = match kept.take() {
            Some((id, buffer)) if id == photo.id() => return kept.insert((id, buffer)).1.clone(),
            Some((_, buffer)) if buffer.size() == size => buffer,
            other => {
                // A browser would keep it until its next collection.
                other.iter().for_each(|(_, buffer)| buffer.destroy());
                self.storage("photo", size)
            }
        };
        let (whole, rest) = photo.photo().rgb().as_chunks::<4>();
        self.upload(&buffer, 0, whole.as_flattened());
        if !rest.is_empty() {
            let mut last = [0; 4];
            last[..rest.len()].copy_from_slice(rest);
            self.upload(&buffer, size - 4, &last);
        }
        kept.insert((photo.id(), buffer)).1.clone()
    }
}

impl GpuExecutor {
    /// Whether the device's limits allow `crops`.
    pub fn takes(&self, crops: &Crops<'_>) -> bool {
        let [words, pixels] = crops.room;
        words.max(pixels).max(photo_size(crops.photo)) <= self.device.max_binding()
    }

    /// Uploads `crops`, and their photo unless it is here, for the commands in `crops`.
    pub(super) fn stage(&mut self, plan: &Plan, crops: &Crops<'_>) {
        let device = &self.device;
        let photo = device.keep(crops.photo);
        let picture = plan.views.of(plan.input).storage;
        let dispatches = crops.lower(picture);
        let make = |photo| {
            let buffers = vec![device.storage("crops", crops.room[0]), device.storage("pixels", crops.room[1]), photo];
            let picture = &self.buffers[plan.buffer_of(picture)];
            let buffer = |operand| match operand {
                Operand::Constant(index) => &buffers[index],
                _ => picture,
            };
            let commands = dispatches.iter().map(|dispatch| Command::new(device, 0, dispatch, &buffer)).collect();
            CropStage { buffers, commands }
        };
        let mut stage = match self.crops.take() {
            Some(stage) if stage.serves(crops, &photo) => stage,
            _ => make(photo),
        };
        device.upload(&stage.buffers[0], 0, bytemuck::cast_slice(&crops.words));
        for (command, dispatch) in stage.commands.iter_mut().zip(dispatches) {
            command.workgroups = dispatch.workgroups;
        }
        self.crops = Some(stage);
    }
}
