//! Choosing a backend for a network and bringing the weights there.

use super::{BackendChoice, OpenOptions, Progress};
use crate::backend::{Backend, Constants};
use crate::gpu::{DeviceLimits, GpuAdapter, GpuDevice};
use crate::plan::Plan;
use crate::self_check;
use crate::weights::{Checkpoint, WeightPrecision};
use crate::{Error, ErrorCode, Result};
use std::rc::Rc;

/// A network's weights on the backend that will run it.
#[derive(Debug)]
pub(super) struct Placed {
    pub backend: Backend,
    /// Why this backend, a sentence.
    pub reason: String,
    pub constants: Constants,
}

/// Packs the weights of `plan` for the backend that `options` lead to.
///
/// # Errors
/// `bad-weights`, or `device-lost` if the GPU was asked for and none works.
pub(super) async fn place(
    options: OpenOptions,
    plan: &Plan,
    checkpoint: &Checkpoint,
    progress: &mut impl FnMut(Progress),
) -> Result<Placed> {
    let device = match options.backend {
        BackendChoice::Cpu => None,
        _ => Some(trusted(&options).await),
    };
    place_on(device, options, plan, checkpoint, progress).await
}

/// A device that computes what it should with its weights kept as asked for, and its kernels as tuned; with `auto` only of
/// a hardware adapter.
async fn trusted(options: &OpenOptions) -> Result<Rc<GpuDevice>> {
    let adapter = GpuAdapter::find().await?;
    if options.backend == BackendChoice::Auto && adapter.description.software {
        let name = &adapter.description.name;
        return Err(Error::device_lost(format!("The only adapter, {name}, is software and slower than this.")));
    }
    let device = Rc::new(adapter.open(DeviceLimits::default()).await?);
    options.tune(&device);
    self_check::check(&device, options.precision).await?;
    Ok(device)
}

/// The rest of [`place`], with what opening a device came to; `None` if the CPU was chosen.
async fn place_on(
    device: Option<Result<Rc<GpuDevice>>>,
    options: OpenOptions,
    plan: &Plan,
    checkpoint: &Checkpoint,
    progress: &mut impl FnMut(Progress),
) -> Result<Placed> {
    let OpenOptions { backend: choice, precision, .. } = options;
    let chosen = || "It was chosen.".to_string();
    let reason = match device {
        None => chosen(),
        Some(Ok(device)) => {
            let reason = if choice == BackendChoice::Gpu { chosen() } else { "It is the fastest here.".into() };
            let backend = Backend::Gpu(device);
            match load(&backend, precision, plan, checkpoint, progress).await {
                Ok(constants) => return Ok(Placed { backend, reason, constants }),
                Err(error) if choice == BackendChoice::Auto && error.code == ErrorCode::DeviceLost => error.message,
                Err(error) => return Err(error),
            }
        }
        Some(Err(error)) if choice == BackendChoice::Gpu => return Err(error),
        Some(Err(error)) => error.message,
    };
    let constants = load(&Backend::Cpu, precision, plan, checkpoint, progress).await?;
    Ok(Placed { backend: Backend::Cpu, reason, constants })
}

/// Packs the weights step by step, so that never more than one step's tensors are in memory twice.
///
/// # Errors
/// `bad-weights`; `device-lost` if the GPU cannot hold them.
pub(super) async fn load(
    backend: &Backend,
    precision: WeightPrecision,
    plan: &Plan,
    checkpoint: &Checkpoint,
    progress: &mut impl FnMut(Progress),
) -> Result<Constants> {
    let mut reader = checkpoint.reader().await?;
    let mut constants = Constants::new(backend);
    for (done, step) in plan.steps.iter().enumerate() {
        let parameters = reader.read(&step.parameters()).await?;
        let packed = step.pack(&plan.views, &parameters)?;
        let packed: Vec<_> = packed.into_iter().map(|constant| constant.kept(precision)).collect();
        if let Some(large) = packed.iter().find(|p| p.bytes().len() as u64 > backend.max_storage()) {
            let code = if backend.is_gpu() { ErrorCode::DeviceLost } else { ErrorCode::BadWeights };
            let message = format!(
                "{} needs a buffer of {} bytes; the {} backend allows {} here",
                step.parameters().join(", "),
                large.bytes().len(),
                backend.name(),
                backend.max_storage()
            );
            return Err(Error::new(code, message));
        }
        let watch = backend.watch();
        constants.push(backend, step.as_ref(), &plan.views, packed)?;
        if let Some(watch) = watch {
            watch.end("the weights").await?;
        }
        progress(Progress { done: done + 1, total: plan.steps.len() });
    }
    Ok(constants)
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::*;
    use crate::bundled::{DEFAULT_MODEL, weights};
    use crate::network::preset;
    use crate::plan::PlanOptions;
    use crate::weights::Source;
    use pollster::block_on;

    /// What becomes of the bundled network where opening a device came to `device`.
    fn placed(device: Result<GpuDevice>, choice: BackendChoice) -> Result<Placed> {
        let checkpoint = block_on(Checkpoint::open(Source::Static(weights(DEFAULT_MODEL).unwrap()))).unwrap();
        let graph = preset(DEFAULT_MODEL).unwrap().graph([64, 64], 200).unwrap();
        let plan = Plan::new(&graph, &PlanOptions::batch(1)).unwrap();
        block_on(place_on(Some(device.map(Rc::new)), choice.into(), &plan, &checkpoint, &mut |_| ()))
    }

    fn limited(limits: DeviceLimits) -> Result<GpuDevice> {
        block_on(async { GpuAdapter::find().await?.open(limits).await })
    }

    /// With `auto` the CPU takes over and tells why; the GPU alone is an error.
    fn falls_back(device: impl Fn() -> Result<GpuDevice>, why: &str) {
        let placed_anyway = placed(device(), BackendChoice::Auto).unwrap();
        assert_eq!(placed_anyway.backend.name(), "cpu");
        assert!(placed_anyway.reason.contains(why), "{}", placed_anyway.reason);
        let error = placed(device(), BackendChoice::Gpu).unwrap_err();
        assert_eq!(error.code, ErrorCode::DeviceLost);
        assert!(error.message.contains(why), "{error}");
    }

    #[test]
    fn a_device_without_fault_is_taken() {
        assert_eq!(placed(limited(DeviceLimits::default()), BackendChoice::Auto).unwrap().backend.name(), "gpu");
    }

    #[test]
    fn a_software_adapter_is_opened_only_when_it_was_chosen() {
        let opened = block_on(trusted(&BackendChoice::Gpu.into())).unwrap();
        match block_on(trusted(&BackendChoice::Auto.into())) {
            Ok(device) => assert!(!device.adapter.software),
            Err(error) => assert!(opened.adapter.software && error.message.contains("is software"), "{error}"),
        }
    }

    #[test]
    fn no_adapter_leaves_the_cpu() {
        falls_back(|| Err(Error::device_lost("there is no adapter")), "there is no adapter");
    }

    #[test]
    fn limits_too_small_for_the_network_leave_the_cpu() {
        falls_back(|| limited(DeviceLimits { max_buffer: Some(1 << 16) }), "bytes");
    }

    #[test]
    fn a_device_that_is_lost_while_loading_leaves_the_cpu() {
        let lost = || {
            let device = limited(DeviceLimits::default())?;
            device.destroy();
            Ok(device)
        };
        falls_back(lost, "lost");
    }
}
