//! Which taps of a convolution window fall inside the input.

use crate::graph::Conv2d;
use std::ops::Range;

/// The taps, along one direction, of output coordinate `at` that fall inside an input of `size`.
pub fn taps(conv: &Conv2d, at: usize, size: usize) -> Range<usize> {
    let start = at * conv.stride;
    let first = conv.padding.saturating_sub(start).div_ceil(conv.dilation);
    let end = (size + conv.padding).saturating_sub(start).div_ceil(conv.dilation).min(conv.kernel);
    first.min(end)..end
}

/// Input coordinate of `tap` of output coordinate `at`; for a tap inside the input.
pub fn input(conv: &Conv2d, at: usize, tap: usize) -> usize {
    at * conv.stride + tap * conv.dilation - conv.padding
}

/// The output coordinates, along one direction, whose every tap falls inside an input of `size`.
pub fn interior(conv: &Conv2d, size: usize) -> Range<usize> {
    let first = conv.padding.div_ceil(conv.stride);
    let end = match (size + conv.padding).checked_sub(conv.effective_kernel()) {
        Some(last) => last / conv.stride + 1,
        None => 0,
    };
    first.min(end)..end.min(conv.output_size(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_counting() {
        let mut checked = 0;
        for (kernel, stride, padding, dilation) in (0..400).map(|i| (1 + i % 5, 1 + i / 5 % 4, i / 20 % 5, 1 + i / 100))
        {
            let conv = Conv2d {
                weight: String::new(),
                bias: None,
                in_channels: 1,
                out_channels: 1,
                kernel,
                stride,
                padding,
                dilation,
                groups: 1,
            };
            for size in (1..12).filter(|s| s + 2 * padding >= conv.effective_kernel()) {
                let inside = |at: usize, tap: usize| {
                    let i = (at * stride + tap * dilation) as isize - padding as isize;
                    (0..size as isize).contains(&i).then_some(i as usize)
                };
                let out = conv.output_size(size);
                for at in 0..out {
                    let expected: Vec<_> = (0..kernel).filter(|&t| inside(at, t).is_some()).collect();
                    assert_eq!(taps(&conv, at, size).collect::<Vec<_>>(), expected, "{conv:?} {size} {at}");
                    for tap in expected {
                        assert_eq!(Some(input(&conv, at, tap)), inside(at, tap));
                    }
                }
                let expected: Vec<_> = (0..out).filter(|&at| (0..kernel).all(|t| inside(at, t).is_some())).collect();
                assert_eq!(interior(&conv, size).collect::<Vec<_>>(), expected, "{conv:?} {size}");
                checked += 1;
            }
        }
        assert!(checked > 1000);
    }
}
