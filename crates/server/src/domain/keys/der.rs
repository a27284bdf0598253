//! As much of DER as the public part of an RSA key needs.

/// Modulus and exponent of an `RSAPublicKey` (RFC 8017 appendix A.1.1), without the
/// zero that DER puts before a number whose first bit is set.
pub(super) fn rsa_public_parts(der: &[u8]) -> Option<(&[u8], &[u8])> {
    const SEQUENCE: u8 = 0x30;
    const INTEGER: u8 = 0x02;
    let (content, rest) = der_element(SEQUENCE, der)?;
    let (modulus, content) = der_element(INTEGER, content)?;
    let (exponent, content) = der_element(INTEGER, content)?;
    let without_sign = |number: &'_ [u8]| number.iter().take_while(|byte| **byte == 0).count();
    (rest.is_empty() && content.is_empty())
        .then(|| (&modulus[without_sign(modulus)..], &exponent[without_sign(exponent)..]))
}

/// The content of the element at the front, and what follows it.
pub(super) fn der_element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[found, length], der) = der.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    if length < 0x80 {
        return der.split_at_checked(usize::from(length));
    }
    // The long form; a key needs one or two bytes of length.
    let (length, der) = der
        .split_at_checked(usize::from(length & 0x7f))
        .filter(|(length, _)| (1..=2).contains(&length.len()))?;
    let length = length.iter().fold(0, |length, byte| length * 256 + usize::from(*byte));
    der.split_at_checked(length)
}
