//! What a GPU can do wrong, done to it on purpose: every call ends with an error that says what happened.

use pollster::block_on;
use sklens::backend::{Backend, Constants, Runner};
use sklens::bundled::{DEFAULT_MODEL, weights};
use sklens::cpu::CpuContext;
use sklens::gpu::GpuDevice;
use sklens::graph::{Graph, GraphBuilder, Pool, PoolKind, TensorId};
use sklens::kernels::{Dispatch, Kernel, Lowering, Operand, Packed, Shader};
use sklens::network::preset;
use sklens::plan::{LANES, Plan, PlanOptions, Views};
use sklens::session::{BackendChoice, Session};
use sklens::weights::generated::fill;
use sklens::weights::{Parameters, Source};
use sklens::{Error, ErrorCode, Result};
use std::rc::Rc;

/// `graph` made ready with generated weights.
async fn prepare(backend: &Backend, graph: &Graph) -> Runner {
    Runner::generated(backend, graph, &PlanOptions::batch(1)).await.expect("runner")
}

/// Writes the picture `[1, C, H, W]`.
fn write(runner: &mut Runner, graph: &Graph, picture: &[f32]) {
    let view = runner.plan.views.of(graph.input).clone();
    let mut storage = vec![0.0; runner.plan.storages[view.storage.0].item * LANES];
    view.write_nchw(1, picture, &mut storage);
    runner.write(graph.input, &storage);
}

fn picture(graph: &Graph) -> Vec<f32> {
    fill("input", &graph.tensor(graph.input).shape)
}

fn device() -> Rc<GpuDevice> {
    Rc::new(block_on(GpuDevice::open()).expect("a Vulkan adapter, at least lavapipe"))
}

fn network(side: usize) -> Graph {
    preset("sk_shufflenet_v2_x0_5").expect("preset").graph([side, side], 10).expect("graph")
}

/// Logits of a generated picture.
fn logits(runner: &mut Runner, graph: &Graph) -> Result<Vec<f32>> {
    write(runner, graph, &picture(graph));
    block_on(runner.run())?.tensor(&runner.plan, graph.output)
}

fn assert_lost(error: &Error) {
    assert_eq!(error.code, ErrorCode::DeviceLost, "{error}");
    assert!(error.message.contains("lost"), "{error}");
}

#[test]
fn a_device_lost_between_and_during_runs_is_told_and_a_second_one_gives_the_same() {
    let graph = network(64);
    let (first, second) = (device(), device());
    let mut runner = block_on(prepare(&Backend::Gpu(first.clone()), &graph));
    let before = logits(&mut runner, &graph).expect("logits");

    // The write succeeds or not, the run must tell: the device goes away behind the runner's back.
    write(&mut runner, &graph, &picture(&graph));
    first.destroy();
    assert_lost(&block_on(runner.run()).expect_err("a destroyed device"));
    assert_lost(&logits(&mut runner, &graph).expect_err("still destroyed"));

    // Again while recovering: the replacement is lost before its first run.
    let third = device();
    let mut replacement = block_on(prepare(&Backend::Gpu(third.clone()), &graph));
    third.destroy();
    assert_lost(&logits(&mut replacement, &graph).expect_err("lost while recovering"));

    let mut runner = block_on(prepare(&Backend::Gpu(second), &graph));
    let after = logits(&mut runner, &graph).expect("logits");
    let mut cpu = block_on(prepare(&Backend::Cpu, &graph));
    let on_cpu = logits(&mut cpu, &graph).expect("logits");
    for ((a, b), c) in before.iter().zip(&after).zip(&on_cpu) {
        assert!((a - b).abs() < 1e-3 && (a - c).abs() < 1e-3, "{a}, {b} on a second device, {c} on the CPU");
    }
}

/// A step whose shader, or whose use of it, is wrong.
#[derive(Debug)]
struct Faulty {
    shader: &'static Shader,
    workgroups: u32,
    output: TensorId,
}

