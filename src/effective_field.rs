//! The effective receptive field: how much each pixel of the input moves a unit's output at one place.

use crate::graph::{FieldSizes, Graph, PixelBox, ReceptiveField, SkUnit, TensorId};
use crate::{Error, Result};
use serde::Serialize;

/// Shares of a map's sum for which squares are given.
pub const SHARES: [f64; 3] = [0.5, 0.9, 0.99];

/// A square around a pixel, cut at the input's edges.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EnergySquare {
    /// Share of the map's sum that it holds at least.
    pub share: f64,
    /// Side in pixels, odd, before cutting.
    pub side: usize,
    /// The square in pixels of the input.
    pub bounds: PixelBox,
}

/// The receptive field of a unit's output at one place, in pixels of the network's input: the crop, not the photo.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EffectiveField {
    /// The unit.
    pub unit: String,
    /// The pixel at the place, `[x, y]`.
    pub pixel: [usize; 2],
    /// The position of the unit's output whose theoretical field is centred nearest to it, `[x, y]`.
    pub cell: [usize; 2],
    /// What that position can see with its attention given, as if the picture went on beyond its edges.
    pub theoretical: PixelBox,
    /// The smallest box around the pixels that exist and can act on it; none if there are none.
    pub theoretical_inside: Option<PixelBox>,
    /// Widths of the theoretical field, and of the one weighted with this picture's attention.
    pub sizes: FieldSizes,
    /// `[height, width]` of the map.
    pub shape: [usize; 2],
    /// Σ over colours of |∂ (Σ over channels of the unit's output at the cell) / ∂ input|, row-major.
    pub map: Vec<f32>,
    /// The smallest squares around the pixel that hold [`SHARES`] of the map's sum; empty if the map is 0.
    pub squares: Vec<EnergySquare>,
    /// Duration of the call that made it.
    pub milliseconds: f64,
}

impl EffectiveField {
    /// The field of `unit` at `pixel` and `cell` for the gradient `[3, H, W]` of shape `[H, W]`.
    pub(crate) fn new(
        unit: &SkUnit,
        [pixel, cell]: [[usize; 2]; 2],
        field: ReceptiveField,
        sizes: FieldSizes,
        shape: [usize; 2],
        gradient: &[f32],
    ) -> Self {
        let map = magnitude(gradient);
        let squares = energy_squares(&map, shape, pixel, &SHARES);
        let (theoretical, theoretical_inside) = (field.full, field.clipped);
        let unit = unit.name.clone();
        Self { unit, pixel, cell, theoretical, theoretical_inside, sizes, shape, map, squares, milliseconds: 0.0 }
    }
}

/// The mean of fields of one unit, place and input size: of maps, expected sizes and durations.
#[derive(Clone, Debug, Default)]
pub struct FieldMean {
    first: Option<EffectiveField>,
    map: Vec<f64>,
    expected: f64,
    milliseconds: f64,
    count: usize,
}

impl FieldMean {
    /// Counts `field` in.
    ///
    /// # Errors
    /// `bad-option` if it differs in unit, place or size from those before; it does not count then.
    pub fn add(&mut self, field: EffectiveField) -> Result<()> {
        if self.map.is_empty() {
            self.map = vec![0.0; field.map.len()];
        }
        let first = self.first.get_or_insert_with(|| field.clone());
        if (&field.unit, field.shape, field.pixel) != (&first.unit, first.shape, first.pixel) {
            return Err(Error::bad_option(format!(
                "a field of {} at pixel {:?} of {:?} cannot be averaged with one of {} at pixel {:?} of {:?}",
                field.unit, field.pixel, field.shape, first.unit, first.pixel, first.shape
            )));
        }
        self.map.iter_mut().zip(&field.map).for_each(|(sum, &value)| *sum += f64::from(value));
        self.expected += field.sizes.expected;
        self.milliseconds += field.milliseconds;
        self.count += 1;
        Ok(())
    }

    /// How many fields count.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The mean; none of none.
    pub fn field(&self) -> Option<EffectiveField> {
        let first = self.first.as_ref()?;
        let count = self.count as f64;
        let map: Vec<f32> = self.map.iter().map(|sum| (sum / count) as f32).collect();
        Some(EffectiveField {
            sizes: FieldSizes { expected: self.expected / count, ..first.sizes },
            squares: energy_squares(&map, first.shape, first.pixel, &SHARES),
            milliseconds: self.milliseconds / count,
            map,
            ..first.clone()
        })
    }
}

/// Σ over colours of the magnitude of a gradient `[3, H, W]`.
fn magnitude(gradient: &[f32]) -> Vec<f32> {
    let positions = gradient.len() / 3;
    (0..positions).map(|p| (0..3).map(|c| gradient[c * positions + p].abs()).sum()).collect()
}

