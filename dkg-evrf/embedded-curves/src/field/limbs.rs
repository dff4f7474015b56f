//! Arithmetic on four limbs: straight-line code, without a branch or an index that depends on a value.

#![allow(clippy::inline_always, reason = "a call costs as much as the arithmetic")]
#![allow(clippy::cast_possible_truncation, reason = "limbs are cut out of wider words on purpose")]

use subtle::Choice;

/// Four limbs, least significant first.
pub(crate) type Limbs = [u64; 4];

/// a·b + c + d in two limbs, low first; cannot overflow.
#[inline(always)]
pub(crate) const fn mul_add(a: u64, b: u64, c: u64, d: u64) -> (u64, u64) {
    let wide = (a as u128).wrapping_mul(b as u128).wrapping_add(c as u128).wrapping_add(d as u128);
    (wide as u64, (wide >> 64) as u64)
}

/// a + b + carry, and the carry out; a carry is 0 or 1.
#[inline(always)]
pub(crate) const fn carry_add(a: u64, b: u64, carry: u64) -> (u64, u64) {
    let (sum, first) = a.overflowing_add(b);
    let (sum, second) = sum.overflowing_add(carry);
    (sum, (first | second) as u64)
}

/// a − b − borrow, and the borrow out; a borrow is 0 or 1.
#[inline(always)]
pub(crate) const fn borrow_sub(a: u64, b: u64, borrow: u64) -> (u64, u64) {
    let (difference, first) = a.overflowing_sub(b);
    let (difference, second) = difference.overflowing_sub(borrow);
    (difference, (first | second) as u64)
}

/// a + b, and the carry (0 or 1).
#[inline(always)]
pub(crate) const fn add(a: &Limbs, b: &Limbs) -> (Limbs, u64) {
    let (r0, c) = carry_add(a[0], b[0], 0);
    let (r1, c) = carry_add(a[1], b[1], c);
    let (r2, c) = carry_add(a[2], b[2], c);
    let (r3, c) = carry_add(a[3], b[3], c);
    ([r0, r1, r2, r3], c)
}

/// a − b, and the borrow (0 or 1).
#[inline(always)]
pub(crate) const fn sub(a: &Limbs, b: &Limbs) -> (Limbs, u64) {
    let (r0, c) = borrow_sub(a[0], b[0], 0);
    let (r1, c) = borrow_sub(a[1], b[1], c);
    let (r2, c) = borrow_sub(a[2], b[2], c);
    let (r3, c) = borrow_sub(a[3], b[3], c);
    ([r0, r1, r2, r3], c)
}

/// `a` for mask 0, `b` for mask 2^64 − 1.
#[inline(always)]
pub(crate) const fn select(a: &Limbs, b: &Limbs, mask: u64) -> Limbs {
    [
        a[0] ^ (mask & (a[0] ^ b[0])),
        a[1] ^ (mask & (a[1] ^ b[1])),
        a[2] ^ (mask & (a[2] ^ b[2])),
        a[3] ^ (mask & (a[3] ^ b[3])),
    ]
}

/// 2^64 − 1 for 1, and 0 for 0, in a way that the compiler does not see through: otherwise it makes a branch of what is selected by
/// the mask, where it thinks that pays.
#[inline(always)]
const fn mask(bit: u64) -> u64 {
    std::hint::black_box(0u64.wrapping_sub(bit))
}

/// A choice from a bit.
#[inline]
pub(crate) fn choice(bit: u64) -> Choice {
    Choice::from(u8::from(bit == 1))
}

/// Subtracts p once from `carry·2^256 + a`, which is below 2p.
#[inline(always)]
pub(crate) const fn reduce_once(a: &Limbs, carry: u64, p: &Limbs) -> Limbs {
    let (r, borrow) = sub(a, p);
    // Below p exactly if the subtraction borrows and no carry pays for it.
    select(&r, a, mask(borrow & (carry ^ 1)))
}

/// a + b mod p, both reduced.
#[inline(always)]
pub(crate) const fn add_mod(a: &Limbs, b: &Limbs, p: &Limbs) -> Limbs {
    let (sum, carry) = add(a, b);
    reduce_once(&sum, carry, p)
}

/// a − b mod p, both reduced.
#[inline(always)]
pub(crate) const fn sub_mod(a: &Limbs, b: &Limbs, p: &Limbs) -> Limbs {
    let (difference, borrow) = sub(a, b);
    let mask = mask(borrow);
    add(&difference, &[p[0] & mask, p[1] & mask, p[2] & mask, p[3] & mask]).0
}

/// −a mod p, for a reduced.
#[inline(always)]
pub(crate) const fn neg_mod(a: &Limbs, p: &Limbs) -> Limbs {
    sub_mod(&[0; 4], a, p)
}

/// a·b·2^-256 mod p, for a reduced and **any** b (p > 2^251); CIOS.
///
/// `spare_bit` says that p is below 2^255: then the running sum, at most a + p, needs no fifth limb.
#[inline(always)]
pub(crate) const fn montgomery_mul(a: &Limbs, b: &Limbs, p: &Limbs, neg_inv: u64, spare_bit: bool) -> Limbs {
    let mut t = [0u64; 4];
    let mut top = 0u64;
    let mut i = 0;
    while i < 4 {
        let (t0, c) = mul_add(a[0], b[i], t[0], 0);
        let (t1, c) = mul_add(a[1], b[i], t[1], c);
        let (t2, c) = mul_add(a[2], b[i], t[2], c);
        let (t3, c) = mul_add(a[3], b[i], t[3], c);
        let (high, over) = if spare_bit { (c, 0) } else { carry_add(top, c, 0) };

        let m = t0.wrapping_mul(neg_inv);
        let (_, c) = mul_add(m, p[0], t0, 0);
        let (t0, c) = mul_add(m, p[1], t1, c);
        let (t1, c) = mul_add(m, p[2], t2, c);
        let (t2, c) = mul_add(m, p[3], t3, c);
        let (t3, over_again) = carry_add(high, c, 0);
        t = [t0, t1, t2, t3];
        top = if spare_bit { 0 } else { over + over_again };
        i += 1;
    }
    reduce_once(&t, top, p)
}

/// −1/p mod 2^64 by Newton's iteration, for p odd.
pub(crate) const fn negative_inverse(p0: u64) -> u64 {
    let mut inverse = 1u64;
    let mut i = 0;
    while i < 6 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(p0.wrapping_mul(inverse)));
        i += 1;
    }
    inverse.wrapping_neg()
}

/// 2^n mod p by doubling; for constants.
pub(crate) const fn power_of_two(n: usize, p: &Limbs) -> Limbs {
    let mut value = [1, 0, 0, 0];
    let mut i = 0;
    while i < n {
        value = add_mod(&value, &value, p);
        i += 1;
    }
    value
}

/// a / 2^shift for 0 < shift < 64; for constants.
pub(crate) const fn shift_right(a: &Limbs, shift: u32) -> Limbs {
    let up = 64 - shift;
    [
        (a[0] >> shift) | (a[1] << up),
        (a[1] >> shift) | (a[2] << up),
        (a[2] >> shift) | (a[3] << up),
        a[3] >> shift,
    ]
}
