//! What tokens look like: `AgPA`, `AgPR` or `AgPC` (access token, refresh token,
//! authorization code), 43 base62 characters that carry 32 random bytes, and 6 base62
//! characters of CRC-32 over everything before (decisions, section 8).
//!
//! The fixed prefix lets secret scanners find a token that leaked into a repository or
//! a log, and the checksum spares them false alarms. For us both mean that a wrong kind
//! of token, or text that is no token at all, is refused without a look-up.

use aws_lc_rs::digest;
use portolan_types::{Secret, TokenHash};
use zeroize::Zeroizing;

/// What a token is for; the prefix says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    Access,
    Refresh,
    Code,
}

impl TokenKind {
    const ALL: [TokenKind; 3] = [TokenKind::Access, TokenKind::Refresh, TokenKind::Code];

    pub fn prefix(self) -> &'static str {
        match self {
            TokenKind::Access => "AgPA",
            TokenKind::Refresh => "AgPR",
            TokenKind::Code => "AgPC",
        }
    }
}

const PREFIX_LENGTH: usize = 4;
const BODY_END: usize = PREFIX_LENGTH + 43;

/// The length of every token and code.
pub const TOKEN_LENGTH: usize = BODY_END + 6;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// 62^5, the largest power of 62 below 2^32: five digits fall out of one long division.
const FIVE_DIGITS: u64 = 916_132_832;

/// The token that carries these bytes: random ones, or those of an HMAC for the
/// successor of a refresh token. Measured: 0.28 µs, on the path of every token answer.
pub fn mint(kind: TokenKind, random: [u8; 32]) -> Secret {
    let random = Zeroizing::new(random);
    let mut token = Zeroizing::new([0; TOKEN_LENGTH]);
    token[..PREFIX_LENGTH].copy_from_slice(kind.prefix().as_bytes());
    write_base62(&random, &mut token[PREFIX_LENGTH..BODY_END]);
    let checksum = crc32fast::hash(&token[..BODY_END]);
    write_digits(u64::from(checksum), &mut token[BODY_END..]);
    Secret::new(std::str::from_utf8(&*token).expect("prefix and base62 digits are ASCII"))
}

/// The kind of a well-formed token; `None` for everything else. Tells nothing about
/// whether the token was ever issued.
pub fn parse(token: &str) -> Option<TokenKind> {
    let bytes: &[u8; TOKEN_LENGTH] = token.as_bytes().try_into().ok()?;
    let kind = TokenKind::ALL
        .into_iter()
        .find(|kind| token.starts_with(kind.prefix()))?;
    if !bytes[PREFIX_LENGTH..].iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    let mut expected = [0; TOKEN_LENGTH - BODY_END];
    write_digits(u64::from(crc32fast::hash(&bytes[..BODY_END])), &mut expected);
    // A checksum is no secret: anybody can compute it from the rest.
    (bytes[BODY_END..] == expected).then_some(kind)
}

