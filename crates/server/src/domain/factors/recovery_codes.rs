//! Recovery codes, which stand in for a second factor that was lost.

use portolan_db::WriteTx;
use portolan_types::{IdentityId, Secret, TokenHash};
use serde_json::json;

use super::{announce, has_second_factor};
use crate::app::{Ctx, random_bytes};
use crate::domain::token_format;
use crate::error::{Error, Result};
use crate::store::factors;
use crate::store::identities::{self, Identity};
use crate::texts::words;

pub const RECOVERY_CODES: usize = 10;

/// Codes without the letters that look like digits: 120 bits each, so that a plain hash
/// protects them (NIST SP 800-63B, section 3.1.2.2).
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const CODE_LENGTH: usize = 24;

/// New codes, to be shown once.
pub fn generate_recovery_codes() -> Vec<Secret> {
    let code = || {
        let random: [u8; CODE_LENGTH] = random_bytes();
        let letters: Vec<char> = random
            .iter()
            .map(|byte| char::from(ALPHABET[usize::from(byte & 31)]))
            .collect();
        let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
        Secret::new(groups.join("-"))
    };
    (0..RECOVERY_CODES).map(|_| code()).collect()
}

/// As it is kept. Read generously: case, spaces, and the letters that look like digits.
pub(super) fn recovery_hash(id: IdentityId, code: &str) -> TokenHash {
    let normal: String = code
        .chars()
        .filter(|c| c.is_alphanumeric())
        .map(|c| match c.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            'u' => 'v',
            c => c,
        })
        .collect();
    token_format::hash(&format!("recovery:{id}:{normal}"))
}

pub fn replace_recovery_codes(tx: &mut WriteTx, ctx: &Ctx, identity: &Identity, codes: &[Secret]) -> Result<()> {
    if !has_second_factor(tx, identity.id)? {
        return Err(
            Error::invalid_request("recovery codes stand in for a second factor; set one up first")
                .said(words("refusal-no-factor")),
        );
    }
    let hashes: Vec<TokenHash> = codes
        .iter()
        .map(|code| recovery_hash(identity.id, code.expose()))
        .collect();
    factors::replace_recovery_codes(tx, identity.id, &hashes, ctx.now)?;
    announce(
        tx,
        ctx,
        identity,
        "recovery_codes.replace",
        json!({ "count": codes.len() }),
        ctx.text("mail-codes-subject"),
        ctx.text("mail-codes"),
    )
}

pub(super) fn tell_of_recovery(tx: &mut WriteTx, ctx: &Ctx, id: IdentityId) -> Result<()> {
    let identity = identities::get(tx, id)?;
    let left = factors::count_recovery_codes(tx, id)?;
    announce(
        tx,
        ctx,
        &identity,
        "recovery_code.use",
        json!({ "left": left }),
        ctx.text("mail-recovery-subject"),
        &ctx.say("mail-recovery").arg("left", left).to_string(),
    )
}
