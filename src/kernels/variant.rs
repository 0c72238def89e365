//! The ways in which a convolution shader's work can be shared among threads, and which of them is taken: by adapter and
//! shape, or by what a measurement chose.

use super::{Lowering, Shader};
use crate::plan::View;
use std::fmt::{self, Display};

/// What of an adapter decides; everything as WebGPU guarantees it by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdapterFacts {
    /// Whether a CPU computes. There, threads run one after the other and barriers are dear.
    pub software: bool,
    /// Whether it is the GPU of a phone or tablet, which has few registers for each thread.
    pub mobile: bool,
}

impl Default for AdapterFacts {
    fn default() -> Self {
        Self { software: true, mobile: false }
    }
}

impl AdapterFacts {
    /// What the name of an adapter tells, besides whether it is software.
    pub fn new(name: &str, software: bool) -> Self {
        let name = name.to_ascii_lowercase();
        let mobile = ["mali", "adreno", "powervr", "immortalis", "videocore", "qualcomm", "arm "];
        Self { software, mobile: mobile.iter().any(|part| name.starts_with(part) || name.contains(part)) }
    }
}

/// A convolution as a product of matrices: what the times of its variants depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shape {
    /// Name of the shader that computes it directly.
    pub shader: &'static str,
    /// Input quads of an output, those of every tap.
    pub x_quads: usize,
    /// Output quads.
    pub y_quads: usize,
    /// Output positions.
    pub positions: usize,
    /// Batch items.
    pub batch: usize,
    /// Which variants know it.
    pub kind: Kind,
}

/// How the outputs of a position share its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Quads of y read different quads of x.
    Grouped,
    /// All quads of y read the same, so that a thread may compute several.
    Dense,
    /// A product of two matrices as they lie in memory, so that workgroups may copy or share parts of them.
    Matrix,
}

impl Shape {
    /// The shape of a direct convolution from `x_quads` input quads to `y`.
    pub(super) fn new(kind: Kind, shader: &Shader, x_quads: usize, y: &View, lowering: &Lowering) -> Self {
        let (y_quads, positions) = (y.quads(), y.positions());
        Self { shader: shader.name, x_quads, y_quads, positions, batch: lowering.batch, kind }
    }

    /// What is taken without a measurement.
    pub fn default_for(&self, adapter: AdapterFacts) -> Variant {
        // Not measured on any hardware: from what others report of matrix products on WebGPU.
        if self.kind == Kind::Matrix && !adapter.software && !adapter.mobile {
            if self.staged_workgroups() >= Self::BUSY && self.x_quads >= Self::DEEP {
                return Variant::Staged;
            }
            if self.direct_threads() < Tiling::concurrent(adapter) && self.x_quads >= Self::SPLIT {
                return Variant::Split;
            }
        }
        Variant::Direct(Tiling::of(self, adapter))
    }

    /// All that may be taken, each once.
    pub fn candidates(&self) -> Vec<Variant> {
        let mut all = Vec::new();
        for pixels in Tiling::PIXELS.into_iter().filter(|&pixels| pixels < 2 * self.positions) {
            // Several quads to a thread spare loads only together with several pixels.
            for columns in self.columns().filter(|&columns| columns == 1 || pixels >= 4) {
                let block = Tiling::block(self.y_quads, columns);
                let others = [16, 4].into_iter().filter(|&b| columns == 1 && !Tiling::is_wasteful(b, self.y_quads));
                all.extend(others.chain([block]).map(|block| Variant::Direct(Tiling { pixels, columns, block })));
            }
        }
        if self.kind == Kind::Matrix {
            all.extend([Variant::Staged, Variant::Split]);
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Quads that a thread may compute.
    fn columns(&self) -> impl Iterator<Item = usize> + use<> {
        let most = if self.kind == Kind::Grouped { 1 } else { self.y_quads };
        Tiling::COLUMNS.into_iter().filter(move |&columns| columns <= most)
    }

    /// Workgroups from which on a large tile occupies a GPU.
    const BUSY: usize = 16;
    /// Input quads from which on a tile in workgroup memory is read often enough.
    const DEEP: usize = 8;
    /// Input quads from which on a share of them is worth a thread.
    const SPLIT: usize = 64;

    fn staged_workgroups(&self) -> usize {
        self.positions.div_ceil(STAGED_POSITIONS) * self.y_quads.div_ceil(STAGED_QUADS) * self.batch
    }
    fn direct_threads(&self) -> usize {
        self.positions.div_ceil(SPLIT_POSITIONS) * self.y_quads * self.batch
    }
}

impl Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { shader, x_quads, y_quads, positions, batch, kind } = self;
        let kind = ["grouped", "dense", "matrix"][*kind as usize];
        write!(f, "{shader} {kind} {x_quads} {y_quads} {positions} {batch}")
    }
}

