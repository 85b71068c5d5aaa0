//! Which sessions are kept: a share of them, decided on the ID alone.

use super::session_id::SessionId;

impl SessionId {
    /// Whether this session is among the share `ratio` of all sessions: `0.1` is one in ten.
    ///
    /// The answer depends on the ID alone. Every service, process and page that asks gets the same one, and
    /// whoever is kept at 10 % is kept at 20 % too.
    ///
    /// # The formula
    ///
    /// 1. `hash` is the MurmurHash3 (x86, 32 bit, seed 0) of the bytes of the ID.
    /// 2. `number` is `hash` with its bytes reversed: the first byte of `hash` in little-endian order is
    ///    the highest.
    /// 3. The session is kept if `number < ratio * 4294967296` (2³²), as IEEE 754 doubles, which are exact
    ///    here.
    ///
    /// So nothing is kept at 0, below it, or at NaN, and everything at 1 or above. The bytes are reversed
    /// because the OpenTelemetry Collector shows the hash that way: for a ratio between 0 and 1, its
    /// condition is `Murmur3Hash(attributes["session.id"]) < "1999999a"`, where the text is `ratio * 2³²`,
    /// rounded up, as 8 hex digits. `browser/is-sampled.js` is the same for a page, and
    /// `tests/vectors/sampling.json` has what every implementation must answer.
    ///
    /// The formula is part of what semantic versioning covers: it changes in no minor version.
    ///
    /// # Example
    ///
    /// ```
    /// # use qorrelate_core as qorrelate_tower;
    /// use qorrelate_tower::SessionId; // or qorrelate_actix
    ///
    /// let id: SessionId = "0c3f2a6e-9f0b-4f5e-8d53-8a8a3a0d2c11".parse()?;
    /// assert!(!id.is_sampled(0.1));
    /// assert!(id.is_sampled(0.9));
    /// # Ok::<(), qorrelate_core::ParseSessionIdError>(())
    /// ```
    #[must_use]
    pub fn is_sampled(&self, ratio: f64) -> bool {
        is_below(ratio, sampling_number(self.as_str()))
    }

    /// As [`is_sampled`](Self::is_sampled), by the formula of a recorder, so that the backend keeps the
    /// sessions that the recorder keeps.
    ///
    /// ```
    /// # use qorrelate_core as qorrelate_tower;
    /// use qorrelate_tower::{SamplingFormula, SessionId}; // or qorrelate_actix
    ///
    /// let id: SessionId = "0c3f2a6e-9f0b-4f5e-8d53-8a8a3a0d2c11".parse()?;
    /// assert!(!id.is_sampled_by(SamplingFormula::DatadogRum, 0.5)); // `sessionSampleRate: 50`
    /// # Ok::<(), qorrelate_core::ParseSessionIdError>(())
    /// ```
    #[must_use]
    pub fn is_sampled_by(&self, formula: SamplingFormula, ratio: f64) -> bool {
        match formula {
            SamplingFormula::Murmur3 => self.is_sampled(ratio),
            SamplingFormula::DatadogRum => match datadog_rum::number(self.as_str()) {
                Some(number) => datadog_rum::is_kept(ratio, number),
                None => self.is_sampled(ratio),
            },
        }
    }
}

/// By which formula a session is in the share that is kept, or not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SamplingFormula {
    /// That of [`SessionId::is_sampled`].
    #[default]
    Murmur3,
    /// That of Datadog's `sessionSampleRate` in `@datadog/browser-rum` 7.16, read in its source
    /// (`browser-core`, `domain/sampler`): the last part of the UUID as a number, times 1111111111111111111
    /// modulo 2⁶⁴, is at most `rate / 100 * 2⁶⁴`, as doubles.
    ///
    /// The ratio is the rate divided by 100: `sessionSampleRate: 29` is `0.29`, or `29.0 / 100.0` to be
    /// sure. An ID whose fifth part, between hyphens, is no hexadecimal number is none of Datadog's, and is
    /// decided by [`Murmur3`](Self::Murmur3).
    DatadogRum,
}

/// 2³².
const NUMBERS: f64 = 4_294_967_296.0;

/// Comparing with NaN is `false`, and nothing is below 0: none of these is kept.
fn is_below(ratio: f64, number: u32) -> bool {
    f64::from(number) < ratio * NUMBERS
}

fn sampling_number(id: &str) -> u32 {
    murmur3(id.as_bytes()).swap_bytes()
}