/// The smallest squares centred on the pixel `[x, y]` that hold each of `shares` of the sum of `map`, `[height, width]`;
/// none if the sum is 0.
pub fn energy_squares(map: &[f32], shape: [usize; 2], pixel: [usize; 2], shares: &[f64]) -> Vec<EnergySquare> {
    let [height, width] = shape;
    // Sums over the rings of pixels at equal distance along the farther axis.
    let mut rings = vec![0.0_f64; height.max(width)];
    for (p, &value) in map.iter().enumerate() {
        rings[(p % width).abs_diff(pixel[0]).max((p / width).abs_diff(pixel[1]))] += f64::from(value);
    }
    let total: f64 = rings.iter().sum();
    if total.is_nan() || total <= 0.0 {
        return Vec::new();
    }
    let square = |&share: &f64| {
        let mut sum = 0.0;
        // Rounding must not ask for more than there is.
        let holds = |ring: &f64| {
            sum += ring;
            sum >= share * total * (1.0 - 1e-12)
        };
        let radius = rings.iter().position(holds).unwrap_or(rings.len() - 1);
        let span = |at: usize, size: usize| (at.saturating_sub(radius) as i64, (at + radius + 1).min(size) as i64);
        let ((x0, x1), (y0, y1)) = (span(pixel[0], width), span(pixel[1], height));
        EnergySquare { share, side: 2 * radius + 1, bounds: PixelBox { x0, y0, x1, y1 } }
    };
    shares.iter().map(square).collect()
}

/// The position `[x, y]` of `tensor` whose receptive field is centred nearest to the point `at` of the input, in pixels
/// from its corner.
pub(crate) fn nearest_cell(graph: &Graph, tensor: TensorId, at: [f64; 2]) -> [usize; 2] {
    let [_, height, width] = graph.tensor(tensor).shape;
    let middle = |cell: usize| {
        let PixelBox { x0, y0, x1, y1 } = graph.full_field(tensor, [cell, cell]);
        [(x0 + x1) as f64 / 2.0, (y0 + y1) as f64 / 2.0]
    };
    // As if feature maps never ended, all cells are evenly spaced.
    let (first, second) = (middle(0), middle(1));
    let along = |axis: usize, count: usize| {
        let cell = (at[axis] - first[axis]) / (second[axis] - first[axis]);
        cell.round().clamp(0.0, (count - 1) as f64) as usize
    };
    [along(0, width), along(1, height)]
}

/// The unit called `name`, with its index.
///
/// # Errors
/// `bad-option` that names the units that there are.
pub(crate) fn unit_called<'g>(graph: &'g Graph, name: &str) -> Result<(usize, &'g SkUnit)> {
    graph.units.iter().enumerate().find(|(_, unit)| unit.name == name).ok_or_else(|| {
        let names: Vec<_> = graph.units.iter().map(|u| u.name.as_str()).collect();
        let names = if names.is_empty() { "none".into() } else { names.join(", ") };
        Error::bad_option(format!("the network has no SK unit {name:?}; it has {names}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::preset;

    #[test]
    fn squares_are_the_smallest_that_hold_their_share() {
        let mut map = vec![0.0; 7 * 9];
        map[2 * 9 + 3] = 0.6;
        map[2 * 9 + 4] = 0.3;
        map[6 * 9 + 8] = 0.1;
        let squares = energy_squares(&map, [7, 9], [3, 2], &[0.5, 0.9, 1.0]);
        assert_eq!(squares.iter().map(|s| s.side).collect::<Vec<_>>(), [1, 3, 11]);
        assert_eq!(squares[1].bounds, PixelBox { x0: 2, y0: 1, x1: 5, y1: 4 });
        assert_eq!(squares[2].bounds, PixelBox { x0: 0, y0: 0, x1: 9, y1: 7 });
        assert!(energy_squares(&[0.0; 4], [2, 2], [0, 0], &SHARES).is_empty());
    }

    #[test]
    fn cells_are_centred_where_their_fields_are() {
        let graph = preset("sknet50").unwrap().graph([224, 224], 10).unwrap();
        let unit = &graph.units[0];
        for cell in [[0, 0], [7, 30], [55, 55]] {
            let at = cell.map(|c: usize| c as f64 * 4.0 + 0.5);
            assert_eq!(nearest_cell(&graph, unit.output, at), cell);
            assert_eq!(nearest_cell(&graph, unit.output, at.map(|v| v + 1.9)), cell);
        }
        assert_eq!(nearest_cell(&graph, unit.output, [223.9, 223.9]), [55, 55]);
        assert!(unit_called(&graph, "SK_9_9").unwrap_err().message.contains("SK_5_3"));
    }

    #[test]
    fn means_are_of_one_place() {
        let graph = preset("sknet50").unwrap().graph([64, 64], 10).unwrap();
        let unit = &graph.units[0];
        let field = |pixel: [usize; 2], value: f32, expected: f64| {
            let seen = graph.receptive_field(unit.output, [3, 3]).unwrap();
            let sizes = FieldSizes { smallest: 19.0, largest: 27.0, expected };
            let mut gradient = vec![0.0; 3 * 4];
            gradient[..3].fill(value);
            EffectiveField::new(unit, [pixel, [3, 3]], seen, sizes, [2, 2], &gradient)
        };
        let mut mean = FieldMean::default();
        assert!(mean.field().is_none());
        mean.add(field([0, 0], 1.0, 20.0)).unwrap();
        mean.add(field([0, 0], -2.0, 22.0)).unwrap();
        assert!(mean.add(field([1, 0], 5.0, 20.0)).is_err());
        let found = mean.field().unwrap();
        assert_eq!((mean.count(), found.sizes.expected), (2, 21.0));
        assert_eq!(found.map, [1.5, 1.5, 1.5, 0.0]);
        assert_eq!(found.squares.iter().map(|s| s.side).collect::<Vec<_>>(), [3, 3, 3]);
    }
}
