//! Pieces of the description of the interface that many operations share: the refusals, and
//! bodies that are a document of changes with what one call demands of it. The description
//! itself is put together in `crate::openapi`.

use std::collections::BTreeMap;

use portolan_types::error::ErrorDocument;
use serde_json::{Value, json};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{
    AllOfBuilder, ContentBuilder, Header, HeaderBuilder, Object, Ref, RefOr, Response, ResponseBuilder, Schema,
};
use utoipa::{IntoResponses, ToSchema};

use super::render::{Surface, error_document};
use crate::error::{Error, Kind};

const EXAMPLE_ID: &str = "6f1c9c1e0f4211f19d5c0242ac120002";

type Responses = BTreeMap<String, RefOr<Response>>;

/// One way in which an operation can refuse.
struct Refusal {
    description: &'static str,
    /// What the member `error` can be.
    codes: &'static [&'static str],
    example: Value,
    /// The status, and with it the headers.
    kind: Kind,
}

impl Refusal {
    fn response(&self) -> Response {
        let code = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(self.codes.iter().copied()));
        let schema = AllOfBuilder::new()
            .item(Ref::from_schema_name(ErrorDocument::name()))
            .item(ObjectBuilder::new().property("error", code));
        let content = ContentBuilder::new()
            .schema(Some(Schema::AllOf(schema.build())))
            .example(Some(self.example.clone()));
        let mut response = ResponseBuilder::new()
            .description(self.description)
            .content("application/json", content.build())
            .build();
        let (name, component) = match self.kind.status().as_u16() {
            401 => ("WWW-Authenticate", "Challenge"),
            429 | 503 => ("Retry-After", "RetryAfter"),
            _ => return response,
        };
        response.headers.insert(name.to_owned(), header(component));
        response
    }
}

/// A header among the components.
pub fn header(name: &str) -> RefOr<Header> {
    RefOr::Ref(Ref::new(format!("#/components/headers/{name}")))
}

