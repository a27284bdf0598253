//! What a file says, in the words of the domain. Several files are one.
//!
//! Things are known by their names: the key of their table. An `id` beside it says which
//! one is meant whatever it is called in the store, so that it can be renamed.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use portolan_server::domain::client::registration::parse_fqdn;
use portolan_server::domain::policy::registration::check_domains;
use portolan_types::api::{Change, ClientChanges, ClientType, LinkChanges, PolicyChanges, ScopeChanges};
use portolan_types::{ClientId, PolicyId, ProjectId, ScopeId};

use super::providers::Provider;
use super::source::{Finding, Findings, Head, Place, Source, Table, TextOrTable};
use crate::typed::{seconds_or_none, set};

#[derive(Clone, Debug, Default)]
pub struct File {
    pub projects: Vec<Project>,
    pub providers: Vec<Provider>,
    /// Where it says that all identity providers are in it.
    pub manages_providers: Option<Place>,
}

#[derive(Clone, Debug)]
pub struct Project {
    pub head: Head,
    pub id: Option<ProjectId>,
    pub contact: Option<String>,
    pub admins: Option<Vec<String>>,
    pub clients: Vec<Client>,
    pub policies: Vec<Policy>,
}

#[derive(Clone, Debug)]
pub struct Client {
    pub head: Head,
    pub id: Option<ClientId>,
    pub changes: ClientChanges,
    pub required_idp: Option<String>,
    pub preselect_idp: Option<String>,
    pub id_token_algorithm: Option<String>,
    pub resource_server_name: Option<String>,
    pub domain_names: Vec<String>,
    pub enabled: Option<bool>,
    pub secrets: Vec<SecretFile>,
    pub scopes: Vec<Scope>,
}

/// A secret of a client, and the file that it is written to when it is made.
#[derive(Clone, Debug)]
pub struct SecretFile {
    pub head: Head,
    pub path: PathBuf,
}

#[derive(Clone, Debug)]
pub struct Scope {
    pub head: Head,
    pub id: Option<ScopeId>,
    pub changes: ScopeChanges,
    pub depends_on: Option<Vec<Dependency>>,
}

#[derive(Clone, Debug)]
pub struct Dependency {
    pub place: Place,
    pub target: Target,
    pub optional: bool,
    pub refresh: bool,
}

#[derive(Clone, Debug)]
pub enum Target {
    /// Id or scope string.
    Scope(String),
    /// By the name of its client, whose id nobody knows beforehand.
    OfClient { client: String, suffix: String },
}

#[derive(Clone, Debug)]
pub struct Policy {
    pub head: Head,
    pub id: Option<PolicyId>,
    pub changes: PolicyChanges,
}

impl File {
    /// Reads all of them; what is wrong is among the findings.
    pub fn read(sources: &[Source], findings: &Findings) -> Self {
        let mut file = Self::default();
        for source in sources {
            let Some(mut table) = source.read(findings) else {
                continue;
            };
            if table.flag("manage_identity_providers") == Some(true) {
                file.manages_providers = Some(table.at("manage_identity_providers"));
            }
            for (name, table) in table.things("identity_provider") {
                let provider = Provider::read(&name, table);
                add(&mut file.providers, provider, |provider| &provider.head, findings);
            }
            for (name, table) in table.things("project") {
                file.add_project(Project::read(&name, table), findings);
            }
            table.end("");
        }
        file.check_ids(findings);
        file.check_secret_files(findings);
        file
    }

    /// One file may describe a project, and others what it holds.
    fn add_project(&mut self, project: Project, findings: &Findings) {
        let Some(known) = self
            .projects
            .iter_mut()
            .find(|known| known.head.name == project.head.name)
        else {
            self.projects.push(project);
            return;
        };
        for client in project.clients {
            add(&mut known.clients, client, |client| &client.head, findings);
        }
        for policy in project.policies {
            add(&mut known.policies, policy, |policy| &policy.head, findings);
        }
        if known.head.is_empty() {
            known.head = project.head;
            known.id = project.id;
            known.contact = project.contact;
            known.admins = project.admins;
        } else if !project.head.is_empty() {
            findings.borrow_mut().push(twice(&project.head, &known.head));
        }
    }

    /// Two entries with one id would change the same thing in turn.
    fn check_ids(&self, findings: &Findings) {
        let mut seen: BTreeMap<(&str, String), &Head> = BTreeMap::new();
        let mut check = |kind, id: Option<String>, head| {
            if let Some(id) = id
                && let Some(first) = seen.insert((kind, id), head)
            {
                findings.borrow_mut().push(head.finding(
                    "id",
                    format!("is the id of {} already ({})", first.place.path, line_of(&first.place)),
                ));
            }
        };
        for provider in &self.providers {
            check("provider", provider.id.map(|id| id.to_string()), &provider.head);
        }
        for project in &self.projects {
            check("project", project.id.map(|id| id.to_string()), &project.head);
            for policy in &project.policies {
                check("policy", policy.id.map(|id| id.to_string()), &policy.head);
            }
            for client in &project.clients {
                check("client", client.id.map(|id| id.to_string()), &client.head);
                for scope in &client.scopes {
                    check("scope", scope.id.map(|id| id.to_string()), &scope.head);
                }
            }
        }
    }

