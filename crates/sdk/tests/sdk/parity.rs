//! The table of `src/parity.md` is complete and true: each name of the Python SDK has a row,
//! each row names items and a test that are there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use portolan_sdk::scopes::{
    AuthScopes, ComputeScopes, FlowsScopes, GroupsScopes, NexusScopes, SearchScopes, TimersScopes, TransferScopes,
};

/// The outline of the module and wire.md 5.1 to 5.11.
const PYTHON: &str = "
    AuthClient AuthLoginClient NativeAppAuthClient ConfidentialAppAuthClient get_openid_configuration get_jwk userinfo
    oauth2_userinfo get_identities get_identity_providers get_project get_projects create_project update_project
    delete_project get_policy get_policies create_policy update_policy delete_policy get_client get_clients
    create_client update_client delete_client get_client_credentials create_client_credential
    delete_client_credential get_scope get_scopes create_scope update_scope delete_scope get_consents get post put
    patch delete request client_id oauth2_start_flow oauth2_get_authorize_url oauth2_exchange_code_for_tokens
    oauth2_refresh_token oauth2_revoke_token oauth2_validate_token oauth2_token create_native_app_instance
    oauth2_client_credentials_tokens oauth2_get_dependent_tokens oauth2_token_introspect create_child_client
    GlobusNativeAppFlowManager DependentScopeSpec AuthAPIError authorization_parameters IdentityMap IDTokenDecoder
    decode OAuthTokenResponse by_resource_server by_scopes decode_id_token OAuthAuthorizationCodeResponse
    OAuthClientCredentialsResponse OAuthRefreshTokenResponse OAuthDependentTokenResponse GetIdentitiesResponse
    GetConsentsResponse GlobusHTTPResponse http_status http_reason headers content_type text binary_content
    expires_at_seconds add id_batch_size cache get_jwt_audience store_openid_configuration store_jwk Scope
    with_dependency with_dependencies with_optional parse ScopeParser ScopeParseError ScopeCycleError merge_scopes
    serialize AuthScopes TransferScopes GroupsScopes SearchScopes FlowsScopes TimersScopes ComputeScopes NexusScopes
    GCSEndpointScopes GCSCollectionScopes SpecificFlowScopes ConsentParseError ConsentForest
    ConsentTreeConstructionError meets_scope_requirements max_depth to_forest NullAuthorizer BasicAuthorizer
    AccessTokenAuthorizer RefreshTokenAuthorizer ClientCredentialsAuthorizer on_refresh max_retries max_sleep backoff
    NetworkError GlobusTimeoutError GlobusConnectionTimeoutError GlobusConnectionError tune GlobusClientInfo
    transport_params verify_ssl http_timeout GlobusAppConfig login_flow_manager login_redirect_uri token_storage
    request_refresh_tokens auto_redrive_gares token_validation_error_handler id_token_decoder environment login
    login_required logout get_authorizer add_scope_requirements scope_requirements UserApp ClientApp
    JSONTokenStorage SQLiteTokenStorage MemoryTokenStorage store_token_response
    store_token_data_by_resource_server get_token_data get_token_data_by_resource_server remove_token_data
    iter_namespaces MissingTokenError ExpiredTokenError UnmetScopeRequirementsError MissingIdentityError
    IdentityMismatchError code message messages errors request_id raw_json info consent_required ErrorSubdocument
    to_gare to_gares is_gare has_gares to_dict GlobusSDKUsageError GARE GLOBUS_SDK_ENVIRONMENT
    GLOBUS_SDK_SERVICE_URL_AUTH GLOBUS_SDK_HTTP_TIMEOUT GLOBUS_SDK_VERIFY_SSL";

struct Row {
    python: String,
    items: Vec<String>,
    test: String,
}

fn rows() -> Vec<Row> {
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|')
            .split(" | ")
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    let quoted = |cell: &str| -> Vec<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let table = include_str!("../../src/parity.md");
    let lines = table.lines().filter(|line| line.starts_with("| `"));
    lines
        .map(|line| {
            let cells = cells(line);
            assert_eq!(cells.len(), 3, "{line}");
            Row {
                python: cells[0].trim_matches('`').to_owned(),
                items: quoted(&cells[1]),
                test: quoted(&cells[2]).remove(0),
            }
        })
        .collect()
}