/// The headers that answers refer to. Each is always there where it is named.
pub fn headers() -> [(&'static str, Header); 3] {
    let header = |schema: ObjectBuilder, description: &str| {
        HeaderBuilder::new()
            .schema(Some(schema))
            .description(Some(description))
            .build()
    };
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
    [
        (
            "RequestId",
            header(
                text().pattern(Some("^[0-9a-f]{32}$")),
                "Names this request in the log of the server.",
            ),
        ),
        ("RetryAfter", header(seconds, "Seconds to wait.")),
        (
            "Challenge",
            header(text(), "How to authenticate (RFC 9110 section 11.6.1)."),
        ),
    ]
}

/// Each refusal is a type, to be named among the `responses` of an operation, and stands
/// once in the components.
macro_rules! refusals {
    ($($name:ident: $surface:ident, $error:expr, [$($code:literal),*], $description:literal;)*) => {
        $(
            #[doc = $description]
            pub struct $name;

            impl IntoResponses for $name {
                fn responses() -> Responses {
                    let status = $error.kind().status().as_str().to_owned();
                    BTreeMap::from([(status, Ref::from_response_name(stringify!($name)).into())])
                }
            }
        )*

        /// All refusals by name, for the components.
        pub fn refusals() -> Vec<(&'static str, Response)> {
            vec![$((
                stringify!($name),
                Refusal {
                    description: $description,
                    codes: &[$($code),*],
                    example: json!(error_document(&$error, Surface::$surface, EXAMPLE_ID.to_owned())),
                    kind: $error.kind(),
                }
                .response(),
            ),)*]
        }
    };
}

refusals! {
    // The JSON interface and userinfo.
    BadRequest: Api, Error::invalid_parameters("display_name: is missing"),
        ["invalid_parameters", "invalid_request"],
        "A parameter or member is missing, malformed or impossible; the detail names it.";
    BadFqdn: Api, Error::new(Kind::FqdnVerificationFailed, "fqdn: svc.example.org needs a DNS TXT record with the client id"),
        ["fqdn_verification_failed", "invalid_parameters", "invalid_request"],
        "The name is malformed, or the DNS does not say that it belongs to the client.";
    Unauthorized: Api, Error::unauthorized("Call must be authenticated"),
        ["unauthorized"],
        "No credentials, or such that are not good here.";
    Forbidden: Api, Error::forbidden("you do not administer this project"),
        ["forbidden"],
        "The caller may not do this. With `authorization_parameters`: not in this session.";
    NotFound: Api, Error::not_found("client"),
        ["client_not_found", "consent_not_found", "credential_not_found", "identity_not_found", "policy_not_found",
         "project_not_found", "scope_not_found"],
        "What the path or the body names is not there, or not there for the caller.";
    Conflict: Api, Error::conflict("the project still holds 2 clients and 0 policies; delete them first"),
        ["conflict"],
        "It cannot be done while something else is as it is.";
    TimedOut: Api, Error::new(Kind::Timeout, "the request took too long"),
        ["request_timeout"],
        "The request took too long.";
    TooLarge: Api, Error::new(Kind::PayloadTooLarge, "the body is too large"),
        ["payload_too_large"],
        "The body is larger than the server takes.";
    TooMany: Api, Error::too_many_requests("too many failed authentications of this client from your address"),
        ["too_many_requests"],
        "Too many failed authentications or registrations.";
    Unavailable: Api, Error::unavailable("the server is busy; try again"),
        ["service_unavailable"],
        "The store is busy or cannot be reached.";
    // The protocol endpoints speak the words of RFC 6749.
    GrantRefused: OAuth, Error::invalid_grant("authorization code was already used"),
        ["invalid_grant", "invalid_request", "invalid_scope", "unauthorized_client", "unsupported_grant_type"],
        "The request is malformed, or what it presents is not good for this (RFC 6749 section 5.2).";
    RequestRefused: OAuth, Error::invalid_request("the parameter token is missing"),
        ["invalid_request"],
        "A parameter is missing, malformed or given twice.";
    ClientRefused: OAuth, Error::invalid_client(),
        ["invalid_client"],
        "The client is not who it says, or does not say.";
    ConsentMissing: OAuth, Error::dependent_consent_required(vec![
            "urn:globus:auth:scope:groups.api.globus.org:view_my_groups_and_memberships".to_owned(),
        ]),
        ["dependent_consent_required"],
        "The person has not approved what the service wants to use on their behalf.";
    RequestTimedOut: OAuth, Error::new(Kind::Timeout, "the request took too long"),
        ["request_timeout"],
        "The request took too long.";
    FormTooLarge: OAuth, Error::new(Kind::PayloadTooLarge, "the body is too large"),
        ["payload_too_large"],
        "The body is larger than the server takes.";
    TooManyFailures: OAuth, Error::too_many_requests("too many failed authentications of this client from your address"),
        ["too_many_requests"],
        "Too many failed authentications of this client from this address.";
    TemporarilyUnavailable: OAuth, Error::unavailable("the server is busy; try again"),
        ["temporarily_unavailable"],
        "The store is busy or cannot be reached.";
}

/// What every call of the JSON interface can be refused with, whatever it wants.
pub struct CallRefused;

impl IntoResponses for CallRefused {
    fn responses() -> Responses {
        let mut all = BadRequest::responses();
        all.extend(ReadRefused::responses());
        all.extend(TooMany::responses());
        all
    }
}

/// What a caller with a token alone can be refused with.
pub struct ReadRefused;

impl IntoResponses for ReadRefused {
    fn responses() -> Responses {
        let mut all = Unauthorized::responses();
        all.extend(TimedOut::responses());
        all.extend(Unavailable::responses());
        all
    }
}

/// What every form of a client can be refused with, beside what is wrong in the form.
pub struct FormRefused;

impl IntoResponses for FormRefused {
    fn responses() -> Responses {
        let mut all = ClientRefused::responses();
        all.extend(RequestTimedOut::responses());
        all.extend(FormTooLarge::responses());
        all.extend(TooManyFailures::responses());
        all.extend(TemporarilyUnavailable::responses());
        all
    }
}

/// The members that a call reads of a document of changes; others are ignored.
pub struct Members {
    pub required: &'static [&'static str],
    /// May be missing, but not `null`.
    pub optional: &'static [&'static str],
    /// May be missing or `null`.
    pub nullable: &'static [&'static str],
}