    fn secrets(&self) -> impl Iterator<Item = &SecretFile> {
        let clients = self.projects.iter().flat_map(|project| &project.clients);
        clients.flat_map(|client| &client.secrets)
    }

    /// The folders of its secrets, each once and in the same order in every run.
    pub fn secret_folders(&self) -> BTreeSet<PathBuf> {
        self.secrets().map(|secret| secret.file().0).collect()
    }

    fn check_secret_files(&self, findings: &Findings) {
        let mut seen: BTreeMap<(PathBuf, &OsStr), &Head> = BTreeMap::new();
        for secret in self.secrets() {
            if let Some(first) = seen.insert(secret.file(), &secret.head) {
                let text = format!("is the file of {} already; each secret needs its own", first.place.path);
                findings.borrow_mut().push(secret.head.finding("secret_file", text));
            }
        }
    }
}

/// Puts a thing beside the others, unless one has its name.
fn add<T>(list: &mut Vec<T>, thing: T, head: fn(&T) -> &Head, findings: &Findings) {
    match list.iter().find(|known| head(known).name == head(&thing).name) {
        Some(known) => findings.borrow_mut().push(twice(head(&thing), head(known))),
        None => list.push(thing),
    }
}

fn twice(second: &Head, first: &Head) -> Finding {
    Finding {
        place: second.place.clone(),
        text: format!(
            "is described already ({}); write all of it in one place",
            line_of(&first.place)
        ),
    }
}

fn line_of(place: &Place) -> String {
    format!("{}, line {}", place.source, place.line)
}

impl Project {
    fn read(name: &str, mut table: Table<'_>) -> Self {
        let id = table.id();
        let contact = table.text("contact");
        let admins = table.texts("admins");
        if admins.as_ref().is_some_and(Vec::is_empty) {
            table.note(table.at("admins"), "name at least one, by username or id");
        }
        let mut clients = Vec::new();
        for (name, table) in table.things("client") {
            clients.push(Client::read(&name, table));
        }
        let mut policies = Vec::new();
        for (name, table) in table.things("policy") {
            policies.push(Policy::read(&name, table));
        }
        Self {
            head: table.end(name.trim()),
            id,
            contact,
            admins,
            clients,
            policies,
        }
    }
}

impl Client {
    fn read(name: &str, mut table: Table<'_>) -> Self {
        let id = table.id();
        let client_type = table.parsed("type", |text| {
            text.parse().map_err(|_| {
                let names: Vec<&str> = ClientType::ALL.iter().map(|known| known.as_str()).collect();
                format!("must be one of {}", names.join(", "))
            })
        });
        let visibility = table.parsed("visibility", |text| {
            text.parse().map_err(|_| "must be public or private".to_owned())
        });
        let links = LinkChanges {
            terms_and_conditions: or_none(table.text("terms")),
            privacy_policy: or_none(table.text("privacy")),
        };
        let backchannel_logout_uri = or_none(table.text("backchannel_logout_uri"));
        let session_required = table.flag("backchannel_logout_session_required");
        if session_required == Some(true) && backchannel_logout_uri.value().is_none() {
            table.note(
                table.at("backchannel_logout_session_required"),
                "needs a backchannel_logout_uri beside it",
            );
        }
        let changes = ClientChanges {
            client_type: set(client_type),
            visibility: set(visibility),
            redirect_uris: set(table.texts("redirect_uris")),
            links: if links == LinkChanges::default() {
                Change::Keep
            } else {
                Change::Set(links)
            },
            userinfo_from_effective_identity: set(table.flag("userinfo_from_effective_identity")),
            prompt_for_named_grant: set(table.flag("prompt_for_named_grant")),
            post_logout_redirect_uris: set(table.texts("post_logout_redirect_uris")),
            backchannel_logout_uri,
            backchannel_logout_session_required: set(session_required),
            ..ClientChanges::default()
        };
        let required_idp = table.text("required_idp");
        let preselect_idp = table.text("preselect_idp");
        let id_token_algorithm = table.text("id_token_algorithm");
        let resource_server_name = table.text("resource_server_name");
        let enabled = table.flag("enabled");
        let mut domain_names = Vec::new();
        for name in table.texts("domain_names").unwrap_or_default() {
            match parse_fqdn(&name) {
                Ok(fqdn) if domain_names.contains(&fqdn) => {}
                Ok(fqdn) => domain_names.push(fqdn),
                Err(_) => table.note(
                    table.at("domain_names"),
                    format!("{name:?} is no domain name such as service.example.org"),
                ),
            }
        }
        let mut secrets = Vec::new();
        for (name, table) in table.things("secret") {
            secrets.extend(SecretFile::read(&name, table));
        }
        let mut scopes = Vec::new();
        for (suffix, table) in table.things("scope") {
            scopes.push(Scope::read(&suffix, table));
        }
        let head = table.end(name.trim());
        Self {
            changes: ClientChanges {
                name: Change::Set(head.name.clone()),
                ..changes
            },
            head,
            id,
            required_idp,
            preselect_idp,
            id_token_algorithm,
            resource_server_name,
            domain_names,
            enabled,
            secrets,
            scopes,
        }
    }
}