/// Output positions and quads of a workgroup of [`Variant::Staged`].
pub(super) const STAGED_POSITIONS: usize = 64;
pub(super) const STAGED_QUADS: usize = 16;
/// Output positions and quads of a workgroup of [`Variant::Split`].
pub(super) const SPLIT_POSITIONS: usize = 8;
pub(super) const SPLIT_QUADS: usize = 8;

/// How the threads of a convolution shader share the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Variant {
    /// Each thread reads what it needs for itself.
    Direct(Tiling),
    /// A workgroup copies blocks of both matrices to its memory, for 64 positions of 64 channels.
    Staged,
    /// The threads of a workgroup share the input channels of 8 positions of 32 channels.
    Split,
}

impl Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Direct(tiling) => tiling.fmt(f),
            Self::Staged => f.write_str("staged"),
            Self::Split => f.write_str("split"),
        }
    }
}

impl std::str::FromStr for Variant {
    type Err = ();

    /// Reads what `Display` writes.
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "staged" => Ok(Self::Staged),
            "split" => Ok(Self::Split),
            _ => {
                let numbers: Vec<_> = text.split('x').flat_map(str::parse).collect();
                let [pixels, columns, block] = numbers[..] else { return Err(()) };
                Ok(Self::Direct(Tiling { pixels, columns, block }))
            }
        }
    }
}

/// Each thread computes `columns` quads, `block` apart, of `pixels` successive positions; a workgroup of
/// `Tiling::THREADS` covers `block · columns` successive quads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tiling {
    /// Positions of a thread: one of 8, 4, 2 and 1.
    pub pixels: usize,
    /// Quads of a thread: one of 1, 2 and 4.
    pub columns: usize,
    /// Threads of a workgroup side by side: a power of two up to `Tiling::THREADS`.
    pub block: usize,
}

impl Tiling {
    /// Threads in a workgroup.
    pub(super) const THREADS: usize = 64;
    /// What the shaders know.
    const PIXELS: [usize; 4] = [8, 4, 2, 1];
    const COLUMNS: [usize; 3] = [1, 2, 4];

    /// The tiling for `shape`. Per quad of inputs, a thread loads one quad of each pixel and four quads of weights for each
    /// column, and does four multiply-adds for each pixel of a column. A load counts as two multiply-adds on a GPU and as
    /// four on SwiftShader, where what does not fit into registers costs little.
    fn of(shape: &Shape, adapter: AdapterFacts) -> Self {
        let (load, sums) = match adapter {
            AdapterFacts { software: true, .. } => (4, 32),
            AdapterFacts { mobile: true, .. } => (2, 4),
            _ => (2, 8),
        };
        // Several quads to a thread were not measured on any hardware; there the tuner may take them.
        let is_likely = |&[pixels, columns]: &[usize; 2]| columns == 1 || adapter.software && pixels >= 4;
        let cost = |&[pixels, columns]: &[usize; 2]| {
            let quads = shape.y_quads.next_multiple_of(Self::block(shape.y_quads, columns) * columns);
            let threads = shape.positions.div_ceil(pixels) * quads / columns;
            (load * (4 * columns + pixels) + 4 * pixels * columns) * threads.max(Self::concurrent(adapter))
        };
        let tiles = Self::PIXELS.into_iter().flat_map(|pixels| shape.columns().map(move |columns| [pixels, columns]));
        let tiles = tiles.filter(|tile| tile[0] * tile[1] <= sums && is_likely(tile));
        let [pixels, columns] = tiles.min_by_key(cost).unwrap_or([1, 1]);
        Self { pixels, columns, block: Self::block(shape.y_quads, columns) }
    }
    /// Threads that run at once, on a small GPU at least; with fewer, smaller tiles are faster although they load more.
    fn concurrent(adapter: AdapterFacts) -> usize {
        if adapter.software { 64 } else { 1024 }
    }
    /// The largest block that wastes little.
    fn block(quads: usize, columns: usize) -> usize {
        [8, 4, 2].into_iter().find(|&block| !Self::is_wasteful(block * columns, quads)).unwrap_or(1)
    }
    /// Whether groups of `block` quads would leave more than an eighth of the threads without work.
    fn is_wasteful(block: usize, quads: usize) -> bool {
        quads.next_multiple_of(block) * 8 > quads * 9
    }
    /// `override` constants that every direct convolution shader declares.
    pub(super) fn constants(self) -> Vec<(&'static str, f64)> {
        let mut constants = vec![("PIXELS", self.pixels as f64), ("BLOCK", self.block as f64)];
        // The shader of depthwise convolutions has no others.
        if self.columns > 1 {
            constants.push(("COLUMNS", self.columns as f64));
        }
        constants
    }
    /// The grid: x over blocks of quads, y over groups of tiles, z over batch items.
    pub(super) fn workgroups(self, y: &View, lowering: &Lowering) -> [u32; 3] {
        let tiles = y.positions().div_ceil(self.pixels);
        let x = y.quads().div_ceil(self.block * self.columns);
        [x as u32, tiles.div_ceil(Self::THREADS / self.block) as u32, lowering.batch as u32]
    }
}

