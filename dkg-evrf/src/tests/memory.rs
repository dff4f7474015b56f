//! No secret stays in memory behind `participate` and `recover` (EVRF-12).
//!
//! ```text
//! test ── what to look for, masked ──▶ itself, as another process: takes part, recovers, drops all, reads its own memory ── what it found
//! ```
//!
//! The secrets are computed in one process and looked for in another, which never holds them but while the functions under test run.

use std::io::{Read, Seek, SeekFrom};
use std::num::NonZeroUsize;
use std::process::Command;

use arithmetic_bulletproofs::ProofCurve;
use embedded_curves::field::{Element, Modulus};
use ff::Field;
use zeroize::Zeroize;

use super::{Set, rng};
use crate::curves::{Scalar, SigningCurve};
use crate::secrets::{Dealt, Secret, contribution_points, x_of_multiple};
use crate::{Participation, Ristretto, Secp256k1, ValidatorIndex, Work, participate, recover, verify};

/// Set in the process that is looked into: the masked needles.
const NEEDLES: &str = "HEADWATER_MEMORY_NEEDLES";
/// In memory, needles are not themselves.
const MASK: u8 = 0xa5;
/// Threads have stacks of their own.
const TWO: NonZeroUsize = NonZeroUsize::new(2).unwrap();
const OWN: ValidatorIndex = ValidatorIndex(0);

type Needle = (String, [u8; 32]);

/// An element's canonical bytes, and its limbs in memory: the integer times 2^256.
fn forms<M: Modulus>(name: &str, element: &Element<M>) -> [Needle; 2] {
    let power = Element::<M>::from_u64(2).pow_vartime([256_u64]);
    [
        (format!("{name}, encoded"), element.to_bytes()),
        (format!("{name}, in memory"), (*element * power).to_bytes()),
    ]
}

/// Weights 2, 1, 1, 1: two seats.
fn set<C: SigningCurve>() -> Set<C> {
    Set::new(&[2, 1, 1, 1], 3)
}

/// All that is secret in what the first validator does.
fn needles<C: SigningCurve>() -> Vec<Needle> {
    let set = set::<C>();
    let secret = Secret::of(&set.parameters, OWN, &set.secrets[0]).unwrap();
    let dealt = Dealt::derive(&set.parameters, OWN, &secret).unwrap();
    let mut needles = forms("p", &*secret.0).to_vec();
    for (k, a) in dealt.polynomial.iter().enumerate() {
        needles.extend(forms(&format!("a_{k}"), a));
    }
    for (s, seat) in dealt.seats.iter().enumerate() {
        needles.extend(forms(&format!("x_{s}"), &seat.x));
        needles.extend(forms(&format!("y_{s}"), &seat.y));
    }
    for (j, pad) in dealt.pads.iter().enumerate() {
        needles.extend(forms(&format!("z_{}", j + 1), pad));
        needles.extend(forms(&format!("f({})", j + 1), &*dealt.evaluate(u16::try_from(j + 1).unwrap())));
    }
    let points = contribution_points(&set.parameters, OWN);
    for (name, point) in ["x(p·Q_A)", "x(p·Q_B)"].iter().zip(&points) {
        needles.extend(forms(name, &*x_of_multiple::<C>(&secret.0, point)));
    }
    for (v, member) in set.parameters.members.iter().enumerate() {
        let multiple = |scalar| *x_of_multiple::<C>(scalar, &member.embedded_key);
        needles.extend(forms(&format!("x(x_0·P_{v})"), &multiple(&dealt.seats[0].x)));
        needles.extend(forms(&format!("x(y_0·P_{v})"), &multiple(&dealt.seats[0].y)));
    }
    for key in recover(&set.parameters, &set.close([0, 1, 2]), OWN, &set.secrets[0]).unwrap() {
        let share = ff::PrimeField::to_repr(&**key.original_secret_share());
        let mut bytes: [u8; 32] = share.as_ref().try_into().unwrap();
        needles.push(("a share, encoded".to_owned(), bytes));
        if C::Group::ID == "secp256k1" {
            bytes.reverse();
        }
        let share = Option::<Scalar<C>>::from(Scalar::<C>::from_bytes(&bytes)).unwrap();
        needles.extend(forms("a share", &share));
    }
    needles
}