impl Kernel for Faulty {
    fn family(&self) -> &'static str {
        "faulty"
    }
    fn inputs(&self) -> Vec<TensorId> {
        Vec::new()
    }
    fn outputs(&self) -> Vec<TensorId> {
        vec![self.output]
    }
    fn rewire(&mut self, _from: TensorId, _to: TensorId) {}
    fn pack(&self, _views: &Views, _parameters: &Parameters) -> Result<Vec<Packed>> {
        Ok(Vec::new())
    }
    fn lower(&self, lowering: &Lowering) -> Vec<Dispatch> {
        let bindings = vec![Operand::Write(lowering.views.of(self.output).storage)];
        vec![Dispatch { shader: self.shader, constants: Vec::new(), bindings, workgroups: [self.workgroups, 1, 1] }]
    }
    fn run(&self, _context: &mut CpuContext) {}
}

/// A plan of nothing but a faulty step.
fn faulty(shader: &'static Shader, workgroups: u32) -> (Graph, Plan) {
    let mut b = GraphBuilder::new([4, 5, 5]);
    let picture = b.picture();
    let output = b.relu("relu", picture);
    let graph = b.finish(output);
    let mut plan = Plan::new(&graph, &PlanOptions::batch(1)).expect("plan");
    plan.steps = vec![Box::new(Faulty { shader, workgroups, output })];
    (graph, plan)
}

const BROKEN: &Shader = &Shader { name: "broken", wgsl: "fn main( { this is not WGSL", entry: "main" };
const GREEDY: &Shader = &Shader {
    name: "greedy",
    wgsl: "@group(0) @binding(0) var<storage, read_write> y: array<vec4f>;
        @compute @workgroup_size(65536) fn main(@builtin(global_invocation_id) id: vec3u) { y[id.x] = vec4f(1); }",
    entry: "main",
};
const SOUND: &Shader = &Shader {
    name: "sound",
    wgsl: "@group(0) @binding(0) var<storage, read_write> y: array<vec4f>;
        @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) { y[id.x % 25] = vec4f(1); }",
    entry: "main",
};

fn runner(device: &Rc<GpuDevice>, plan: Plan) -> Result<Runner> {
    let backend = Backend::Gpu(device.clone());
    let mut constants = Constants::new(&backend);
    for step in &plan.steps {
        constants.push(&backend, step.as_ref(), &plan.views, Vec::new())?;
    }
    block_on(Runner::new(&backend, plan, Rc::new(constants)))
}

#[test]
fn a_shader_that_does_not_compile_or_fit_is_refused_and_the_device_stays_usable() {
    let device = device();
    for shader in [BROKEN, GREEDY] {
        let error = runner(&device, faulty(shader, 1).1).expect_err("refused");
        assert_eq!(error.code, ErrorCode::DeviceLost);
        assert!(error.message.contains("refused the network"), "{error}");
    }
    let mut sound = runner(&device, faulty(SOUND, 1).1).expect("a sound shader");
    block_on(sound.run()).expect("a run");
}

#[test]
fn a_run_that_the_device_refuses_is_an_error_not_a_panic() {
    let device = device();
    let (graph, plan) = faulty(SOUND, 1 << 20);
    let mut runner = runner(&device, plan).expect("the shader itself is sound");
    let error = block_on(runner.run()).expect_err("more workgroups than any dispatch may have");
    assert_eq!(error.code, ErrorCode::DeviceLost);
    assert!(error.message.contains("refused the run"), "{error}");
    let mut sound = block_on(prepare(&Backend::Gpu(device), &network(64)));
    logits(&mut sound, &network(64)).expect("the device works on");
    assert_eq!(graph.tensor(graph.output).shape, [4, 5, 5]);
}

#[test]
fn constants_of_another_backend_or_plan_are_refused() {
    let gpu = Backend::Gpu(device());
    let (_, plan) = faulty(SOUND, 1);
    let mut on_cpu = Constants::new(&Backend::Cpu);
    let mut push = |backend| on_cpu.push(backend, plan.steps[0].as_ref(), &plan.views, Vec::new());
    assert_eq!(push(&gpu).expect_err("refused").code, ErrorCode::BadOption);
    push(&Backend::Cpu).expect("its own backend");
    let error = block_on(Runner::new(&gpu, plan, Rc::new(on_cpu))).expect_err("refused");
    assert!(error.message.contains("gpu"), "{error}");
    let none = Rc::new(Constants::new(&gpu));
    let error = block_on(Runner::new(&gpu, faulty(SOUND, 1).1, none)).expect_err("refused");
    assert!(error.message.contains("0 steps"), "{error}");
}