fn sources(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            // An item that only a comment names is not there.
            let code: Vec<&str> = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .collect();
            found.insert(path, code.join("\n"));
        }
    }
}

fn all_sources() -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    sources(&root.join("src"), &mut found);
    sources(&root.join("tests"), &mut found);
    found
}

fn is_word(text: &str, at: usize, length: usize) -> bool {
    let part =
        |character: Option<char>| character.is_some_and(|character| character.is_alphanumeric() || character == '_');
    !part(text[..at].chars().next_back()) && !part(text[at + length..].chars().next())
}

/// The blocks that belong to a type: its definition and its own implementations.
fn blocks<'a>(sources: &'a BTreeMap<PathBuf, String>, name: &str) -> Vec<&'a str> {
    let mut blocks = Vec::new();
    for text in sources.values() {
        for (at, _) in text.match_indices(name) {
            let line = &text[text[..at].rfind('\n').map_or(0, |end| end + 1)..];
            let head = line.lines().next().unwrap_or_default().trim_start();
            let starts = [
                "pub struct",
                "pub enum",
                "pub trait",
                "impl ",
                "impl<",
                "    AuthScopes",
                name,
            ];
            let defines = starts.iter().any(|start| head.starts_with(start)) && is_word(text, at, name.len());
            let Some(open) = text[at..].find('{').filter(|_| defines) else {
                continue;
            };
            let mut depth = 0;
            let end = text[at + open..].char_indices().find(|(_, character)| {
                depth += i32::from(*character == '{') - i32::from(*character == '}');
                depth == 0
            });
            if let Some((end, _)) = end {
                blocks.push(&text[at..at + open + end]);
            }
        }
    }
    blocks
}

fn is_there(sources: &BTreeMap<PathBuf, String>, item: &str) -> bool {
    let Some((owner, member)) = item.split_once("::") else {
        return sources
            .values()
            .any(|text| text.contains(&format!("pub struct {item};")));
    };
    if owner.starts_with(char::is_lowercase) {
        let function = format!("pub fn {member}(");
        return sources
            .iter()
            .any(|(path, text)| path.to_string_lossy().contains(&format!("src/{owner}")) && text.contains(&function));
    }
    blocks(sources, owner).iter().any(|block| {
        block.match_indices(member).any(|(at, _)| {
            let before = block[..at].trim_end();
            let public = [
                "pub fn",
                "pub async fn",
                "fn",
                "pub",
                "pub const",
                "{",
                "}",
                "]",
                ",",
                ";",
            ];
            is_word(block, at, member.len()) && public.iter().any(|end| before.ends_with(end))
        })
    })
}

#[test]
fn every_name_of_the_python_sdk_has_a_row() {
    let rows = rows();
    let known: Vec<&str> = rows
        .iter()
        .flat_map(|row| {
            row.python
                .split(|character: char| !character.is_alphanumeric() && character != '_')
        })
        .collect();
    let missing: Vec<&str> = PYTHON.split_whitespace().filter(|name| !known.contains(name)).collect();
    assert!(missing.is_empty(), "no row for {missing:?}");
}