/// Where each masked needle stands in writable memory: how often.
fn found(needles: &[Vec<u8>]) -> Vec<usize> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mut memory = std::fs::File::open("/proc/self/mem").unwrap();
    let mut counts = vec![0; needles.len()];
    // One buffer for all, so that what is read is overwritten by what is read next.
    let mut buffer = vec![0_u8; 1 << 16];
    // What it holds of the part before is no find.
    let start = u64::try_from(buffer.as_ptr().addr()).unwrap();
    let own = start..start + u64::try_from(buffer.len()).unwrap();
    for line in maps.lines().filter(|line| line.contains(" rw") && !line.contains("[v")) {
        let (start, end) = line.split_whitespace().next().unwrap().split_once('-').unwrap();
        let (mut at, end) = (u64::from_str_radix(start, 16).unwrap(), u64::from_str_radix(end, 16).unwrap());
        while at < end {
            memory.seek(SeekFrom::Start(at)).unwrap();
            // Not into the next line's region, where it would be found again.
            let most = usize::try_from(end - at).unwrap().min(buffer.len());
            let Ok(len) = memory.read(&mut buffer[..most]) else { break };
            if len < 32 {
                break;
            }
            // Values are aligned at words; encodings, at bytes.
            for (first, window) in (at..).zip(buffer[..len].windows(32)) {
                if own.contains(&first) || own.contains(&(first + 31)) {
                    continue;
                }
                for (count, needle) in counts.iter_mut().zip(needles) {
                    let here = window[0] ^ MASK == needle[0]
                        && window.iter().zip(needle).all(|(a, b)| a ^ MASK == *b);
                    *count += usize::from(here);
                }
            }
            // Windows across the end of the buffer are read again.
            at += u64::try_from(len).unwrap() - 31;
            if at + 31 >= end {
                break;
            }
        }
    }
    buffer.zeroize();
    counts
}

/// In the other process: everything the first validator does, and then the search.
fn look<C: SigningCurve>(needles: &[Vec<u8>]) -> Vec<usize> {
    let Set { parameters, mut secrets } = set::<C>();
    let others = [1, 2].map(|dealer| {
        let secret = &secrets[usize::from(dealer)];
        let work = Work::default();
        (
            ValidatorIndex(dealer),
            participate(&parameters, ValidatorIndex(dealer), secret, &mut rng(7), work).unwrap(),
        )
    });
    let own = secrets.remove(0);
    drop(secrets);
    let encoded = participate(&parameters, OWN, &own, &mut rng(8), Work::threads(TWO)).unwrap().encode();
    let mut all = others.to_vec();
    all.push((OWN, Participation::decode(&parameters, &encoded).unwrap()));
    let verdicts = verify(&parameters, &all, &mut rng(9), Work::default()).unwrap();
    let verified = verdicts.into_iter().map(|verdict| verdict.verified().unwrap()).collect();
    let closed = super::close(&parameters, verified).unwrap();
    let keys = recover(&parameters, &closed, OWN, &own).unwrap();
    assert_eq!(keys.len(), 2);
    drop(keys);
    // The search finds what is there: the secret that its owner still holds.
    assert_eq!(found(needles)[0], 1);
    drop(own);
    found(needles)
}

fn nothing_stays<C: SigningCurve>(test: &str) {
    if let Ok(masked) = std::env::var(NEEDLES) {
        let needles = masked.split(',').map(|hex| hex::decode(hex).unwrap()).collect::<Vec<_>>();
        let counts = look::<C>(&needles).into_iter().map(|count| count.to_string()).collect::<Vec<_>>();
        return println!("\nfound:{}", counts.join(","));
    }
    let needles = needles::<C>();
    let masked = needles.iter().map(|(_, bytes)| hex::encode(bytes.map(|byte| byte ^ MASK)));
    let masked = masked.collect::<Vec<_>>().join(",");
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(NEEDLES, masked)
        .output()
        .unwrap();
    let [text, errors] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    let counts = text.lines().find_map(|line| line.strip_prefix("found:"));
    let counts = counts.unwrap_or_else(|| panic!("{text}{errors}"));
    let left = needles.iter().zip(counts.split(',')).filter(|(_, count)| *count != "0");
    let left = left.map(|((name, _), count)| format!("{name}: {count}")).collect::<Vec<_>>();
    assert!(left.is_empty(), "secrets in memory: {left:#?}");
}

/// EVRF-12.
#[test]
fn evrf_12_no_secret_stays_in_memory_on_ristretto() {
    nothing_stays::<Ristretto>("tests::memory::evrf_12_no_secret_stays_in_memory_on_ristretto");
}

/// EVRF-12.
#[test]
fn evrf_12_no_secret_stays_in_memory_on_secp256k1() {
    nothing_stays::<Secp256k1>("tests::memory::evrf_12_no_secret_stays_in_memory_on_secp256k1");
}
