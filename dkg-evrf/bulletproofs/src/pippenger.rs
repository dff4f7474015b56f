//! Multi-scalar multiplication by buckets, in variable time, for secp256k1, whose library has none.
//!
//! Scalars are cut into signed windows; a window's points are added into one bucket for each absolute digit, and the buckets into the
//! window's sum by running sums.

use k256::ProjectivePoint;

const SCALAR_BITS: usize = 256;

/// `Σ scalars[i] · points[i]`, with scalars in little-endian bytes.
pub(crate) fn vartime_multiscalar_mul(scalars: &[[u8; 32]], points: &[ProjectivePoint]) -> ProjectivePoint {
    let width = window_width(points.len());
    let windows = SCALAR_BITS.div_ceil(width) + 1;
    let digits = scalars.iter().map(|scalar| signed_digits(scalar, width, windows)).collect::<Vec<_>>();
    let mut sum = ProjectivePoint::IDENTITY;
    for window in (0..windows).rev() {
        for _ in 0..width {
            sum = sum.double();
        }
        sum += window_sum(points, &digits, window, width);
    }
    sum
}

/// The width that costs the fewest additions: `windows · (points + 2^width)`.
fn window_width(points: usize) -> usize {
    let cost = |width: usize| (SCALAR_BITS.div_ceil(width) + 1) * (points + (1 << width));
    (2..=13).min_by_key(|width| cost(*width)).unwrap_or(2)
}

/// Digits in `-2^(width-1) ..= 2^(width-1)`, least significant first.
fn signed_digits(scalar: &[u8; 32], width: usize, windows: usize) -> Vec<i16> {
    let radix = 1i32 << width;
    let mut carry = 0;
    (0..windows)
        .map(|window| {
            let mut digit = i32::from(bits(scalar, window * width, width)) + carry;
            carry = i32::from(digit > (radix / 2));
            digit -= carry * radix;
            i16::try_from(digit).expect("a digit has at most 13 bits")
        })
        .collect()
}

fn bits(scalar: &[u8; 32], start: usize, width: usize) -> u16 {
    (0..width).fold(0, |digit, i| {
        let position = start + i;
        let byte = scalar.get(position / 8).copied().unwrap_or(0);
        digit | (u16::from((byte >> (position % 8)) & 1) << i)
    })
}

fn window_sum(
    points: &[ProjectivePoint],
    digits: &[Vec<i16>],
    window: usize,
    width: usize,
) -> ProjectivePoint {
    let mut buckets = vec![ProjectivePoint::IDENTITY; 1 << (width - 1)];
    for (point, digits) in points.iter().zip(digits) {
        let digit = digits[window];
        let bucket = usize::from(digit.unsigned_abs());
        match digit.signum() {
            1 => buckets[bucket - 1] += point,
            -1 => buckets[bucket - 1] -= point,
            _ => {}
        }
    }
    let mut running = ProjectivePoint::IDENTITY;
    let mut sum = ProjectivePoint::IDENTITY;
    for bucket in buckets.iter().rev() {
        running += bucket;
        sum += running;
    }
    sum
}
