//! What the forms of the protocol endpoints hold, for the description of the interface. The
//! handlers read them by name (`http/extract.rs`), since an empty value counts as absent
//! and unknown names are ignored; so these types are described and never filled.
#![expect(dead_code, reason = "described, not filled")]

use portolan_types::ClientId;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};

use crate::domain::client;
use crate::http::openapi::alternatives;

fn only(value: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some([value]))
        .into()
}

fn code_grant() -> RefOr<Schema> {
    only(client::AUTHORIZATION_CODE)
}

fn refresh_grant() -> RefOr<Schema> {
    only(client::REFRESH_TOKEN)
}

fn client_grant() -> RefOr<Schema> {
    only(client::CLIENT_CREDENTIALS)
}

fn dependent_grant() -> RefOr<Schema> {
    only(client::DEPENDENT_TOKEN)
}

alternatives! {
    /// One of the grants.
    TokenForm: CodeForm, RefreshForm, ClientCredentialsForm, DependentTokenForm
}

/// Exchanges an authorization code (RFC 6749 section 4.1.3, RFC 7636).
#[derive(ToSchema)]
pub struct CodeForm {
    #[schema(schema_with = code_grant)]
    grant_type: String,
    #[schema(min_length = 1)]
    code: String,
    /// The very one of the authorization request.
    #[schema(format = "uri", min_length = 1)]
    redirect_uri: String,
    #[schema(nullable = false, min_length = 43, max_length = 128, pattern = "^[A-Za-z0-9._~-]+$")]
    code_verifier: Option<String>,
    /// Also tokens for all that the person has consented to before.
    #[schema(nullable = false)]
    include_consented_scopes: Option<bool>,
    /// Of clients that do not authenticate by HTTP Basic.
    #[schema(nullable = false)]
    client_id: Option<ClientId>,
    #[schema(nullable = false, min_length = 1)]
    client_secret: Option<String>,
}

/// Renews an access token (RFC 6749 section 6).
#[derive(ToSchema)]
pub struct RefreshForm {
    #[schema(schema_with = refresh_grant)]
    grant_type: String,
    #[schema(min_length = 1)]
    refresh_token: String,
    /// Narrows the answer to these of the scopes, separated by spaces.
    #[schema(nullable = false, min_length = 1)]
    scope: Option<String>,
    /// Of clients that do not authenticate by HTTP Basic.
    #[schema(nullable = false)]
    client_id: Option<ClientId>,
    #[schema(nullable = false, min_length = 1)]
    client_secret: Option<String>,
}

/// A client acts as itself (RFC 6749 section 4.4).
#[derive(ToSchema)]
pub struct ClientCredentialsForm {
    #[schema(schema_with = client_grant)]
    grant_type: String,
    /// Separated by spaces, each perhaps with dependencies in brackets.
    #[schema(min_length = 1, example = "openid profile")]
    scope: String,
    /// Of clients that do not authenticate by HTTP Basic.
    #[schema(nullable = false)]
    client_id: Option<ClientId>,
    #[schema(nullable = false, min_length = 1)]
    client_secret: Option<String>,
}

/// A service exchanges a token that it received for tokens to the services it calls on the
/// person's behalf.
#[derive(ToSchema)]
pub struct DependentTokenForm {
    #[schema(schema_with = dependent_grant)]
    grant_type: String,
    /// An access token for the calling service.
    #[schema(min_length = 1)]
    token: String,
    #[schema(nullable = false)]
    access_type: Option<AccessType>,
    /// Narrows the answer to these, at most 100, separated by spaces.
    #[schema(nullable = false, min_length = 1)]
    scope: Option<String>,
    /// Of clients that do not authenticate by HTTP Basic.
    #[schema(nullable = false)]
    client_id: Option<ClientId>,
    #[schema(nullable = false, min_length = 1)]
    client_secret: Option<String>,
}

/// `offline` asks for refresh tokens too.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum AccessType {
    Online,
    Offline,
}

/// What introspection adds to its answer.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Included {
    IdentitySet,
    /// The old name of the same list.
    IdentitiesSet,
    IdentitySetDetail,
    SessionInfo,
}

#[derive(ToSchema)]
pub struct IntrospectionForm {
    #[schema(min_length = 1)]
    token: String,
    #[schema(nullable = false)]
    include: Option<Vec<Included>>,
    /// Ids of policies to evaluate, separated by commas, at most 50.
    #[schema(
        nullable = false,
        pattern = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(,[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}){0,49}$"
    )]
    authentication_policies: Option<String>,
    /// Of clients that do not authenticate by HTTP Basic.
    #[schema(nullable = false)]
    client_id: Option<ClientId>,
    #[schema(nullable = false, min_length = 1)]
    client_secret: Option<String>,
}

#[derive(ToSchema)]
pub struct ValidationForm {
    /// An access or refresh token.
    #[schema(min_length = 1)]
    token: String,
    /// Of clients that do not authenticate by HTTP Basic.
    #[schema(nullable = false)]
    client_id: Option<ClientId>,
    #[schema(nullable = false, min_length = 1)]
    client_secret: Option<String>,
}

#[derive(ToSchema)]
pub struct RevocationForm {
    /// An access or refresh token. Without one nothing is revoked, and the answer is the same.
    #[schema(nullable = false)]
    token: Option<String>,
    /// Of clients that do not authenticate by HTTP Basic.
    #[schema(nullable = false)]
    client_id: Option<ClientId>,
    #[schema(nullable = false, min_length = 1)]
    client_secret: Option<String>,
}

#[derive(ToSchema)]
pub struct UserinfoForm {
    /// Of callers that send no Authorization header (RFC 6750 section 2.2).
    #[schema(nullable = false, min_length = 1)]
    access_token: Option<String>,
}

/// RFC 7517
#[derive(ToSchema)]
pub struct JwkSet {
    keys: Vec<Jwk>,
}

alternatives! {
    /// A public key
    Jwk: RsaKey, EcKey
}

#[derive(ToSchema)]
struct RsaKey {
    #[schema(schema_with = rsa)]
    kty: String,
    alg: RsaAlgorithm,
    #[schema(schema_with = signing)]
    r#use: String,
    kid: String,
    #[schema(pattern = "^[A-Za-z0-9_-]+$")]
    n: String,
    #[schema(pattern = "^[A-Za-z0-9_-]+$")]
    e: String,
}

#[derive(ToSchema)]
#[schema(rename_all = "UPPERCASE")]
enum RsaAlgorithm {
    Rs256,
    Rs512,
}

#[derive(ToSchema)]
struct EcKey {
    #[schema(schema_with = ec)]
    kty: String,
    #[schema(schema_with = curve)]
    crv: String,
    #[schema(schema_with = es256)]
    alg: String,
    #[schema(schema_with = signing)]
    r#use: String,
    kid: String,
    #[schema(pattern = "^[A-Za-z0-9_-]+$")]
    x: String,
    #[schema(pattern = "^[A-Za-z0-9_-]+$")]
    y: String,
}

fn rsa() -> RefOr<Schema> {
    only("RSA")
}

fn ec() -> RefOr<Schema> {
    only("EC")
}

fn curve() -> RefOr<Schema> {
    only("P-256")
}

fn es256() -> RefOr<Schema> {
    only("ES256")
}

fn signing() -> RefOr<Schema> {
    only("sig")
}
