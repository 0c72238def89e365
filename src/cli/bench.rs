//! `sklens bench`.

use super::model::{ModelArgs, parse_size};
use super::{print, print_json, tunings};
use crate::Result;
use crate::benchmark::{Benchmark, LayerTime};
use clap::Args;
use pollster::block_on;

/// Times each layer on this machine's GPU or CPU against the device's roofline.
#[derive(Debug, Args)]
pub struct Bench {
    #[command(flatten)]
    model: ModelArgs,
    /// Input size: one side, or HEIGHTxWIDTH; 64 to 512 each, from 32 for CIFAR networks.
    #[arg(long, value_parser = parse_size)]
    size: Option<[usize; 2]>,
    /// Pictures at once.
    #[arg(long, default_value_t = 1)]
    batch: usize,
    /// First find the fastest kernels for this GPU, network, size and batch; the choice is kept in the user's cache folder
    /// for all later commands. Takes seconds, on a software adapter minutes.
    #[arg(long)]
    tune: bool,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

impl Bench {
    /// Prints the times; returns how many inputs failed, which is 0.
    ///
    /// # Errors
    /// If the network cannot be opened or run.
    pub fn run(&self) -> Result<usize> {
        let mut session = self.model.open(self.model.choose_for_speed()?)?;
        if self.tune {
            let progress = |done, total| eprintln!("Tuning: {done} of {total} rounds");
            let tuning = block_on(session.tune(self.size, self.batch, progress))?;
            let file = tunings::store(&tuning)?;
            eprintln!("{} shapes are tuned for {} in {}", tuning.choices.len(), tuning.adapter, file.display());
        }
        let benchmark = block_on(session.benchmark(self.size, self.batch))?;
        if self.json {
            print_json(&benchmark)?
        } else {
            print_table(&benchmark)?
        }
        Ok(0)
    }
}

fn print_table(benchmark: &Benchmark) -> Result<()> {
    let Benchmark { size: [height, width], batch, milliseconds, roofline, layers } = benchmark;
    print(format_args!("{batch} × {height}×{width} px: {milliseconds:.2} ms with upload and read-back"))?;
    let Some(roofline) = roofline else {
        return print("The adapter tells no time of single layers.");
    };
    print(format_args!(
        "Roofline: {:.1} GFLOP/s in a product of matrices, {:.1} GB/s in a pass over memory; caches may be faster.\n",
        roofline.gflops, roofline.gigabytes
    ))?;
    print(format_args!("{:>9}  {:>7}  {:>7}  {:>8}  layer", "ms", "GFLOP/s", "GB/s", "roofline"))?;
    for layer in layers {
        let row = [layer.milliseconds, layer.roofline_milliseconds];
        print_row(layer.macs, layer.bytes, row, format_args!("{} ({})", layer.name, layer.kernel))?;
    }
    let sum = |value: fn(&LayerTime) -> f64| layers.iter().map(value).sum::<f64>();
    let total = |value: fn(&LayerTime) -> u64| layers.iter().map(value).sum::<u64>();
    let times = [sum(|layer| layer.milliseconds), sum(|layer| layer.roofline_milliseconds)];
    print_row(total(|layer| layer.macs), total(|layer| layer.bytes), times, format_args!("all"))
}

/// A line; the roofline's milliseconds become their share of those measured.
fn print_row(macs: u64, bytes: u64, [milliseconds, roofline]: [f64; 2], name: std::fmt::Arguments) -> Result<()> {
    let gflops = 2.0 * macs as f64 / milliseconds / 1e6;
    let gigabytes = bytes as f64 / milliseconds / 1e6;
    let share = 100.0 * roofline / milliseconds;
    print(format_args!("{milliseconds:>9.3}  {gflops:>7.1}  {gigabytes:>7.2}  {share:>6.0} %  {name}"))
}