impl SecretFile {
    fn read(name: &str, mut table: Table<'_>) -> Option<Self> {
        const MISSING: &str = "secret_file must name the file that the secret is written to when it is made";
        let folder = table.folder();
        let path = table.parsed("secret_file", |text| match folder.join(text) {
            path if text.is_empty() || text.ends_with('/') || path.file_name().is_none() => Err(MISSING.to_owned()),
            path => Ok(path),
        });
        if !table.says("secret_file") {
            table.note(table.at(""), MISSING);
        }
        let head = table.end(name.trim());
        path.map(|path| Self { head, path })
    }

    /// The folder that it is in, as it is typed.
    pub fn folder(&self) -> &Path {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        folder.unwrap_or(Path::new("."))
    }

    /// The same for all spellings of one file: `x`, `./x`, and `x` in a folder that a link
    /// leads to.
    fn file(&self) -> (PathBuf, &OsStr) {
        let folder = self.folder();
        // One that is not there cannot be written to under any spelling.
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        (folder, self.path.file_name().unwrap_or_default())
    }
}

impl Scope {
    fn read(suffix: &str, mut table: Table<'_>) -> Self {
        let id = table.id();
        let changes = ScopeChanges {
            name: set(table.text("name")),
            description: set(table.text("description")),
            scope_suffix: Change::Set(suffix.to_owned()),
            advertised: set(table.flag("advertised")),
            allows_refresh_token: set(table.flag("allows_refresh")),
            required_domains: set(domains(&mut table, "required_domains")),
            ..ScopeChanges::default()
        };
        let depends_on = table.texts_or_tables("depends_on").map(|items| {
            let read = items.into_iter().filter_map(Dependency::read);
            read.collect::<Vec<_>>()
        });
        Self {
            head: table.end(suffix),
            id,
            changes,
            depends_on,
        }
    }
}

impl Dependency {
    fn read(item: TextOrTable<'_>) -> Option<Self> {
        let mut table = match item {
            TextOrTable::Text(place, scope) => {
                return Some(Self {
                    place,
                    target: Target::Scope(scope),
                    optional: false,
                    refresh: false,
                });
            }
            TextOrTable::Table(table) => table,
        };
        let scope = table.text("scope");
        let client = table.text("client");
        let suffix = table.text("suffix");
        let optional = table.flag("optional").unwrap_or(false);
        let refresh = table.flag("refresh").unwrap_or(false);
        let target = match (scope, client, suffix) {
            (Some(scope), None, None) => Some(Target::Scope(scope)),
            (None, Some(client), Some(suffix)) => Some(Target::OfClient { client, suffix }),
            _ => {
                table.note(
                    table.at(""),
                    "name a scope (id or scope string), or client and suffix of one",
                );
                None
            }
        };
        let place = table.end("").place;
        Some(Self {
            place,
            target: target?,
            optional,
            refresh,
        })
    }
}

impl Policy {
    fn read(name: &str, mut table: Table<'_>) -> Self {
        let id = table.id();
        let changes = PolicyChanges {
            display_name: Change::Set(name.trim().to_owned()),
            description: set(table.text("description")),
            high_assurance: set(table.flag("high_assurance")),
            authentication_assurance_timeout: table.parsed("timeout", seconds_or_none).unwrap_or_default(),
            required_mfa: set(table.flag("required_mfa")),
            domain_constraints_include: or_empty(domains(&mut table, "include_domains")),
            domain_constraints_exclude: or_empty(domains(&mut table, "exclude_domains")),
            ..PolicyChanges::default()
        };
        Self {
            head: table.end(name.trim()),
            id,
            changes,
        }
    }
}

/// Domains as they are stored.
fn domains(table: &mut Table<'_>, key: &'static str) -> Option<Vec<String>> {
    let given = table.texts(key)?;
    match check_domains("", &given) {
        Ok(domains) => Some(domains),
        Err(error) => {
            table.note(table.at(key), error.detail().trim_start_matches(": ").to_owned());
            None
        }
    }
}

/// `none` takes away what is there.
fn or_none(text: Option<String>) -> Change<String> {
    match text.as_deref() {
        Some("none") => Change::Clear,
        _ => set(text),
    }
}

/// A list without an item restricts nothing.
fn or_empty(domains: Option<Vec<String>>) -> Change<Vec<String>> {
    match domains {
        Some(domains) if domains.is_empty() => Change::Clear,
        domains => set(domains),
    }
}
