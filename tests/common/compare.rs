//! Comparing with the reference.

/// Compares to `1e-4` of the largest magnitude.
pub fn compare(name: &str, found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{name}: length");
    let scale = expected.iter().fold(1e-3_f64, |m, v| m.max(v.abs()));
    let worst =
        found.iter().zip(expected).map(|(&a, &b)| if a.is_finite() { (f64::from(a) - b).abs() } else { f64::INFINITY });
    let (at, worst) = worst.enumerate().fold((0, 0.0), |m, (i, d)| if d > m.1 { (i, d) } else { m });
    assert!(
        worst <= 1e-4 * scale,
        "{name}: element {at} is {} and should be {} (largest magnitude {scale})",
        found[at],
        expected[at]
    );
}