#[test]
fn every_row_names_items_and_a_test_that_are_there() {
    let sources = all_sources();
    let mut wrong = Vec::new();
    for row in rows() {
        assert!(!row.items.is_empty(), "{}", row.python);
        for item in &row.items {
            if !is_there(&sources, item) {
                wrong.push(format!("{}: no {item}", row.python));
            }
        }
        let (module, test) = row.test.split_once("::").unwrap_or(("", &row.test));
        let test = format!("fn {test}(");
        let found = sources
            .iter()
            .any(|(path, text)| path.to_string_lossy().contains(module) && text.contains(&test));
        if !found {
            wrong.push(format!("{}: no test {}", row.python, row.test));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_not_there_is_noticed() {
    let sources = all_sources();
    for item in [
        "AuthClient::get_moon",
        "NoSuchThing",
        "scopes::devour",
        "GrantKind::Password",
        "Token::colour",
    ] {
        assert!(!is_there(&sources, item), "{item}");
    }
}

/// The lists of wire.md 1.10.
#[test]
fn scope_names_are_those_of_wire() {
    let all: Vec<&str> = [
        AuthScopes::EVERY,
        TransferScopes::EVERY,
        GroupsScopes::EVERY,
        SearchScopes::EVERY,
        TimersScopes::EVERY,
        FlowsScopes::EVERY,
        ComputeScopes::EVERY,
        NexusScopes::EVERY,
    ]
    .concat();
    let short: Vec<String> = all
        .iter()
        .map(|name| {
            name.replace("urn:globus:auth:scope:", "")
                .replace("https://auth.globus.org/scopes/", "")
        })
        .collect();
    assert_eq!(
        short.join(" "),
        "openid email profile auth.globus.org:manage_projects auth.globus.org:view_authentications \
         auth.globus.org:view_clients auth.globus.org:view_clients_and_scopes auth.globus.org:view_consents \
         auth.globus.org:view_identities auth.globus.org:view_identity_set transfer.api.globus.org:all \
         transfer.api.globus.org:gcp_install groups.api.globus.org:all \
         groups.api.globus.org:view_my_groups_and_memberships search.api.globus.org:all \
         search.api.globus.org:globus_connect_server search.api.globus.org:ingest search.api.globus.org:search \
         524230d7-ea86-4a52-8312-86065a9e0417/timer eec9b274-0c81-4334-bdc2-54e90e689b9a/all \
         eec9b274-0c81-4334-bdc2-54e90e689b9a/manage_flows eec9b274-0c81-4334-bdc2-54e90e689b9a/view_flows \
         eec9b274-0c81-4334-bdc2-54e90e689b9a/run eec9b274-0c81-4334-bdc2-54e90e689b9a/run_status \
         eec9b274-0c81-4334-bdc2-54e90e689b9a/run_manage facd7ccc-c5f4-42aa-916b-a0e270e2c2a9/all \
         nexus.api.globus.org:groups"
    );
    assert_eq!(FlowsScopes::RESOURCE_SERVER, "flows.globus.org");
}

/// The lines of all examples in the documentation.
fn examples(sources: &[String]) -> String {
    let mut examples = String::new();
    for text in sources {
        let mut inside = false;
        for line in text.lines().map(str::trim_start) {
            let Some(line) = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")) else {
                continue;
            };
            if line.trim_start().starts_with("```") {
                inside = !inside;
            } else if inside {
                examples.push_str(line);
                examples.push('\n');
            }
        }
    }
    examples
}

/// The public item that a line defines.
fn defined(line: &str) -> Option<&str> {
    let line = line.trim_start().strip_prefix("pub ")?;
    let line = line.strip_prefix("async ").unwrap_or(line);
    let line = line.strip_prefix("const ").unwrap_or(line);
    let name = ["fn ", "struct ", "enum ", "trait "]
        .iter()
        .find_map(|kind| line.strip_prefix(kind))?;
    let end = name.find(|character: char| !character.is_alphanumeric() && character != '_')?;
    Some(&name[..end]).filter(|name| !name.is_empty())
}

#[test]
fn every_public_item_stands_in_an_example() {
    let mut found = BTreeMap::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = vec![folder];
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let shipped = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            found.insert(path, shipped.to_owned());
        }
    }
    let texts: Vec<String> = found.values().cloned().collect();
    let examples = examples(&texts);
    let mut missing = Vec::new();
    let mut items = 0;
    for (path, text) in &found {
        let mut own = false;
        for line in text.lines() {
            let start = line.trim_start();
            if start.starts_with("///") || start.starts_with("#[") {
                own |= start.contains("```");
                continue;
            }
            let Some(name) = defined(line) else {
                own = false;
                continue;
            };
            items += 1;
            let mut places = examples.match_indices(name);
            if !own && !places.any(|(at, _)| is_word(&examples, at, name.len())) {
                missing.push(format!("{}: {name}", path.display()));
            }
            own = false;
        }
    }
    assert!(items > 450, "{items} items: the search has lost most of them");
    assert!(missing.is_empty(), "in no example: {missing:#?}");
}
