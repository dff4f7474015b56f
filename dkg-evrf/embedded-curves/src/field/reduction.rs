//! Products and squares in eight limbs, and the Montgomery reduction of them; straight-line code like [`limbs`](super::limbs).
//!
//! For p = 2^256 − c with c below 2^64, m·p is m·2^256 − m·c, so that a step of the reduction takes two multiplications of limbs
//! instead of five. Which way is taken is decided by the prime, when its field is compiled.

#![allow(clippy::inline_always, reason = "a call costs as much as the arithmetic")]

use super::limbs::{Limbs, borrow_sub, carry_add, mul_add, reduce_once};

/// Eight limbs, least significant first.
pub(crate) type Wide = [u64; 8];

/// a·b.
#[inline(always)]
pub(crate) const fn wide_product(a: &Limbs, b: &Limbs) -> Wide {
    let mut t = [0u64; 8];
    let mut i = 0;
    while i < 4 {
        let (t0, c) = mul_add(a[0], b[i], t[i], 0);
        let (t1, c) = mul_add(a[1], b[i], t[i + 1], c);
        let (t2, c) = mul_add(a[2], b[i], t[i + 2], c);
        let (t3, c) = mul_add(a[3], b[i], t[i + 3], c);
        (t[i], t[i + 1], t[i + 2], t[i + 3], t[i + 4]) = (t0, t1, t2, t3, c);
        i += 1;
    }
    t
}

/// a², each product of two different limbs computed once and doubled.
#[inline(always)]
pub(crate) const fn wide_square(a: &Limbs) -> Wide {
    let (t1, c) = mul_add(a[0], a[1], 0, 0);
    let (t2, c) = mul_add(a[0], a[2], 0, c);
    let (t3, t4) = mul_add(a[0], a[3], 0, c);
    let (t3, c) = mul_add(a[1], a[2], t3, 0);
    let (t4, t5) = mul_add(a[1], a[3], t4, c);
    let (t5, t6) = mul_add(a[2], a[3], t5, 0);
    let (d1, d2, d3) = (t1 << 1, (t2 << 1) | (t1 >> 63), (t3 << 1) | (t2 >> 63));
    let (d4, d5) = ((t4 << 1) | (t3 >> 63), (t5 << 1) | (t4 >> 63));
    let (d6, d7) = ((t6 << 1) | (t5 >> 63), t6 >> 63);
    let (t0, high) = mul_add(a[0], a[0], 0, 0);
    let (t1, c) = carry_add(d1, high, 0);
    let (low, high) = mul_add(a[1], a[1], 0, 0);
    let (t2, c) = carry_add(d2, low, c);
    let (t3, c) = carry_add(d3, high, c);
    let (low, high) = mul_add(a[2], a[2], 0, 0);
    let (t4, c) = carry_add(d4, low, c);
    let (t5, c) = carry_add(d5, high, c);
    let (low, high) = mul_add(a[3], a[3], 0, 0);
    let (t6, c) = carry_add(d6, low, c);
    let (t7, _) = carry_add(d7, high, c);
    [t0, t1, t2, t3, t4, t5, t6, t7]
}

/// t·2^-256 mod p, for t below p·2^256.
#[inline(always)]
pub(crate) const fn montgomery_reduce(t: &Wide, p: &Limbs, neg_inv: u64) -> Limbs {
    let mut t = *t;
    let mut top = 0;
    let mut i = 0;
    while i < 4 {
        let m = t[i].wrapping_mul(neg_inv);
        let (_, c) = mul_add(m, p[0], t[i], 0);
        let (t1, c) = mul_add(m, p[1], t[i + 1], c);
        let (t2, c) = mul_add(m, p[2], t[i + 2], c);
        let (t3, c) = mul_add(m, p[3], t[i + 3], c);
        (t[i + 1], t[i + 2], t[i + 3]) = (t1, t2, t3);
        (t[i + 4], top) = carry_add(t[i + 4], c, top);
        i += 1;
    }
    reduce_once(&[t[4], t[5], t[6], t[7]], top, p)
}

/// The same for p = 2^256 − c; `neg_inv`, which is −1/p, is 1/c modulo 2^64.
#[inline(always)]
pub(crate) const fn montgomery_reduce_near_power(t: &Wide, c: u64, p: &Limbs, neg_inv: u64) -> Limbs {
    // m·c has the limb to be cancelled below, and `high` above, which is to be subtracted.
    let m0 = t[0].wrapping_mul(neg_inv);
    let (_, high) = mul_add(m0, c, 0, 0);
    let (t1, borrow) = borrow_sub(t[1], high, 0);
    let m1 = t1.wrapping_mul(neg_inv);
    let (_, high) = mul_add(m1, c, 0, 0);
    let (t2, borrow) = borrow_sub(t[2], high, borrow);
    let m2 = t2.wrapping_mul(neg_inv);
    let (_, high) = mul_add(m2, c, 0, 0);
    let (t3, borrow) = borrow_sub(t[3], high, borrow);
    let m3 = t3.wrapping_mul(neg_inv);
    let (_, high) = mul_add(m3, c, 0, 0);
    let (r0, carry) = carry_add(t[4], m0, 0);
    let (r1, carry) = carry_add(t[5], m1, carry);
    let (r2, carry) = carry_add(t[6], m2, carry);
    let (r3, carry) = carry_add(t[7], m3, carry);
    let (r0, borrow) = borrow_sub(r0, high, borrow);
    let (r1, borrow) = borrow_sub(r1, 0, borrow);
    let (r2, borrow) = borrow_sub(r2, 0, borrow);
    let (r3, borrow) = borrow_sub(r3, 0, borrow);
    // The whole is (t + M·p)/2^256, which is not negative and below 2p.
    reduce_once(&[r0, r1, r2, r3], carry.wrapping_sub(borrow), p)
}