/// MurmurHash3, x86, 32 bit, seed 0 (Austin Appleby, public domain).
fn murmur3(bytes: &[u8]) -> u32 {
    let mix = |k: u32| k.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let (blocks, rest) = bytes.as_chunks::<4>();
    let mut hash = blocks.iter().fold(0_u32, |hash, block| {
        let hash = hash ^ mix(u32::from_le_bytes(*block));
        hash.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
    });
    let rest = rest.iter().rev().fold(0, |rest, &byte| rest << 8 | u32::from(byte));
    // An ID has at most 128 bytes.
    hash ^= mix(rest) ^ (bytes.len() as u32);
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

mod datadog_rum {
    /// As a JavaScript `BigInt` reads the text after `0x`, in the length that it has in a UUID.
    pub(super) fn number(id: &str) -> Option<u64> {
        let last = id.split('-').nth(4)?;
        let is_hex = last.bytes().all(|byte| byte.is_ascii_hexdigit());
        (is_hex && last.len() <= 16).then(|| u64::from_str_radix(last, 16).ok()).flatten()
    }

    pub(super) fn is_kept(ratio: f64, number: u64) -> bool {
        // The SDK answers these without the formula, which would keep the number 0 at the rate 0.
        if ratio <= 0.0 {
            return false;
        }
        number.wrapping_mul(1_111_111_111_111_111_111) as f64
            <= ratio * 18_446_744_073_709_551_616.0
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// The hashes are those that others publish: Wikipedia's article on MurmurHash; the tests of the
    /// Collector's `Murmur3Hash`, whose hex digits start with the lowest byte.
    #[test]
    fn the_hash_is_murmur3() {
        for (text, hash) in [
            ("", 0),
            ("test", 0xba6b_d213),
            ("Hello, world!", 0xc036_3e43),
            ("The quick brown fox jumps over the lazy dog", 0x2e4f_f723),
        ] {
            assert_eq!(murmur3(text.as_bytes()), hash, "{text}");
        }
        assert_eq!(format!("{:08x}", sampling_number("Hello World")), "ce837619");
    }

    #[test]
    fn the_ends_of_the_scale_keep_all_or_nothing() {
        for number in [0, 1, u32::MAX] {
            for none in [0.0, -0.0, -1.0, f64::NAN, f64::NEG_INFINITY] {
                assert!(!is_below(none, number), "{none} {number}");
            }
            for all in [1.0, 1.5, f64::INFINITY] {
                assert!(is_below(all, number), "{all} {number}");
            }
        }
        assert!(is_below(f64::MIN_POSITIVE, 0), "anything above 0 keeps somebody");
        assert!(!is_below(1.0 - f64::from(2_f32.powi(-32)), u32::MAX));
        for number in [0, 1, u64::MAX] {
            for none in [0.0, -1.0, f64::NAN] {
                assert!(!datadog_rum::is_kept(none, number), "{none} {number}");
            }
            assert!(datadog_rum::is_kept(1.0, number), "{number}");
        }
    }

    #[test]
    fn what_is_no_uuid_is_not_datadogs() {
        for id in ["abc", "a-b-c-d-e+f", "a-b-c-d-", "a-b-c-d", "a-b-c-d-0123456789abcdef0"] {
            assert_eq!(datadog_rum::number(id), None, "{id}");
        }
        assert_eq!(datadog_rum::number("a-b-c-d-fF"), Some(255));
    }

    /// Over a million IDs of each kind, what is seen in a thousand equal parts of the scale, and the shares
    /// that are kept.
    #[test]
    fn every_kind_of_id_is_spread_evenly() {
        const IDS: u64 = 1_000_000;
        const PARTS: u32 = 1000;
        // One in 10,000 even spreads is above it (chi-squared, 999 degrees of freedom).
        const MAX: f64 = 1172.0;
        type Kind = fn(u64, &mut String);
        let kinds: [(&str, Kind); 4] = [
            ("UUID v4", |n, id| uuid(id, random(2 * n), 0x4, random(2 * n + 1))),
            // Some hundred a second, from one server after the other.
            ("UUID v7", |n, id| {
                uuid(id, (0x019a_0000_0000 + 3 * n) << 16 | n & 0xfff, 0x7, random(n))
            }),
            ("sequential", |n, id| write!(id, "{}", 5_000_000 + n).unwrap()),
            ("short", |n, id| {
                // All strings of four letters and digits, for as long as there are some.
                let letters = b"0123456789abcdefghijklmnopqrstuvwxyz";
                id.extend(
                    (0..4).map(|place| char::from(letters[(n / 36_u64.pow(place) % 36) as usize])),
                );
            }),
        ];
        for (kind, make) in kinds {
            let (mut id, mut parts) = (String::new(), vec![0_u32; PARTS as usize]);
            let mut kept = [(0.001, 0), (0.01, 0), (0.1, 0), (0.5, 0)];
            for n in 0..IDS {
                id.clear();
                make(n, &mut id);
                let number = sampling_number(&id);
                parts[((u64::from(number) * u64::from(PARTS)) >> 32) as usize] += 1;
                for (ratio, count) in &mut kept {
                    *count += u32::from(is_below(*ratio, number));
                }
            }
            let expected = IDS as f64 / f64::from(PARTS);
            let chi_squared: f64 =
                parts.iter().map(|&seen| (f64::from(seen) - expected).powi(2) / expected).sum();
            println!("{kind}: chi-squared {chi_squared:.0}, kept {kept:?}");
            assert!(chi_squared < MAX, "{kind}: {chi_squared}");
            for (ratio, count) in kept {
                let expected = IDS as f64 * ratio;
                let deviation = (f64::from(count) - expected) / (expected * (1.0 - ratio)).sqrt();
                assert!(deviation.abs() < 4.0, "{kind} at {ratio}: {count}");
            }
        }
    }

    fn uuid(id: &mut String, high: u64, version: u64, low: u64) {
        let (time, rest) = (high >> 32, high as u32);
        let (middle, last) = (rest >> 16, rest & 0xfff);
        let (variant, node) = (low >> 48 & 0x3fff | 0x8000, low & 0xffff_ffff_ffff);
        write!(id, "{time:08x}-{middle:04x}-{version:x}{last:03x}-{variant:04x}-{node:012x}")
            .unwrap();
    }

    /// SplitMix64, so that each run sees the same IDs.
    fn random(n: u64) -> u64 {
        let mut x = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x1234_5678);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }
}