#[test]
fn pipelines_of_many_input_sizes_do_not_pile_up() {
    let device = device();
    let backend = Backend::Gpu(device.clone());
    let mut most = 0;
    for side in (64..=256).step_by(32) {
        drop(block_on(prepare(&backend, &network(side))));
        most = most.max(device.pipeline_count());
    }
    assert!((100..=256).contains(&most), "{most} pipelines are kept");
}

#[test]
fn not_a_number_survives_the_cpus_max_pooling() {
    let mut b = GraphBuilder::new([1, 4, 4]);
    let picture = b.picture();
    let pool = Pool { kind: PoolKind::Max, kernel: 2, stride: 2, padding: 0, ceil_mode: false };
    let output = b.pool("pool", picture, pool).expect("pool");
    let graph = b.finish(output);
    for at in [0, 1, 4, 5] {
        let mut runner = block_on(prepare(&Backend::Cpu, &graph));
        let mut input = fill("input", &[1, 1, 4, 4]);
        input[at] = f32::NAN;
        write(&mut runner, &graph, &input);
        let pooled = block_on(runner.run()).expect("run").tensor(&runner.plan, graph.output).expect("tensor");
        assert!(pooled[0].is_nan() && pooled[1..].iter().all(|v| v.is_finite()), "{at}: {pooled:?}");
    }
}

#[test]
fn graphs_that_make_no_sense_are_refused() {
    let mut b = GraphBuilder::new([4, 1, 1]);
    let x = b.picture();
    assert!(b.concat("concat", &[]).is_err());
    assert!(b.slice("slice", x, usize::MAX, 2).is_err());
    let overrides = b.input("override", [8, 1, 1]);
    assert!(b.override_attention("of no softmax", x, overrides, 2).is_err());
    let softmax = b.branch_softmax("softmax", x, 2).expect("softmax");
    assert!(b.override_attention("other branches", softmax, overrides, 4).is_err());
    b.override_attention("attention", softmax, overrides, 2).expect("override");
    assert!(b.override_attention("second", softmax, overrides, 2).is_err());
}

#[test]
fn a_zero_constant_or_extreme_picture_gives_finite_results_alike_on_both_backends() {
    let source = || Source::Static(weights(DEFAULT_MODEL).expect("bundled weights"));
    let open = |choice| block_on(Session::open(DEFAULT_MODEL, source(), choice, |_| ())).expect("session");
    let (mut gpu, mut cpu) = (open(BackendChoice::Gpu), open(BackendChoice::Cpu));
    let side = 64;
    let noisy: Vec<f32> = fill("input", &[1, 3, side, side]);
    for (name, input) in [
        ("zero", vec![0.0; 3 * side * side]),
        ("constant", vec![1.0; 3 * side * side]),
        ("denormal", noisy.iter().map(|v| v * 1e-40).collect()),
        ("large", noisy.iter().map(|v| v * 1e3).collect()),
        ("one bright pixel", (0..3 * side * side).map(|i| if i == 777 { 100.0 } else { 0.0 }).collect()),
    ] {
        let run = |session: &mut Session| {
            block_on(session.analyze_tensor(&input, [1, 3, side, side])).expect("analysis").remove(0)
        };
        let (a, b) = (run(&mut gpu), run(&mut cpu));
        let scale = b.logits.iter().fold(1.0_f32, |largest, v| largest.max(v.abs()));
        let difference = a.logits.iter().zip(&b.logits).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(difference / scale < 1e-3, "{name}: {difference} of {scale}");
        assert!(b.units.iter().all(|u| u.attention.iter().all(|v| v.is_finite())), "{name}");
    }
}
