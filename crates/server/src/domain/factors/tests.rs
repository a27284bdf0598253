use super::*;
use crate::domain::webauthn::RelyingParty;

#[test]
fn recovery_codes_are_long_and_can_be_typed_badly() {
    let codes = generate_recovery_codes();
    assert_eq!(codes.len(), RECOVERY_CODES);
    let first = codes[0].expose();
    assert_eq!((first.len(), first.matches('-').count()), (29, 5), "{first}");
    assert!(codes.iter().skip(1).all(|code| code != &codes[0]));

    let id = IdentityId::from_u128(1);
    let typed = format!(
        "  {} ",
        first
            .to_uppercase()
            .replace('-', " ")
            .replace('0', "O")
            .replace('1', "l")
    );
    assert_eq!(recovery_hash(id, first), recovery_hash(id, &typed));
    assert_ne!(recovery_hash(id, first), recovery_hash(IdentityId::from_u128(2), first));
}

#[test]
fn passkeys_are_known_by_names_not_by_addresses() {
    let rp = RelyingParty::new("https://auth.example.org:8443/").unwrap();
    assert_eq!(
        (rp.id.as_str(), rp.origin.as_str()),
        ("auth.example.org", "https://auth.example.org:8443")
    );
    assert_eq!(RelyingParty::new("http://localhost:8080").unwrap().id, "localhost");
    assert_eq!(RelyingParty::new("http://127.0.0.1:8080"), None);
    assert_eq!(RelyingParty::new("http://[::1]:8080"), None);
}