/// What the store keeps in place of a token.
pub fn hash(token: &str) -> TokenHash {
    let digest = digest::digest(&digest::SHA256, token.as_bytes());
    TokenHash(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
}

/// 256 bits are a little less than 43 digits (62^43 > 2^256), so the length is fixed.
/// Long division by a constant over limbs of 32 bits needs no division instruction.
fn write_base62(bytes: &[u8; 32], digits: &mut [u8]) {
    let mut limbs = Zeroizing::new([0_u32; 8]);
    for (limb, four) in limbs.iter_mut().zip(bytes.chunks_exact(4)) {
        *limb = u32::from_be_bytes([four[0], four[1], four[2], four[3]]);
    }
    for group in digits.rchunks_mut(5) {
        let mut remainder = 0;
        for limb in limbs.iter_mut() {
            let value = (remainder << 32) + u64::from(*limb);
            *limb = u32::try_from(value / FIVE_DIGITS).expect("the remainder is below the divisor");
            remainder = value % FIVE_DIGITS;
        }
        write_digits(remainder, group);
    }
}

/// Fills all of `digits`, most significant first.
fn write_digits(mut value: u64, digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(value % 62) as usize];
        value /= 62;
    }
    debug_assert_eq!(value, 0, "the digits hold the whole value");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn base62(bytes: [u8; 32]) -> String {
        let mut digits = [0; 43];
        write_base62(&bytes, &mut digits);
        String::from_utf8(digits.to_vec()).expect("ASCII")
    }

    /// The obvious way back, digit by digit; `None` if the number needs more than 256 bits.
    fn from_base62(digits: &str) -> Option<[u8; 32]> {
        let mut bytes = [0_u8; 32];
        for digit in digits.bytes() {
            let mut carry = ALPHABET.iter().position(|known| *known == digit)?;
            for byte in bytes.iter_mut().rev() {
                carry += usize::from(*byte) * 62;
                *byte = (carry & 0xff) as u8;
                carry >>= 8;
            }
            if carry > 0 {
                return None;
            }
        }
        Some(bytes)
    }

    #[test]
    fn base62_boundary_values() {
        let mut one = [0; 32];
        one[31] = 1;
        let mut sixty_two = [0; 32];
        sixty_two[31] = 62;
        let mut five_digits = [0; 32];
        five_digits[28..].copy_from_slice(&916_132_832_u32.to_be_bytes());
        let zeros = |count: usize| "0".repeat(count);
        let cases = [
            ([0; 32], zeros(43)),
            (one, zeros(42) + "1"),
            (sixty_two, zeros(41) + "10"),
            (five_digits, zeros(37) + "100000"),
        ];
        for (bytes, digits) in cases {
            assert_eq!(base62(bytes), digits);
        }
        let largest = base62([0xff; 32]);
        assert_eq!(from_base62(&largest), Some([0xff; 32]));
        assert!(
            from_base62(&"z".repeat(43)).is_none(),
            "43 digits hold a little more than 256 bits"
        );
    }

    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!(crc32fast::hash(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32fast::hash(b""), 0);
    }

    #[test]
    fn the_prefix_says_the_kind() {
        for kind in TokenKind::ALL {
            let token = mint(kind, [7; 32]);
            assert_eq!(token.expose().len(), TOKEN_LENGTH);
            assert!(token.expose().starts_with(kind.prefix()));
            assert_eq!(parse(token.expose()), Some(kind));
        }
    }

    #[test]
    fn the_form_never_changes() {
        // Tokens in stores and scanners' patterns depend on this exact text.
        let bytes = std::array::from_fn(|index| index as u8);
        assert_eq!(
            mint(TokenKind::Access, bytes).expose(),
            "AgPA003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf3CJDak"
        );
    }

    #[test]
    fn anything_else_is_no_token() {
        let token = mint(TokenKind::Access, [9; 32]).expose().to_owned();
        let mut cases = vec![
            String::new(),
            "AgPA".to_owned(),
            token[1..].to_owned(),
            format!("{token}0"),
            token.to_lowercase(),
            token.replacen("AgPA", "AgPR", 1),
            token.replacen("AgPA", "AgPX", 1),
            format!(" {}", &token[1..]),
            format!("{}é", &token[..TOKEN_LENGTH - 2]),
            "é".repeat(TOKEN_LENGTH),
            "0".repeat(TOKEN_LENGTH),
        ];
        // Each single character changed.
        for index in 0..TOKEN_LENGTH {
            let mut bytes = token.clone().into_bytes();
            bytes[index] = if bytes[index] == b'x' { b'y' } else { b'x' };
            cases.push(String::from_utf8(bytes).expect("ASCII"));
        }
        // Two neighbours exchanged.
        for index in 0..TOKEN_LENGTH - 1 {
            let mut bytes = token.clone().into_bytes();
            bytes.swap(index, index + 1);
            let swapped = String::from_utf8(bytes).expect("ASCII");
            if swapped != token {
                cases.push(swapped);
            }
        }
        for case in cases {
            assert_eq!(parse(&case), None, "{case}");
        }
    }

    #[test]
    fn the_hash_is_sha_256() {
        let expected = [
            0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03,
            0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
        ];
        assert_eq!(hash("abc"), TokenHash(expected));
    }

    proptest! {
        #[test]
        fn every_token_is_read_back(bytes: [u8; 32]) {
            let token = mint(TokenKind::Refresh, bytes);
            prop_assert_eq!(parse(token.expose()), Some(TokenKind::Refresh));
            prop_assert_eq!(from_base62(&token.expose()[PREFIX_LENGTH..BODY_END]), Some(bytes));
        }

        #[test]
        fn reading_never_panics(text in ".{0,60}") {
            prop_assert_eq!(parse(&text), None);
        }
    }
}