impl Display for Tiling {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}x{}x{}", self.pixels, self.columns, self.block)
    }
}

/// Which variant is taken for which shape.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choices {
    /// The adapter, for what was not measured.
    pub adapter: AdapterFacts,
    /// What a measurement chose, by [`Shape`] in words.
    pub tuned: Vec<(String, Variant)>,
}

impl Choices {
    /// The variant for `shape`. A stored choice that its shaders do not know counts as none.
    pub fn of(&self, shape: &Shape) -> Variant {
        let words = if self.tuned.is_empty() { String::new() } else { shape.to_string() };
        let tuned = self.tuned.iter().find(|(tuned, _)| *tuned == words).map(|&(_, variant)| variant);
        tuned.filter(|&variant| shape.knows(variant)).unwrap_or_else(|| shape.default_for(self.adapter))
    }
    /// These and, for shapes among `shapes` that nothing was measured for, the candidate of number `index`, where there are so
    /// many.
    pub fn with_candidate<'a>(&self, index: usize, shapes: impl IntoIterator<Item = &'a Shape>) -> Self {
        let mut all = self.clone();
        for shape in shapes {
            let name = shape.to_string();
            if let Some(&candidate) = shape.candidates().get(index)
                && !all.tuned.iter().any(|(tuned, _)| *tuned == name)
            {
                all.tuned.push((name, candidate));
            }
        }
        all
    }
    /// The tiling for a shape that is always computed directly.
    pub(super) fn tiling(&self, shape: &Shape) -> Tiling {
        match self.of(shape) {
            Variant::Direct(tiling) => tiling,
            // Only matrices have others.
            Variant::Staged | Variant::Split => Tiling::of(shape, self.adapter),
        }
    }
}

