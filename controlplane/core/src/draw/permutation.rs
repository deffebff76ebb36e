//! A keyed permutation of `0..n` that costs a few AES blocks per element.

use aes::{
    Aes128, Block,
    cipher::{BlockCipherEncrypt as _, KeyInit as _},
};

/// As NIST's FF1 has. Four would do against no adversary; this one may see every place.
const ROUNDS: u8 = 10;
/// Smallest half: below 256 elements the network is too small to mix, so it works over 256 and
/// walks more.
const HALF_BITS_MIN: u32 = 4;

#[derive(Clone)]
pub(super) struct Permutation {
    aes: Aes128,
    n: u64,
    half_bits: u32,
}

impl Permutation {
    pub(super) fn new(key: [u8; 16], n: u64) -> Self {
        let bits = u64::BITS - n.saturating_sub(1).leading_zeros();
        Self {
            aes: Aes128::new(&key.into()),
            n,
            half_bits: bits.div_ceil(2).max(HALF_BITS_MIN),
        }
    }

    /// Where `x < n` goes.
    pub(super) fn forward(&self, x: u64) -> u64 {
        self.walk(x, |x| self.encrypt(x))
    }

    /// Where `y < n` comes from.
    pub(super) fn backward(&self, y: u64) -> u64 {
        self.walk(y, |y| self.decrypt(y))
    }

    /// Follows the network's cycle to its next element in range. The start is in range, so it
    /// ends; the network has fewer than four times as many elements (or 256), so soon.
    fn walk(&self, start: u64, step: impl Fn(u64) -> u64) -> u64 {
        if start >= self.n {
            return start;
        }
        let mut at = step(start);
        while at >= self.n {
            at = step(at);
        }
        at
    }

    fn encrypt(&self, x: u64) -> u64 {
        let (mut left, mut right) = self.halves(x);
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ self.mix(round, right));
        }
        left << self.half_bits | right
    }

    fn decrypt(&self, y: u64) -> u64 {
        let (mut left, mut right) = self.halves(y);
        for round in (0..ROUNDS).rev() {
            (left, right) = (right ^ self.mix(round, left), left);
        }
        left << self.half_bits | right
    }

    const fn mask(&self) -> u64 {
        (1 << self.half_bits) - 1
    }

    const fn halves(&self, x: u64) -> (u64, u64) {
        (x >> self.half_bits & self.mask(), x & self.mask())
    }

    /// The first bits of AES over the round and the half. Half a word at most is ever needed.
    fn mix(&self, round: u8, half: u64) -> u64 {
        let mut bytes = [0; 16];
        bytes[0] = round;
        bytes[8..].copy_from_slice(&half.to_be_bytes());
        let mut block = Block::from(bytes);
        self.aes.encrypt_block(&mut block);
        let mut first = [0; 8];
        first.copy_from_slice(&block[..8]);
        u64::from_be_bytes(first) & self.mask()
    }
}