impl Members {
    /// The schema of these members alone.
    pub fn of(&self, changes: RefOr<Schema>) -> Object {
        let RefOr::T(Schema::Object(mut object)) = changes else {
            panic!("changes are derived as an object");
        };
        object.description = None;
        let known = std::mem::take(&mut object.properties);
        for (name, schema) in known {
            if self.nullable.contains(&name.as_str()) {
                object.properties.insert(name, schema);
            } else if self.required.contains(&name.as_str()) || self.optional.contains(&name.as_str()) {
                object.properties.insert(name, without_null(schema));
            }
        }
        let wanted = self.required.len() + self.optional.len() + self.nullable.len();
        assert_eq!(
            object.properties.len(),
            wanted,
            "each member that is named is one of the changes"
        );
        object.required = self.required.iter().map(|name| (*name).to_owned()).collect();
        object
    }
}

fn without_null(schema: RefOr<Schema>) -> RefOr<Schema> {
    use utoipa::openapi::schema::SchemaType;
    let not_null = |schema_type: SchemaType| match schema_type {
        SchemaType::Array(types) => match types.as_slice() {
            [one, Type::Null] | [Type::Null, one] => SchemaType::Type(one.clone()),
            _ => SchemaType::Array(types),
        },
        other => other,
    };
    match schema {
        RefOr::T(Schema::Object(mut object)) => {
            object.schema_type = not_null(object.schema_type);
            RefOr::T(Schema::Object(object))
        }
        RefOr::T(Schema::Array(mut array)) => {
            array.schema_type = not_null(array.schema_type);
            RefOr::T(Schema::Array(array))
        }
        RefOr::T(Schema::OneOf(mut one_of)) => {
            let is_null = |schema: &RefOr<Schema>| {
                let null = SchemaType::Type(Type::Null);
                matches!(schema, RefOr::T(Schema::Object(object)) if object.schema_type == null)
            };
            one_of.items.retain(|schema| !is_null(schema));
            match one_of.items.len() {
                1 => one_of.items.remove(0),
                _ => RefOr::T(Schema::OneOf(one_of)),
            }
        }
        other => other,
    }
}

/// `{"project": {..}}`
pub fn envelope(noun: &str, document: impl Into<RefOr<Schema>>, description: &str, example: Value) -> RefOr<Schema> {
    ObjectBuilder::new()
        .property(noun, document)
        .required(noun)
        .description(Some(description))
        .examples([json!({ noun: example })])
        .into()
}

/// A type that stands for the body of one creating or updating call.
macro_rules! request_body {
    (
        #[doc = $description:literal]
        $name:ident { $noun:literal: $changes:ty }
        required: $required:expr,
        optional: $optional:expr,
        nullable: $nullable:expr,
        example: $example:tt
    ) => {
        #[doc = $description]
        pub struct $name;

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                let members = $crate::http::openapi::Members {
                    required: &$required,
                    optional: &$optional,
                    nullable: &$nullable,
                };
                let document = members.of(<$changes as utoipa::PartialSchema>::schema());
                $crate::http::openapi::envelope($noun, document, $description.trim(), serde_json::json!($example))
            }
        }

        impl utoipa::ToSchema for $name {
            fn schemas(schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::Schema>)>) {
                <$changes as utoipa::ToSchema>::schemas(schemas);
            }
        }
    };
}

/// A type that stands for one of several documents.
macro_rules! alternatives {
    ($(#[$doc:meta])* $name:ident: $($alternative:ty),*) => {
        $(#[$doc])*
        pub struct $name;

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                utoipa::openapi::schema::AnyOfBuilder::new()
                    $(.item(utoipa::openapi::Ref::from_schema_name(<$alternative as utoipa::ToSchema>::name())))*
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {
            fn schemas(
                schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::Schema>)>,
            ) {
                $(
                    schemas.push((
                        <$alternative as utoipa::ToSchema>::name().into_owned(),
                        <$alternative as utoipa::PartialSchema>::schema(),
                    ));
                    <$alternative as utoipa::ToSchema>::schemas(schemas);
                )*
            }
        }
    };
}

pub(crate) use {alternatives, request_body};