impl Shape {
    fn knows(&self, variant: Variant) -> bool {
        match variant {
            Variant::Direct(Tiling { pixels, columns, block }) => {
                Tiling::PIXELS.contains(&pixels)
                    && (columns == 1 || self.kind != Kind::Grouped && Tiling::COLUMNS.contains(&columns))
                    && block.is_power_of_two()
                    && block <= Tiling::THREADS
            }
            Variant::Staged | Variant::Split => self.kind == Kind::Matrix,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOFTWARE: AdapterFacts = AdapterFacts { software: true, mobile: false };
    const DESKTOP: AdapterFacts = AdapterFacts { software: false, mobile: false };
    const PHONE: AdapterFacts = AdapterFacts { software: false, mobile: true };

    fn pointwise(x_quads: usize, y_quads: usize, positions: usize) -> Shape {
        Shape { shader: "pointwise", x_quads, y_quads, positions, batch: 1, kind: Kind::Matrix }
    }

    #[test]
    fn tiles_are_large_where_there_is_much_to_do() {
        let tiling = |y_quads, positions, adapter| Tiling::of(&pointwise(16, y_quads, positions), adapter).to_string();
        assert_eq!(tiling(64, 56 * 56, DESKTOP), "8x1x8");
        assert_eq!(tiling(64, 56 * 56, PHONE), "4x1x8");
        assert_eq!(tiling(64, 56 * 56, SOFTWARE), "8x4x8");
        assert_eq!(tiling(16, 112 * 112, SOFTWARE), "8x4x4");
        assert_eq!(tiling(250, 1, DESKTOP), "1x1x8");
        // 25 tiles of 2 keep more threads busy than 7 tiles of 8, which matters where many run at once.
        assert_eq!([DESKTOP, SOFTWARE].map(|adapter| tiling(64, 49, adapter)), ["2x1x8", "8x4x8"]);
        assert_eq!(tiling(512, 49, DESKTOP), "8x1x8");
        let grouped = Shape { kind: Kind::Grouped, ..pointwise(4, 64, 784) };
        assert_eq!(Tiling::of(&grouped, SOFTWARE).to_string(), "8x1x8");
    }

    #[test]
    fn blocks_of_quads_waste_at_most_an_eighth() {
        for quads in 1..300_usize {
            let block = Tiling::block(quads, 1);
            assert!(Tiling::THREADS.is_multiple_of(block));
            assert!(quads.next_multiple_of(block) * 8 <= quads * 9, "{quads} in blocks of {block}");
        }
        assert_eq!([1, 3, 6, 15, 29, 58].map(|quads| Tiling::block(quads, 1)), [1, 1, 2, 8, 8, 8]);
    }

    #[test]
    fn the_default_follows_adapter_and_shape() {
        let [large, deep, small] = [pointwise(64, 64, 784), pointwise(512, 32, 49), pointwise(2, 64, 784)];
        assert_eq!(large.default_for(DESKTOP), Variant::Staged);
        assert_eq!(deep.default_for(DESKTOP), Variant::Split);
        for shape in [large, deep, small] {
            assert!(matches!(shape.default_for(SOFTWARE), Variant::Direct(_)), "{shape}");
            assert!(
                matches!(shape.default_for(PHONE), Variant::Direct(Tiling { pixels: ..=4, columns: 1, .. })),
                "{shape}"
            );
        }
        assert!(matches!(small.default_for(DESKTOP), Variant::Direct(_)));
        assert!(matches!(Shape { kind: Kind::Dense, ..large }.default_for(DESKTOP), Variant::Direct(_)));
    }

    #[test]
    fn names_tell_phones() {
        let mobile = |name| AdapterFacts::new(name, false).mobile;
        assert!(["Mali-G78", "Adreno (TM) 740", "qualcomm adreno-7xx", "PowerVR B-Series"].into_iter().all(mobile));
        assert!(!["NVIDIA GeForce RTX 3060", "apple metal-3", "intel gen-12lp", "AMD Radeon"].into_iter().any(mobile));
    }

    #[test]
    fn candidates_are_distinct_and_readable_and_hold_the_default() {
        for shape in [pointwise(64, 64, 784), pointwise(1, 1, 1), pointwise(512, 250, 2), pointwise(7, 29, 9)] {
            for shape in [Kind::Matrix, Kind::Dense, Kind::Grouped].map(|kind| Shape { kind, ..shape }) {
                let candidates = shape.candidates();
                for adapter in [SOFTWARE, DESKTOP, PHONE] {
                    let default = shape.default_for(adapter);
                    assert!(candidates.contains(&default), "{shape} lacks {default}: {candidates:?}");
                }
                for (index, candidate) in candidates.iter().enumerate() {
                    assert!(!candidates[..index].contains(candidate) && shape.knows(*candidate));
                    assert_eq!(candidate.to_string().parse(), Ok(*candidate));
                }
            }
        }
        assert!(
            ["", "x", "8", "staged8", "8x8", "8x1x8x8", "-1x1x8"].iter().all(|text| text.parse::<Variant>().is_err())
        );
    }

    #[test]
    fn a_stored_choice_is_taken_unless_it_is_unknown() {
        let shape = pointwise(64, 64, 784);
        let chosen = |variant: &str| Choices {
            tuned: vec![(shape.to_string(), variant.parse().unwrap())],
            ..Choices::default()
        };
        assert_eq!(chosen("2x1x16").of(&shape), Variant::Direct(Tiling { pixels: 2, columns: 1, block: 16 }));
        assert_eq!(chosen("staged").of(&shape), Variant::Staged);
        let untuned = Choices::default().of(&shape);
        for unknown in ["3x1x8", "8x3x8", "8x1x128", "8x1x7", "8x1x0"] {
            assert_eq!(chosen(unknown).of(&shape), untuned, "{unknown}");
        }
        assert_eq!(chosen("staged").of(&Shape { batch: 2, ..shape }), untuned);
        assert_eq!(chosen("staged").with_candidate(1, [&shape]).of(&shape), Variant::Staged);
        assert_eq!(Choices::default().with_candidate(1, [&shape]).of(&shape), shape.candidates()[1]);
    }
}
