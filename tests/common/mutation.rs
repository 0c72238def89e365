//! Files damaged in ways that readers stumble over, the same ones in every run.

use fastrand::Rng;

/// Values at which lengths, counts and offsets go wrong.
const EDGES: [u64; 14] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fff0,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0xffff_ffff_ffff_fff0,
    u64::MAX,
];

/// `seed` after one to four changes; `others` lend parts.
pub fn mutated(seed: &[u8], others: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..rng.usize(1..=4) {
        change(&mut bytes, others, rng);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, others: &[Vec<u8>], rng: &mut Rng) {
    if bytes.is_empty() {
        return bytes.push(rng.u8(..));
    }
    let at = place(bytes.len(), rng);
    let end = (at + rng.usize(1..=64)).min(bytes.len());
    match rng.usize(..8) {
        0 => bytes[at] ^= 1 << rng.u32(..8),
        1 => bytes[at] = rng.u8(..),
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(at..end)),
        4 => {
            let part = bytes[at..end].to_vec();
            let to = place(bytes.len(), rng);
            bytes.splice(to..to, part);
        }
        5 => {
            let other = rng.choice(others).map_or(&[][..], Vec::as_slice);
            let from = rng.usize(..=other.len());
            let part = &other[from..(from + rng.usize(1..=256)).min(other.len())];
            bytes.splice(at..end, part.iter().copied());
        }
        6 => number(&mut bytes[at..], edge(rng), rng),
        // A number that is there, a little more or less.
        _ => {
            let mut old = [0; 8];
            let width = bytes[at..].len().min(8);
            old[..width].copy_from_slice(&bytes[at..][..width]);
            let value = u64::from_le_bytes(old).wrapping_add(rng.u64(..9)).wrapping_sub(4);
            number(&mut bytes[at..], value, rng);
        }
    }
}

/// Anywhere, but every other time in the first or last kilobyte, where headers and directories are.
fn place(length: usize, rng: &mut Rng) -> usize {
    let near = length.min(1024);
    match rng.usize(..4) {
        0 => rng.usize(..near),
        1 => length - 1 - rng.usize(..near),
        _ => rng.usize(..length),
    }
}

fn edge(rng: &mut Rng) -> u64 {
    rng.choice(EDGES).unwrap_or_default()
}

/// Writes `value` little-endian in one, two, four or eight bytes, or in digits.
fn number(bytes: &mut [u8], value: u64, rng: &mut Rng) {
    let (raw, digits) = (value.to_le_bytes(), value.to_string());
    let written = match rng.usize(..5) {
        4 => digits.as_bytes(),
        width => &raw[..1 << width],
    };
    let count = written.len().min(bytes.len());
    bytes[..count].copy_from_slice(&written[..count]);
}
